//! The confusion matrix: counts of (true class, predicted class) over all valid pixels.

use serde::{Deserialize, Serialize};
use vibhag_core::error::ErrorKind;
use vibhag_core::{Error, Result};

use crate::counts::Counts;
use crate::functions;

/// Pixel counts by true class (row) and predicted class (column). Mergeable.
///
/// Pixels whose truth is void are left out. A valid pixel whose prediction is void is a miss of its
/// true class and a false alarm of none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfusionMatrix {
    classes: usize,
    counts: Vec<u64>,
    unassigned: Vec<u64>,
}

impl ConfusionMatrix {
    /// An empty matrix of `classes` x `classes`.
    pub fn new(classes: usize) -> Self {
        Self { classes, counts: vec![0; classes * classes], unassigned: vec![0; classes] }
    }

    /// Counts the pixels of one image (or any run of pixels); `ignore` is the void label.
    ///
    /// # Errors
    /// When the lengths differ or a label is neither a class nor void; nothing is counted then.
    pub fn add(&mut self, truth: &[u16], prediction: &[u16], ignore: Option<u16>) -> Result<()> {
        if truth.len() != prediction.len() {
            return Err(Error::new(
                ErrorKind::SizeMismatch,
                format!("truth has {} pixels, prediction has {}", truth.len(), prediction.len()),
            ));
        }
        let k = self.classes;
        // Row k gathers void truth and column k void predictions, which keeps the loop free of counters.
        let side = k + 1;
        let mut joint = vec![0_u64; side * side];
        let slot = |label: u16| if Some(label) == ignore { k } else { usize::from(label) };
        for (index, (&t, &p)) in truth.iter().zip(prediction).enumerate() {
            let (row, column) = (slot(t), slot(p));
            let stray = if row >= k && Some(t) != ignore {
                Some(("truth", t))
            } else if column >= k && Some(p) != ignore {
                Some(("prediction", p))
            } else {
                None
            };
            if let Some((which, label)) = stray {
                return Err(Error::new(
                    ErrorKind::MaskValue,
                    format!("the {which} holds label {label}, but there are {k} classes"),
                )
                .at(format!("pixel {index}"))
                .hint("check the class table and the void label of both masks"));
            }
            joint[row * side + column] += 1;
        }
        for row in 0..k {
            for column in 0..k {
                self.counts[row * k + column] += joint[row * side + column];
            }
            self.unassigned[row] += joint[row * side + k];
        }
        Ok(())
    }

    /// Adds the counts of `other`.
    ///
    /// # Errors
    /// When the numbers of classes differ.
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        if self.classes != other.classes {
            return Err(Error::config(format!(
                "confusion matrices of {} and {} classes cannot be merged",
                self.classes, other.classes
            )));
        }
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine += theirs;
        }
        for (mine, theirs) in self.unassigned.iter_mut().zip(&other.unassigned) {
            *mine += theirs;
        }
        Ok(())
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Pixels of true class `truth` predicted as `prediction`; 0 for classes that do not exist.
    pub fn get(&self, truth: usize, prediction: usize) -> u64 {
        if truth < self.classes && prediction < self.classes {
            self.counts[truth * self.classes + prediction]
        } else {
            0
        }
    }

    /// The rows of the matrix: `rows()[truth][prediction]`.
    pub fn rows(&self) -> Vec<Vec<u64>> {
        self.counts.chunks(self.classes.max(1)).map(<[u64]>::to_vec).collect()
    }

    /// Valid pixels by true class whose prediction is void.
    pub fn unassigned(&self) -> &[u64] {
        &self.unassigned
    }

    /// Number of counted pixels.
    pub fn total(&self) -> u64 {
        self.counts.iter().chain(&self.unassigned).sum()
    }

    /// The counts of `class` against all others.
    pub fn counts(&self, class: usize) -> Counts {
        let true_positive = self.get(class, class);
        let truth = (0..self.classes).map(|other| self.get(class, other)).sum::<u64>()
            + self.unassigned.get(class).copied().unwrap_or(0);
        let predicted = (0..self.classes).map(|other| self.get(other, class)).sum::<u64>();
        Counts {
            true_positive,
            false_positive: predicted - true_positive,
            false_negative: truth - true_positive,
            true_negative: self.total() + true_positive - truth - predicted,
        }
    }

    /// Intersection over union of `class`; 1 when the class is absent from truth and prediction.
    pub fn iou(&self, class: usize) -> f64 {
        functions::iou(self.counts(class))
    }

    /// Dice coefficient of `class`; 1 when the class is absent from truth and prediction.
    pub fn dice(&self, class: usize) -> f64 {
        functions::dice(self.counts(class))
    }

    /// Share of the pixels predicted as `class` that are right.
    pub fn precision(&self, class: usize) -> f64 {
        functions::precision(self.counts(class))
    }

    /// Share of the pixels of `class` that were found.
    pub fn recall(&self, class: usize) -> f64 {
        functions::recall(self.counts(class))
    }

    /// Mean IoU over the classes present in truth or prediction, background included.
    pub fn mean_iou(&self) -> f64 {
        self.mean_over_present(functions::iou)
    }

    /// Mean Dice over the classes present in truth or prediction, background included.
    pub fn mean_dice(&self) -> f64 {
        self.mean_over_present(functions::dice)
    }

    /// Share of the valid pixels with the right class; 1 when there is none.
    pub fn pixel_accuracy(&self) -> f64 {
        match self.total() {
            0 => 1.0,
            total => (0..self.classes).map(|class| self.get(class, class)).sum::<u64>() as f64 / total as f64,
        }
    }

    /// Mean of `metric` over the classes present in truth or prediction; 1 when no class is.
    pub fn mean_over_present(&self, metric: fn(Counts) -> f64) -> f64 {
        let present: Vec<f64> =
            (0..self.classes).map(|class| self.counts(class)).filter(Counts::is_present).map(metric).collect();
        if present.is_empty() { 1.0 } else { functions::mean(present) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn void_truth_is_left_out_and_void_prediction_is_a_miss() {
        let mut matrix = ConfusionMatrix::new(2);
        matrix.add(&[0, 1, 1, 255, 255], &[0, 1, 255, 1, 255], Some(255)).unwrap();
        assert_eq!(matrix.total(), 3);
        assert_eq!(matrix.unassigned(), &[0, 1]);
        assert_eq!(
            matrix.counts(1),
            Counts { true_positive: 1, false_positive: 0, false_negative: 1, true_negative: 1 }
        );
        assert_eq!(matrix.pixel_accuracy(), 2.0 / 3.0);
    }

    #[test]
    fn stray_labels_and_lengths_are_refused_and_leave_no_trace() {
        let mut matrix = ConfusionMatrix::new(2);
        let error = matrix.add(&[0, 7], &[0, 0], Some(255)).unwrap_err().to_string();
        assert!(error.contains("truth holds label 7") && error.contains("pixel 1"), "{error}");
        assert!(matrix.add(&[0, 0], &[0, 255], None).unwrap_err().to_string().contains("prediction holds label 255"));
        assert!(matrix.add(&[0], &[0, 1], None).is_err());
        assert_eq!(matrix, ConfusionMatrix::new(2));
        assert!(matrix.merge(&ConfusionMatrix::new(3)).is_err());
    }

    #[test]
    fn absent_classes_do_not_enter_the_mean() {
        let mut matrix = ConfusionMatrix::new(5);
        matrix.add(&[0, 0, 1, 1], &[0, 0, 1, 2], None).unwrap();
        // Class 2 was predicted only: it counts with 0. Classes 3 and 4 do not exist here.
        assert_eq!(matrix.mean_iou(), (1.0 + 0.5 + 0.0) / 3.0);
        assert_eq!(matrix.iou(4), 1.0);
        assert_eq!(ConfusionMatrix::new(3).mean_iou(), 1.0);
    }
}
