//! The page as a whole: complete, self-contained, well-formed, and safe from names.

#![allow(clippy::expect_used, reason = "helpers of a test are tests")]

mod support;

use vibhag_metrics::{Confusion, Evaluation, InstanceEvaluation, PanopticEvaluation};
use vibhag_report::{ReportData, render, write};

/// Names, attributes and nesting of the tags in `html`; fails on anything unbalanced.
fn check_well_formed(html: &str) -> Vec<String> {
    const VOID: [&str; 4] = ["meta", "img", "br", "input"];
    let mut open: Vec<String> = Vec::new();
    let mut tags = Vec::new();
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        rest = &rest[start + 1..];
        if let Some(comment) = rest.strip_prefix("!--") {
            rest = comment.split_once("-->").expect("comments are closed").1;
            continue;
        }
        let end = end_of_tag(rest);
        let tag = &rest[..end];
        rest = &rest[end + 1..];
        if tag.starts_with('!') {
            continue;
        }
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name), "</{name}> closes what is open");
            continue;
        }
        let name: String = tag.chars().take_while(char::is_ascii_alphanumeric).collect();
        assert!(!name.is_empty(), "a stray < before {:?}", &tag[..tag.len().min(40)]);
        tags.push(tag.to_owned());
        if name == "style" {
            rest = rest.split_once("</style>").expect("style is closed").1;
        } else if !VOID.contains(&name.as_str()) && !tag.ends_with('/') {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "never closed: {open:?}");
    tags
}

fn end_of_tag(text: &str) -> usize {
    let mut quoted = false;
    text.bytes()
        .position(|byte| {
            quoted ^= byte == b'"';
            byte == b'>' && !quoted
        })
        .expect("tags are closed")
}

fn check_self_contained(tags: &[String]) {
    for tag in tags {
        assert!(!tag.contains("http"), "no address of the network in <{tag}>");
        for attribute in [" src=\"", " href=\""] {
            if let Some((_, value)) = tag.split_once(attribute) {
                assert!(value.starts_with("data:image/jpeg;base64,") || value.starts_with('#'), "<{tag}>");
            }
        }
        assert!(!tag.starts_with("script") && !tag.starts_with("link"), "<{tag}>");
        if tag.starts_with("img") {
            assert!(tag.contains(" alt=\"") && !tag.contains("alt=\"\""));
        }
        if tag.starts_with("svg") {
            assert!(tag.contains("role=\"img\"") && tag.contains("aria-label=\""));
        }
    }
}

#[test]
fn a_full_report_is_well_formed_and_self_contained() {
    for classes in [2, 5] {
        let html = render(&support::full(classes, 20).unwrap()).unwrap();
        let tags = check_well_formed(&html);
        check_self_contained(&tags);
        let count = |name: &str| tags.iter().filter(|tag| tag.starts_with(name)).count();
        assert_eq!(count("img"), 16, "8 worst, 4 median, 4 best");
        assert_eq!(count("svg"), 4, "three curves and the histogram");
        assert_eq!(count("section"), 7);
        check_links(&tags);
    }
}

/// Fails when an identifier occurs twice or a link leads nowhere.
fn check_links(tags: &[String]) {
    let mut ids: Vec<_> =
        tags.iter().filter_map(|tag| tag.split_once(" id=\"")?.1.split_once('"').map(|(id, _)| id)).collect();
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all, "identifiers are unique");
    for target in tags.iter().filter_map(|tag| tag.split_once("href=\"#")?.1.split_once('"')).map(|(id, _)| id) {
        assert!(ids.contains(&target), "#{target} exists");
    }
}

#[test]
fn reports_on_objects_and_segments_are_well_formed_and_self_contained() {
    let both = {
        let mut both = support::objects::panoptic(5).unwrap();
        let masks = support::full(3, 5).unwrap();
        (both.evaluation, both.examples) = (masks.evaluation, masks.examples);
        both.object_examples.extend(support::objects::instances(5).unwrap().object_examples);
        both
    };
    // Pictures, charts and sections: three of objects, three of segments, three of masks.
    let cases = [
        (support::objects::instances(12).unwrap(), [8, 5, 3]),
        (support::objects::panoptic(12).unwrap(), [8, 6, 5]),
        (both, [15, 7, 9]),
    ];
    for (data, expected) in cases {
        let html = render(&data).unwrap();
        let tags = check_well_formed(&html);
        check_self_contained(&tags);
        check_links(&tags);
        let count = |name: &str| tags.iter().filter(|tag| tag.starts_with(name)).count();
        assert_eq!([count("img"), count("svg"), count("section")], expected, "{}", data.title);
        assert!(!html.contains("<script") && !html.contains("<round>"));
    }
}

#[test]
fn objects_and_segments_have_their_sentence_tiles_and_tables() {
    let data = support::objects::instances(12).unwrap();
    let evaluation = data.instances.as_ref().unwrap();
    let html = render(&data).unwrap();
    assert!(html.contains(&format!("Of {} true objects in 12 validation images, ", evaluation.objects_truth)));
    for label in ["AP50", "AP", "COCO AP", "F1 at IoU 0.5", "IoU of found objects", "count error", "worst image (AP)"] {
        assert!(html.contains(&format!("<span>{label}</span>")), "{label}");
    }
    let worst = &evaluation.per_image[0];
    assert!(html.contains(&format!(
        "AP {:.3}, AP50 {:.3}: {} found, {} missed, {} false",
        worst.ap_mean, worst.ap50, worst.tp, worst.fn_, worst.fp
    )));
    assert!(html.contains("DAPI &#38; more") || html.contains("DAPI &amp; more"), "tags are shown");

    let data = support::objects::panoptic(12).unwrap();
    let html = render(&data).unwrap();
    assert!(html.contains(&format!("<p class=\"lead\">PQ {:.3} (95% CI ", data.panoptic.as_ref().unwrap().pq)));
    for label in ["PQ", "SQ", "RQ", "PQ of things", "PQ of stuff", "mean IoU", "worst image (PQ)"] {
        assert!(html.contains(&format!("<span>{label}</span>")), "{label}");
    }
    assert!(html.contains("1 more class is neither in the truth nor in the predictions."));
    let note = &data.instances.as_ref().unwrap().notes[0];
    assert_eq!(html.matches(note.as_str()).count(), 1, "the evaluation's notes are shown, once");
}

#[test]
fn tables_of_objects_and_segments_are_worst_first() {
    for data in [support::objects::instances(12).unwrap(), support::objects::panoptic(12).unwrap()] {
        let html = render(&data).unwrap();
        for section in ["object-images", "segment-images"] {
            let Some((_, table)) = html.split_once(&format!("<section id=\"{section}\">")) else { continue };
            let rows: Vec<f64> = table
                .split_once("</section>")
                .unwrap()
                .0
                .lines()
                .filter_map(|line| line.split_once("</i></span>")?.1.split_once('<')?.0.parse().ok())
                .collect();
            assert_eq!(rows.len(), 12);
            assert!(rows.is_sorted(), "{rows:?}");
        }
    }
}

#[test]
fn evaluations_of_no_object_render() {
    let data = ReportData {
        instances: Some(InstanceEvaluation::default()),
        panoptic: Some(PanopticEvaluation::default()),
        ..ReportData::default()
    };
    let html = render(&data).unwrap();
    check_links(&check_well_formed(&html));
    assert_eq!(html.matches("No scores").count(), 2);
    assert!(!html.contains("class=\"tile\""));
}

#[test]
fn the_headline_says_it_in_words() {
    let data = support::full(2, 20).unwrap();
    let evaluation = data.evaluation.as_ref().unwrap();
    let html = render(&data).unwrap();
    assert!(html.contains(&format!("Mean Dice per image {:.3} (95% CI ", evaluation.dice_per_image)));
    assert!(html.contains("on 20 validation images; worst "));
    let html = render(&support::full(5, 3).unwrap()).unwrap();
    assert!(html.contains("Mean IoU ") && html.contains("over 5 classes"));
}

#[test]
fn names_cannot_inject_markup() {
    let html = render(&support::full(2, 12).unwrap()).unwrap();
    assert!(!html.contains("<script"));
    assert!(html.contains("&#60;script&#62;") || html.contains("&lt;script&gt;"));
    let hostile =
        ReportData { title: support::HOSTILE.into(), notes: vec![support::HOSTILE.into()], ..ReportData::default() };
    let html = render(&hostile).unwrap();
    assert!(!html.contains("<script"));
    check_well_formed(&html);
}

#[test]
fn a_minimal_report_leaves_sections_out() {
    let html = render(&ReportData { title: "Nothing yet".into(), ..ReportData::default() }).unwrap();
    let tags = check_well_formed(&html);
    assert!(!tags.iter().any(|tag| tag.starts_with("section") || tag.starts_with("table")));
    assert!(html.contains("<h1>Nothing yet</h1>"));
}

#[test]
fn an_evaluation_of_nothing_renders() {
    let evaluation = Evaluation {
        images: 0,
        classes: Vec::new(),
        mean_iou: f64::NAN,
        dice_per_image: 0.0,
        dice_per_image_ci95: None,
        iou_per_image: 0.0,
        boundary_iou: 0.0,
        dice_pooled: 0.0,
        iou_pooled: 0.0,
        threshold_jaccard: 0.0,
        pixel_accuracy: 0.0,
        per_image: Vec::new(),
        by_diagnosis: std::collections::BTreeMap::new(),
        confusion: Confusion { classes: Vec::new(), counts: Vec::new(), unassigned: Vec::new() },
        conventions: Vec::new(),
        notes: Vec::new(),
    };
    let html = render(&ReportData { evaluation: Some(evaluation), ..ReportData::default() }).unwrap();
    check_well_formed(&html);
    assert!(html.contains("No scores"));
}

#[test]
fn images_are_listed_worst_first() {
    let html = render(&support::full(2, 20).unwrap()).unwrap();
    let rows: Vec<f64> = html
        .lines()
        .filter(|line| line.starts_with("<tr><td class=\"n\">"))
        .filter_map(|line| line.split_once("</i></span>")?.1.split_once('<')?.0.parse().ok())
        .collect();
    assert_eq!(rows.len(), 20);
    assert!(rows.is_sorted());
}

#[test]
fn data_survives_json() {
    let data = support::full(3, 4).unwrap();
    let json = serde_json::to_string(&data).unwrap();
    let back: ReportData = serde_json::from_str(&json).unwrap();
    assert!(back.examples[0].jpeg_base64 == data.examples[0].jpeg_base64);
    assert_eq!((&back.plan, &back.commands, &back.data), (&data.plan, &data.commands, &data.data));
    assert!(render(&back).unwrap() == render(&data).unwrap(), "the same page");
    let data = support::objects::panoptic(3).unwrap();
    let back: ReportData = serde_json::from_str(&serde_json::to_string(&data).unwrap()).unwrap();
    assert!(render(&back).unwrap() == render(&data).unwrap(), "objects and segments too");
    assert!(serde_json::from_str::<ReportData>("{}").unwrap() == ReportData::default());
}

#[test]
fn writing_replaces_in_one_step_and_leaves_no_litter() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.html");
    let data = |title: &str| ReportData { title: title.into(), ..ReportData::default() };
    write(&path, &data("first")).unwrap();
    write(&path, &data("second")).unwrap();
    assert!(std::fs::read_to_string(&path).unwrap().contains("second"));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);

    let error = write(&folder.path().join("missing/report.html"), &data("x")).unwrap_err();
    assert!(error.to_string().contains("missing/report.html"));
    // A folder in the report's place: the rename fails, and the temporary file goes.
    let taken = folder.path().join("taken.html");
    std::fs::create_dir(&taken).unwrap();
    assert!(write(&taken, &data("x")).is_err());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    assert!(write(std::path::Path::new("/"), &data("x")).is_err());
}
