//! The result in one sentence.

use vibhag_metrics::Evaluation;

/// The result in plain words, for the top of the report and the last line on the terminal.
///
/// `split` names the images, such as `validation`.
pub fn headline(evaluation: &Evaluation, split: Option<&str>) -> String {
    let what = split.map_or_else(String::new, |split| format!("{split} "));
    let images = format!("{} {what}image{}", evaluation.images, if evaluation.images == 1 { "" } else { "s" });
    if evaluation.images == 0 {
        return format!("No scores: there were {images} with a truth to compare with.");
    }
    let interval = evaluation
        .dice_per_image_ci95
        .as_ref()
        .map_or_else(String::new, |ci| format!(" (95% CI {:.3} to {:.3})", ci.low, ci.high));
    let lead = if is_binary(evaluation) {
        format!("Mean Dice per image {:.3}{interval} on {images}", evaluation.dice_per_image)
    } else {
        format!(
            "Mean IoU {:.3} over {} classes, mean Dice per image {:.3}{interval}, on {images}",
            evaluation.mean_iou,
            evaluation.classes.len(),
            evaluation.dice_per_image
        )
    };
    match evaluation.per_image.first() {
        Some(worst) => format!("{lead}; worst {:.3} ({}).", worst.dice, worst.image),
        None => format!("{lead}."),
    }
}

/// Background and one foreground class.
pub(crate) fn is_binary(evaluation: &Evaluation) -> bool {
    evaluation.classes.len() == 2
}
