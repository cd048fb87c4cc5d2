//! Results as text for people.

use std::io::Write;
use std::path::Path;

use serde_json::json;
use vibhag::bench::BenchResult;
use vibhag::convert::ConvertResult;
use vibhag::cutout::Row as CutoutRow;
use vibhag::demo::DemoResult;
use vibhag::doctor::Diagnosis;
use vibhag::models::Row as ModelRow;
use vibhag::people::Row as PeopleRow;
use vibhag::pose::Row as PoseRow;
use vibhag::predict::Row;
use vibhag::run::TrainResult;
use vibhag::scores::Scores;
use vibhag::synth::SynthResult;
use vibhag_metrics::{Evaluation, InstanceEvaluation, KeypointEvaluation, PanopticEvaluation};

/// One line to standard output; a closed pipe comes back as an error instead of a panic.
pub(crate) fn line(text: &str) -> anyhow::Result<()> {
    writeln!(std::io::stdout().lock(), "{text}")?;
    Ok(())
}

pub(crate) fn doctor(found: &Diagnosis) -> anyhow::Result<()> {
    line(&format!("{}: format {}", found.path.display(), found.format))?;
    line(&format!("masks: {}", found.masks))?;
    line(&format!("samples: {} usable of {}, {} channels", found.usable, found.samples, found.channels))?;
    for (what, counts) in [("split", &found.splits), ("diagnosis", &found.diagnoses)] {
        for (name, count) in counts {
            line(&format!("  {what} {name}: {count}"))?;
        }
    }
    let sizes: Vec<String> = found.sizes.iter().take(5).map(|(size, n)| format!("{size} ({n})")).collect();
    let more = if found.sizes.len() > 5 { format!(" and {} more", found.sizes.len() - 5) } else { String::new() };
    line(&format!("sizes: {}{more}", sizes.join(", ")))?;
    let classes: &[vibhag::doctor::ClassRow] = if found.people.is_some() { &[] } else { &found.classes };
    if !classes.is_empty() {
        line(&format!("{:<20} {:>10} {:>8}", "class", "pixels", "images"))?;
    }
    for class in classes {
        line(&format!("{:<20} {:>8.2} % {:>8}", class.name, 100.0 * class.share, class.images))?;
    }
    if let Some(objects) = &found.objects {
        line(&format!(
            "objects: {}, {} in the median image (at most {}), median area {} pixels, largest {} pixels long",
            objects.count, objects.median_per_image, objects.most_per_image, objects.median_area, objects.extent_max
        ))?;
    }
    if let Some(people) = &found.people {
        line(&format!(
            "people: {} with {} labelled keypoints of {} ({} keypoints, {} limbs), at most {} in an image, {} images without",
            people.count,
            people.labelled_keypoints,
            people.skeleton,
            people.keypoints,
            people.limbs,
            people.most_per_image,
            people.empty_images
        ))?;
        line(&format!(
            "  {} people without labels, {} crowds; the median person is {} pixels long, 95 of 100 stay below {}",
            people.unlabelled, people.crowds, people.median_extent, people.extent_95
        ))?;
    }
    for group in &found.duplicates {
        line(&format!("identical images: {}", group.join(", ")))?;
    }
    for note in &found.notes {
        line(&format!("note: {note}"))?;
    }
    for fault in &found.faults {
        line(&format!("fault: {fault}"))?;
    }
    line(if found.faults.is_empty() { "no faults found" } else { "train leaves faulty samples out with --skip-bad" })
}

pub(crate) fn scores(found: &Scores) -> anyhow::Result<()> {
    match found {
        Scores::Semantic(found) => evaluation(found),
        Scores::Instances(found) => instances(found),
        Scores::Panoptic(found) => panoptic(found),
        Scores::Keypoints(found) => keypoints(found),
    }
}

fn keypoints(found: &KeypointEvaluation) -> anyhow::Result<()> {
    let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"));
    line(&format!("images {}, people {}, predicted {}", found.images, found.people_truth, found.people_predicted))?;
    line(&format!(
        "by OKS: AP {}, AP50 {}, AP75 {}, AR {}, mean {}",
        number(found.ap),
        number(found.ap50),
        number(found.ap75),
        number(found.ar),
        number(found.mean_oks)
    ))?;
    let interval = found.pck_ci95.as_ref();
    let interval = interval.map_or_else(String::new, |ci| format!(" (95% CI {:.4} to {:.4})", ci.low, ci.high));
    line(&format!("PCK@0.2 of the {}: {}{interval}", found.pck_reference.name(), number(found.pck)))?;
    line(&format!("{:<20} {:>8} {:>8} {:>8} {:>8}", "keypoint", "PCK@0.2", "error", "labelled", "found"))?;
    for joint in &found.joints {
        line(&format!(
            "{:<20} {:>8} {:>8} {:>8} {:>8}",
            joint.name,
            number(joint.pck),
            number(joint.mean_error),
            joint.labelled,
            joint.found
        ))?;
    }
    for note in &found.notes {
        line(&format!("note: {note}"))?;
    }
    for worst in found.per_image.iter().take(3) {
        line(&format!("worst: {} OKS {:.4}, PCK@0.2 {}", worst.image, worst.oks, number(worst.pck)))?;
    }
    Ok(())
}

fn instances(found: &InstanceEvaluation) -> anyhow::Result<()> {
    line(&format!("images {}, objects {}, predicted {}", found.images, found.objects_truth, found.objects_predicted))?;
    line("AP of the Data Science Bowl, TP / (TP + FP + FN), pooled over images, by IoU:")?;
    let row = |values: Vec<String>| values.join(" ");
    line(&format!("  {}", row(found.ap_dsb.keys().map(|iou| format!("{iou:>6}")).collect())))?;
    line(&format!("  {}", row(found.ap_dsb.values().map(|ap| format!("{ap:>6.4}")).collect())))?;
    line(&format!("  mean {:.4}", found.ap_dsb_mean))?;
    let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"));
    line(&format!("COCO AP {}, AP50 {}, AP75 {}", number(found.ap), number(found.ap50), number(found.ap75)))?;
    line(&format!(
        "precision {:.4}, recall {:.4}, F1 {:.4} at IoU 0.5",
        found.precision50, found.recall50, found.f1_50
    ))?;
    line(&format!(
        "count: off by {:.2} objects an image, {} (bias {:+.2})",
        found.count_mae,
        found.count_error.map_or_else(|| "no image has objects".to_owned(), |error| format!("{:.1} %", 100.0 * error)),
        found.count_bias
    ))?;
    for note in &found.notes {
        line(&format!("note: {note}"))?;
    }
    for worst in found.per_image.iter().take(3) {
        line(&format!(
            "worst: {} AP50 {:.4}, {} of {} found, {} false",
            worst.image, worst.ap50, worst.tp, worst.objects_truth, worst.fp
        ))?;
    }
    Ok(())
}

fn panoptic(found: &PanopticEvaluation) -> anyhow::Result<()> {
    line(&format!("images {}", found.images))?;
    line(&format!("{:<20} {:>7} {:>7} {:>7}", "", "PQ", "SQ", "RQ"))?;
    let row = |name: &str, pq: f64, sq: f64, rq: f64| line(&format!("{name:<20} {pq:>7.4} {sq:>7.4} {rq:>7.4}"));
    row("all", found.pq, found.sq, found.rq)?;
    row("things", found.things.pq, found.things.sq, found.things.rq)?;
    row("stuff", found.stuff.pq, found.stuff.sq, found.stuff.rq)?;
    for class in &found.classes {
        row(&class.name, class.pq, class.sq, class.rq)?;
    }
    line(&format!("mean IoU {:.4}", found.mean_iou))?;
    for note in &found.notes {
        line(&format!("note: {note}"))?;
    }
    for worst in found.per_image.iter().take(3) {
        line(&format!("worst: {} PQ {:.4}", worst.image, worst.pq))?;
    }
    Ok(())
}

fn evaluation(found: &Evaluation) -> anyhow::Result<()> {
    let interval = found
        .dice_per_image_ci95
        .as_ref()
        .map_or_else(String::new, |ci| format!(" (95% CI {:.4} to {:.4})", ci.low, ci.high));
    line(&format!("images {}", found.images))?;
    line(&format!("Dice per image  {:.4}{interval}", found.dice_per_image))?;
    line(&format!("IoU per image   {:.4}", found.iou_per_image))?;
    line(&format!("boundary IoU    {:.4}", found.boundary_iou))?;
    line(&format!("Dice pooled     {:.4}", found.dice_pooled))?;
    line(&format!("IoU pooled      {:.4}", found.iou_pooled))?;
    line(&format!("mean IoU        {:.4}", found.mean_iou))?;
    line(&format!("Jaccard >= 0.65 {:.4}", found.threshold_jaccard))?;
    line(&format!("pixel accuracy  {:.4}", found.pixel_accuracy))?;
    line(&format!("{:<20} {:>7} {:>7} {:>9} {:>7}", "class", "IoU", "Dice", "precision", "recall"))?;
    for class in &found.classes {
        line(&format!(
            "{:<20} {:>7.4} {:>7.4} {:>9.4} {:>7.4}",
            class.name, class.iou, class.dice, class.precision, class.recall
        ))?;
    }
    for (diagnosis, group) in &found.by_diagnosis {
        line(&format!(
            "{diagnosis}: {} images, Dice {:.4}, IoU {:.4}",
            group.images, group.dice_per_image, group.iou_per_image
        ))?;
    }
    for note in &found.notes {
        line(&format!("note: {note}"))?;
    }
    for worst in found.per_image.iter().take(3) {
        line(&format!("worst: {} Dice {:.4}", worst.image, worst.dice))?;
    }
    Ok(())
}

pub(crate) fn train(result: &TrainResult) -> anyhow::Result<()> {
    line(match result.judged_on {
        "test" => "scored on the test images, which played no part in training",
        _ => "scored on the validation images, which also chose the weights that are kept",
    })?;
    scores(&result.scores)?;
    for fault in &result.skipped {
        line(&format!("left out: {fault}"))?;
    }
    line(&format!(
        "{} steps in {:.1} min, ended because {}",
        result.outcome.steps,
        result.outcome.seconds / 60.0,
        result.outcome.reason
    ))?;
    line(&format!("model:  {}", result.outcome.model.display()))?;
    line(&format!("report: {}", result.report.display()))
}

pub(crate) fn train_json(result: &TrainResult) -> serde_json::Value {
    json!({
        "model": result.outcome.model,
        "report": result.report,
        "steps": result.outcome.steps,
        "seconds": result.outcome.seconds,
        "best_val_score": result.outcome.best,
        "best_step": result.outcome.best_step,
        "ended": result.outcome.reason,
        "evaluation": result.scores,
        "judged_on": result.judged_on,
        "skipped": result.skipped,
    })
}

pub(crate) fn demo(result: &DemoResult) -> anyhow::Result<()> {
    train(&result.trained)?;
    line(&format!("predictions: {}", result.folder.join("predictions").display()))?;
    line(&format!("open the report: {}", result.trained.report.display()))
}

pub(crate) fn demo_json(result: &DemoResult) -> serde_json::Value {
    json!({ "doctor": result.diagnosis, "train": train_json(&result.trained), "predictions": result.predictions })
}

pub(crate) fn predict(rows: &[Row], out: &Path) -> anyhow::Result<()> {
    for row in rows {
        match (&row.error, row.size) {
            (Some(error), _) => line(&format!("failed: {error}"))?,
            (None, Some([width, height])) => {
                let shares: Vec<String> = row
                    .classes
                    .iter()
                    .skip(1)
                    .map(|class| format!("{} {:.1} %", class.name, 100.0 * class.share))
                    .collect();
                line(&format!(
                    "{}: {width}x{height}, {} ({:.2} s)",
                    row.image.display(),
                    shares.join(", "),
                    row.seconds
                ))?;
            }
            (None, None) => {}
        }
    }
    let failed = rows.iter().filter(|row| row.error.is_some()).count();
    line(&format!("{} images, {failed} failed; output in {}", rows.len(), out.display()))
}

pub(crate) fn cutout(rows: &[CutoutRow]) -> anyhow::Result<()> {
    for row in rows {
        if let Some(error) = &row.error {
            line(&format!("failed: {error}"))?;
            continue;
        }
        let frames = match (row.frames, row.frames_per_second) {
            (Some(frames), Some(speed)) => format!(", {frames} frames at {speed:.1} a second"),
            _ => String::new(),
        };
        let output = row.output.as_deref().unwrap_or(Path::new("-")).display();
        let share = 100.0 * row.share.unwrap_or_default();
        line(&format!("{} -> {output}: foreground {share:.1} %{frames} ({:.2} s)", row.input, row.seconds))?;
        for note in row.damage.iter().chain(&row.notes) {
            line(&format!("note: {note}"))?;
        }
    }
    let failed = rows.iter().filter(|row| row.error.is_some()).count();
    line(&format!("{} inputs, {failed} failed", rows.len()))
}

pub(crate) fn pose(rows: &[PoseRow], out: &Path) -> anyhow::Result<()> {
    for row in rows {
        if let Some(error) = &row.error {
            line(&format!("failed: {error}"))?;
            continue;
        }
        let found = match (&row.people, row.frames, row.frames_per_second) {
            (Some(people), ..) => {
                let scores: Vec<String> = people.iter().map(|pose| format!("{:.2}", pose.score)).collect();
                let scores = if scores.is_empty() { String::new() } else { format!(", scores {}", scores.join(" ")) };
                format!("{} people{scores}", people.len())
            }
            (None, Some(frames), Some(speed)) => format!(
                "{frames} frames at {speed:.1} a second, {} people at most in one, {} in all",
                row.most_people.unwrap_or_default(),
                row.different_people.unwrap_or_default()
            ),
            _ => continue,
        };
        line(&format!("{}: {found} ({:.2} s)", row.input, row.seconds))?;
        if let Some(damage) = &row.damage {
            line(&format!("note: {damage}"))?;
        }
    }
    let failed = rows.iter().filter(|row| row.error.is_some()).count();
    line(&format!("{} inputs, {failed} failed; output in {}", rows.len(), out.display()))
}

pub(crate) fn people(rows: &[PeopleRow], out: &Path) -> anyhow::Result<()> {
    for row in rows {
        if let Some(error) = &row.error {
            line(&format!("failed: {error}"))?;
        }
        let Some(found) = &row.found else { continue };
        let with_skeleton = found.people.iter().filter(|person| person.skeleton.is_some()).count();
        let pixels = (found.width * found.height).max(1) as f64;
        let share = 100.0 * found.people.iter().map(|person| person.area as f64).sum::<f64>() / pixels;
        line(&format!(
            "{}: {} people, {with_skeleton} with a skeleton, {share:.1} % of the photo ({:.2} s)",
            row.input,
            found.people.len(),
            row.seconds
        ))?;
    }
    let failed = rows.iter().filter(|row| row.error.is_some()).count();
    line(&format!("{} photos, {failed} failed; output in {}", rows.len(), out.display()))
}

pub(crate) fn convert(result: &ConvertResult) -> anyhow::Result<()> {
    line(&format!("{} to {}: {} images, {} annotations", result.from, result.to, result.images, result.annotations))?;
    let lists = [("fault", &result.faults), ("lost", &result.losses), ("failed", &result.failed)];
    for (what, rows) in lists {
        for row in rows {
            line(&format!("{what}: {row}"))?;
        }
    }
    let back = &result.round_trip;
    let worst = match &back.worst {
        Some(worst) if back.min_iou < 1.0 => format!(", smallest {:.4} at {worst}", back.min_iou),
        _ => String::new(),
    };
    line(&format!(
        "read back: {} annotations, {} missing, mean IoU {:.4}{worst}",
        back.annotations, back.missing, back.mean_iou
    ))
}

pub(crate) fn synth(result: &SynthResult) -> anyhow::Result<()> {
    for loss in &result.losses {
        line(&format!("lost: {loss}"))?;
    }
    line(&format!("{} scenes, {} segments in {}", result.images, result.annotations, result.folder.display()))
}

pub(crate) fn models(rows: &[ModelRow]) -> anyhow::Result<()> {
    for row in rows {
        let parameters = row.parameters.map_or_else(String::new, |n| format!(", {:.1} M parameters", n as f64 / 1e6));
        let weights = row.weights.as_ref().map_or_else(String::new, |w| format!("\n{:13}weights: {w}", ""));
        line(&format!(
            "{:<12} {:<20} {}{parameters}\n{:13}{}{weights}",
            row.kind, row.name, row.summary, "", row.paper
        ))?;
    }
    Ok(())
}

pub(crate) fn bench(result: &BenchResult) -> anyhow::Result<()> {
    let memory = result.peak_rss_mib.map_or_else(|| "unknown".to_owned(), |mib| format!("{mib} MiB"));
    line(&format!(
        "{} {} {}x{}x{}: median {:.4} s, min {:.4} s, peak RSS {memory}, {} threads, {}",
        result.mode,
        result.network,
        result.batch,
        result.size[0],
        result.size[1],
        result.median_s,
        result.min_s,
        result.threads,
        result.device
    ))
}

pub(crate) fn failures(failed: &[(String, String)]) {
    for (name, why) in failed {
        eprintln!("failed: {name}: {why}");
    }
}
