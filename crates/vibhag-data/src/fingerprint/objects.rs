//! What one look tells of annotated objects.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use vibhag_core::Result;

use super::{SampleRecord, sorted};
use crate::dataset::{Dataset, check_sizes, segments_hash};

/// What is known of one object.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ObjectRecord {
    /// Its class.
    pub class: u16,
    /// Its pixels.
    pub area: u32,
    /// Longer side of its box in pixels.
    pub extent: u32,
    /// Its pixels over those of its convex hull, 0..=1.
    pub solidity: f32,
}

/// The objects of a data set together.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ObjectSummary {
    /// Number of objects.
    pub count: usize,
    /// Median number of objects in an image.
    pub median_per_image: usize,
    /// Largest number of objects in an image.
    pub most_per_image: usize,
    /// Median area in pixels.
    pub median_area: u32,
    /// Longer side of the box that 95 of 100 objects stay below, in pixels.
    pub extent_95: u32,
    /// Longer side of the largest box, in pixels.
    pub extent_max: u32,
    /// Median solidity (pixels over those of the convex hull).
    pub median_solidity: f32,
    /// Share of objects whose solidity is below 0.8.
    pub concave_share: f32,
}

/// Counts the pixels of classes and measures the objects of an annotated sample.
pub(super) fn count_objects(
    dataset: &Dataset,
    index: usize,
    size: (usize, usize),
    record: &mut SampleRecord,
) -> Result<()> {
    let map = dataset.read_segments(index)?;
    check_sizes(size, (map.ids.width(), map.ids.height()), &dataset.samples[index].image)?;
    record.mask_hash = segments_hash(&map);
    record.class_pixels = vec![0; dataset.classes.len()];
    for &label in map.class_map(dataset.classes.nothing()).labels() {
        match record.class_pixels.get_mut(usize::from(label)) {
            Some(pixels) => *pixels += 1,
            None => record.ignored_pixels += 1,
        }
    }
    let objects: BTreeSet<u32> = map.objects(&dataset.classes).collect();
    let regions = vibhag_imaging::regions::measure(&map.ids, None)?;
    record.objects = regions
        .into_iter()
        .filter(|region| objects.contains(&region.id))
        .map(|region| ObjectRecord {
            class: map.segments[region.id as usize - 1].class,
            area: region.area as u32,
            extent: region.bounds[2].max(region.bounds[3]) as u32,
            solidity: region.solidity as f32,
        })
        .collect();
    record.usable = true;
    Ok(())
}

/// The objects of `samples` together.
pub(super) fn summarize_objects(samples: &[&SampleRecord]) -> ObjectSummary {
    let per_image = sorted(samples.iter().map(|record| record.objects.len()));
    let all = || samples.iter().flat_map(|record| &record.objects);
    let areas = sorted(all().map(|object| object.area as usize));
    let extents = sorted(all().map(|object| object.extent as usize));
    let mut solidity: Vec<f32> = all().map(|object| object.solidity).collect();
    solidity.sort_by(f32::total_cmp);
    let at = |values: &[usize], share: f64| {
        values.get(((values.len() as f64 * share) as usize).min(values.len().saturating_sub(1))).copied().unwrap_or(0)
    };
    ObjectSummary {
        count: areas.len(),
        median_per_image: at(&per_image, 0.5),
        most_per_image: at(&per_image, 1.0),
        median_area: at(&areas, 0.5) as u32,
        extent_95: at(&extents, 0.95) as u32,
        extent_max: at(&extents, 1.0) as u32,
        median_solidity: solidity.get(solidity.len() / 2).copied().unwrap_or(0.0),
        concave_share: solidity.partition_point(|&value| value < 0.8) as f32 / solidity.len().max(1) as f32,
    }
}
