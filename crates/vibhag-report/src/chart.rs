//! Charts as inline SVG. Colours of axes and text are CSS variables of the page, so that a chart follows its light or
//! dark scheme.

use kuva::backend::svg::SvgBackend;
use kuva::render::layout::{Layout, TickFormat};
use kuva::render::plots::Plot;
use kuva::render::render::render_multiple;
use kuva::render::theme::Theme;

const WIDTH: f64 = 460.0;
const HEIGHT: f64 = 280.0;

/// A chart: inline SVG without external references.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chart {
    /// Its heading.
    pub title: String,
    /// What it shows, for readers who cannot see it.
    pub alt: String,
    /// The `<svg>` element.
    pub svg: String,
}

/// The chart of `plots`. `key` is its own on the page.
pub(crate) fn draw(key: &str, title: String, alt: String, plots: Vec<Plot>, layout: Layout) -> Chart {
    let svg = finish(&SvgBackend::new().render_scene(&render_multiple(plots, layout)), key, &alt);
    Chart { title, alt, svg }
}

/// Ticks of a count axis; fractions of an image would be confusing.
pub(crate) fn integers(highest: f64) -> TickFormat {
    if highest < 5.0 {
        TickFormat::Custom(std::sync::Arc::new(|v| if v.fract() == 0.0 { format!("{v:.0}") } else { String::new() }))
    } else {
        TickFormat::Integer
    }
}

pub(crate) fn layout_of(plots: &[Plot], x_label: &str, y_ticks: &TickFormat) -> Layout {
    let ink = || "var(--ink)".to_owned();
    let quiet = || "var(--rule)".to_owned();
    let theme = Theme {
        background: "none".to_owned(),
        axis_color: ink(),
        grid_color: quiet(),
        tick_color: ink(),
        text_color: ink(),
        legend_bg: "none".to_owned(),
        legend_border: "none".to_owned(),
        font_family: Some("system-ui, sans-serif".to_owned()),
        ..Theme::light()
    };
    Layout::auto_from_plots(plots)
        .with_width(WIDTH)
        .with_height(HEIGHT)
        .with_theme(theme)
        .with_x_label(x_label)
        .with_y_tick_format(y_ticks.clone())
        .with_legend_box(false)
        .with_label_size(13)
        .with_tick_size(12)
        .with_body_size(13)
}

/// Makes the SVG fit for inlining: scalable, labelled, without the namespace (HTML needs none),
/// and with identifiers that are unique on the page and the same in every rendering.
fn finish(svg: &str, key: &str, alt: &str) -> String {
    const CLIP: &str = "kuva-clip-";
    let body = svg.split_once('>').map_or("", |(_, body)| body);
    let fill = "fill=\"var(--ink)\" font-family=\"system-ui, sans-serif\"";
    let mut out = format!(
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\" {fill}>",
        crate::html::escape_attribute(alt)
    );
    let mut seen: Vec<&str> = Vec::new();
    let mut rest = body;
    while let Some(at) = rest.find(CLIP) {
        let after = &rest[at + CLIP.len()..];
        let digits = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
        let number = &after[..digits];
        let index = seen.iter().position(|&known| known == number).unwrap_or_else(|| {
            seen.push(number);
            seen.len() - 1
        });
        out.push_str(&rest[..at]);
        out.push_str("clip-");
        out.push_str(key);
        out.push('-');
        out.push_str(&index.to_string());
        rest = &after[digits..];
    }
    out.push_str(rest);
    out
}
