//! What one look tells of annotated people.

use serde::{Deserialize, Serialize};
use vibhag_core::{Pose, Result, Skeleton};
use vibhag_imaging::pose::Turn;

use super::{SampleRecord, sorted};
use crate::dataset::{Dataset, check_people_size, people_hash};
use crate::poses::PoseSet;

/// What is known of one person.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PersonRecord {
    /// Its labelled keypoints.
    pub keypoints: u32,
    /// Longer side of the box around them in pixels; 0 without any.
    pub extent: f32,
    /// Whether it leans by more than 45 degrees, so that quarter turns bring it nearer to upright.
    pub turned: bool,
    /// A group of people that nobody told apart.
    pub crowd: bool,
}

impl PersonRecord {
    /// Whether it is one person with a labelled keypoint.
    pub fn is_labelled(&self) -> bool {
        self.keypoints > 0 && !self.crowd
    }
}

/// The people of a data set together.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PeopleSummary {
    /// Name of the skeleton.
    pub skeleton: String,
    /// Its keypoints.
    pub keypoints: usize,
    /// Its limbs.
    pub limbs: usize,
    /// People with a labelled keypoint.
    pub count: usize,
    /// People without one.
    pub unlabelled: usize,
    /// Groups of people that nobody told apart.
    pub crowds: usize,
    /// Largest number of labelled people in an image.
    pub most_per_image: usize,
    /// Images without a labelled person.
    pub empty_images: usize,
    /// Labelled keypoints.
    pub labelled_keypoints: usize,
    /// Longer side of the box around the keypoints of the median person, in pixels.
    pub median_extent: u32,
    /// The same, below which 95 of 100 people stay.
    pub extent_95: u32,
    /// Labelled people who lean by more than 45 degrees.
    pub turned: usize,
}

/// People with fewer labelled keypoints say nothing of the size of people.
const FEWEST: u32 = 3;

/// Notes the people of sample `index`, whose image is of `size`.
pub(super) fn count_people(
    dataset: &Dataset,
    index: usize,
    size: (usize, usize),
    record: &mut SampleRecord,
) -> Result<()> {
    let people = dataset.read_people(index)?;
    check_people_size(size, &people, &dataset.samples[index].image)?;
    record.mask_hash = people_hash(&people);
    record.class_pixels = vec![0; dataset.classes.len()];
    let skeleton = dataset.poses().map(PoseSet::skeleton);
    let leans =
        |pose: &Pose| skeleton.and_then(|skeleton| Turn::upright(pose, skeleton)).is_some_and(|turn| !turn.is_none());
    record.people = people
        .people
        .iter()
        .map(|person| PersonRecord {
            keypoints: person.pose.present() as u32,
            extent: person.pose.bounds().map_or(0.0, |[.., width, height]| width.max(height) as f32),
            turned: leans(&person.pose),
            crowd: person.crowd,
        })
        .collect();
    record.usable = true;
    Ok(())
}

/// The people of `samples` together.
pub(super) fn summarize_people(skeleton: &Skeleton, samples: &[&SampleRecord]) -> PeopleSummary {
    let all = || samples.iter().flat_map(|record| &record.people);
    let labelled = |record: &SampleRecord| record.people.iter().filter(|person| person.is_labelled()).count();
    let whole = all().filter(|person| person.is_labelled() && person.keypoints >= FEWEST);
    let extents = sorted(whole.map(|person| person.extent as usize));
    let at = |share: f64| {
        let place = ((extents.len() as f64 * share) as usize).min(extents.len().saturating_sub(1));
        extents.get(place).copied().unwrap_or(0) as u32
    };
    PeopleSummary {
        skeleton: skeleton.name.clone(),
        keypoints: skeleton.len(),
        limbs: skeleton.limbs.len(),
        count: samples.iter().map(|record| labelled(record)).sum(),
        unlabelled: all().filter(|person| !person.crowd && person.keypoints == 0).count(),
        crowds: all().filter(|person| person.crowd).count(),
        most_per_image: samples.iter().map(|record| labelled(record)).max().unwrap_or(0),
        empty_images: samples.iter().filter(|record| labelled(record) == 0).count(),
        labelled_keypoints: all().filter(|person| person.is_labelled()).map(|person| person.keypoints as usize).sum(),
        median_extent: at(0.5),
        extent_95: at(0.95),
        turned: all().filter(|person| person.is_labelled() && person.turned).count(),
    }
}
