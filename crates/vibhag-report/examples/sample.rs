//! Writes a report about synthetic data, to look at: `sample OUT.html [SHEET.png]`.

#[path = "../tests/support/mod.rs"]
mod support;

use std::path::Path;

fn main() -> vibhag_core::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let out = arguments.next().unwrap_or_else(|| "report.html".to_owned());
    let (classes, images) = (arguments.next(), 24);
    let classes = classes.and_then(|count| count.parse().ok()).unwrap_or(2);
    vibhag_report::write(Path::new(&out), &support::full(classes, images)?)?;
    if let Some(sheet) = arguments.next() {
        let png = support::contact_sheet(classes)?.to_png()?;
        std::fs::write(&sheet, png).map_err(|e| vibhag_core::Error::io(&sheet, e))?;
    }
    Ok(())
}
