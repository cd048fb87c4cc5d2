//! What a run's report shows of objects.

use vibhag_core::{Image, Panoptic};
use vibhag_data::Truth;
use vibhag_metrics::KeypointImageScore;
use vibhag_report::{ObjectExample, Rank, select_examples};

use super::{RunReport, SHOWN};
use crate::scores::Scores;

/// Pictures of the worst, median and best images; one that cannot be made is left out, so that the report does not
/// fail over it.
pub(super) fn examples(run: &RunReport<'_>) -> Vec<ObjectExample> {
    let classes = &run.plan.classes;
    match &run.judged.scores {
        Scores::Semantic(_) => Vec::new(),
        Scores::Instances(found) => chosen(
            run,
            &found.per_image,
            |row| &row.image,
            |row, rank, image, truth, found| ObjectExample::of_instances(row, rank, image, truth, found, classes),
        ),
        Scores::Panoptic(found) => chosen(
            run,
            &found.per_image,
            |row| &row.image,
            |row, rank, image, truth, found| ObjectExample::of_panoptic(row, rank, image, truth, found, classes),
        ),
        Scores::Keypoints(found) => people(run, &found.per_image),
    }
}

fn people(run: &RunReport<'_>, rows: &[KeypointImageScore]) -> Vec<ObjectExample> {
    let (worst, median, best) = SHOWN;
    let Some(poses) = run.dataset.poses() else { return Vec::new() };
    select_examples(rows, worst, median, best)
        .into_iter()
        .filter_map(|(rank, row)| {
            let index = *run.judged.index.get(&row.image)?;
            let Truth::People(found) = run.judged.kept.get(&index)? else { return None };
            let found: Vec<_> = found.people.iter().map(|person| person.pose.clone()).collect();
            let drawn = run.dataset.load_people(index).and_then(|(image, truth)| {
                ObjectExample::of_people(row, rank, &image, &truth.people, &found, poses.skeleton())
            });
            drawn.map_err(|error| tracing::warn!("no picture of {}: {error}", row.image)).ok()
        })
        .collect()
}

fn chosen<T>(
    run: &RunReport<'_>,
    rows: &[T],
    name: impl Fn(&T) -> &str,
    draw: impl Fn(&T, Rank, &Image, &Panoptic, &Panoptic) -> vibhag_core::Result<ObjectExample>,
) -> Vec<ObjectExample> {
    let (worst, median, best) = SHOWN;
    select_examples(rows, worst, median, best)
        .into_iter()
        .filter_map(|(rank, row)| {
            let index = *run.judged.index.get(name(row))?;
            let Truth::Segments(found) = run.judged.kept.get(&index)? else { return None };
            let drawn =
                run.dataset.load_segments(index).and_then(|(image, truth)| draw(row, rank, &image, &truth, found));
            drawn.map_err(|error| tracing::warn!("no picture of {}: {error}", name(row))).ok()
        })
        .collect()
}
