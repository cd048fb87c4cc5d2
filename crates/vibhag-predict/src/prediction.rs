//! The result for one image.

use std::collections::BTreeSet;

use vibhag_core::{ClassTable, LabelMap, Panoptic};

/// The result for one image, at the image's own size.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    /// The class of every pixel.
    pub labels: LabelMap,
    /// Probabilities, row-major, one plane of height x width values per class; for a binary task
    /// one plane, of the foreground. Only when they were asked for.
    pub probabilities: Option<Vec<Vec<f32>>>,
    /// Mean over pixels of the probability of the likelier or likeliest class, 0..=1.
    pub mean_confidence: f32,
    /// The segments, where the model tells objects apart; `labels` are then their classes.
    pub segments: Option<Panoptic>,
}

impl Prediction {
    /// The kept probability planes, each with its class's name made safe for a file name
    /// (letters, digits, `-`, `_`; distinct). Empty when no probabilities were kept.
    pub fn planes(&self, classes: &ClassTable) -> Vec<(String, &[f32])> {
        let Some(planes) = &self.probabilities else { return Vec::new() };
        let first = usize::from(classes.is_binary() && planes.len() == 1);
        let mut taken = BTreeSet::new();
        planes
            .iter()
            .enumerate()
            .map(|(index, plane)| {
                let label = index + first;
                let name = classes.classes.get(label).map_or("", |class| class.name.as_str());
                let mut name = file_safe(name);
                if name.is_empty() || !taken.insert(name.clone()) {
                    name = format!("{name}{label}");
                    while !taken.insert(name.clone()) {
                        name.push('_');
                    }
                }
                (name, plane.as_slice())
            })
            .collect()
    }
}

fn file_safe(name: &str) -> String {
    name.chars().map(|c| if c.is_alphanumeric() || c == '-' || c == '_' { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plane_names_are_distinct_and_stay_in_their_folder() {
        let planes = vec![vec![0.5]; 3];
        let prediction = Prediction {
            labels: LabelMap::filled(1, 1, 0),
            probabilities: Some(planes),
            mean_confidence: 0.5,
            segments: None,
        };
        let table = ClassTable::from_names(["../up", "a b", "a/b"]);
        let names: Vec<String> = prediction.planes(&table).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["___up", "a_b", "a_b2"]);
    }

    #[test]
    fn the_plane_of_a_binary_task_is_the_foreground() {
        let mut prediction = Prediction {
            labels: LabelMap::filled(1, 1, 1),
            probabilities: Some(vec![vec![0.75]]),
            mean_confidence: 0.75,
            segments: None,
        };
        let table = ClassTable::binary("naevus");
        assert_eq!(prediction.planes(&table), [("naevus".to_owned(), [0.75f32].as_slice())]);
        prediction.probabilities = None;
        assert!(prediction.planes(&table).is_empty());
    }
}
