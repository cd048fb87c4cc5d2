//! Writes a report about synthetic data, to look at: `sample OUT.html [CLASSES|instances|panoptic] [SHEET.png]`.

#[path = "../tests/support/mod.rs"]
mod support;

use std::path::Path;

const IMAGES: usize = 24;

fn main() -> vibhag_core::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let out = arguments.next().unwrap_or_else(|| "report.html".to_owned());
    let kind = arguments.next().unwrap_or_default();
    let classes = kind.parse().unwrap_or(2);
    let data = match kind.as_str() {
        "instances" => support::objects::instances(IMAGES)?,
        "panoptic" => support::objects::panoptic(IMAGES)?,
        _ => support::full(classes, IMAGES)?,
    };
    vibhag_report::write(Path::new(&out), &data)?;
    if let Some(sheet) = arguments.next() {
        let png = support::contact_sheet(classes)?.to_png()?;
        std::fs::write(&sheet, png).map_err(|e| vibhag_core::Error::io(&sheet, e))?;
    }
    Ok(())
}
