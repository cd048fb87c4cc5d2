//! Turns rows of probabilities into labels as soon as they are final.

use rayon::prelude::*;
use vibhag_core::{LabelMap, Result};

use crate::prediction::Prediction;
use vibhag_imaging::objects::ObjectMaps;

/// Rows that are decided at once: enough for every core, little against an image.
const BAND: usize = 32;

/// Collects a prediction row by row; holds no float plane unless probabilities are kept.
pub(crate) struct Sink {
    width: usize,
    height: usize,
    planes: usize,
    threshold: f32,
    labels: Vec<u16>,
    kept: Option<Vec<Vec<f32>>>,
    confidence: f64,
    objects: Option<ObjectMaps>,
}

impl Sink {
    /// For an image of `width` x `height` and `planes` probability planes (1: binary).
    pub(crate) fn new(width: usize, height: usize, planes: usize, threshold: f32, keep: bool) -> Self {
        let kept = keep.then(|| (0..planes).map(|_| Vec::with_capacity(width * height)).collect());
        let labels = Vec::with_capacity(width * height);
        Self { width, height, planes, threshold, labels, kept, confidence: 0.0, objects: None }
    }

    /// The same sink, which also collects the maps that follow the probability planes.
    #[must_use]
    pub(crate) fn with_objects(mut self, objects: ObjectMaps) -> Self {
        self.objects = Some(objects);
        self
    }

    /// Planes of a row: probabilities, then maps.
    fn row_planes(&self) -> usize {
        self.objects.as_ref().map_or(self.planes, ObjectMaps::planes)
    }

    /// Takes the next `count` rows. `fill(row, values)` writes the probabilities of image row
    /// `row` and its maps into `values` (planes x width); rows may be filled in any order, in parallel.
    pub(crate) fn push(&mut self, count: usize, fill: impl Fn(usize, &mut [f32]) + Sync) {
        let row_len = self.row_planes() * self.width;
        let class_len = self.planes * self.width;
        let first = self.labels.len() / self.width;
        let end = (first + count).min(self.height);
        let mut band = vec![0.0; BAND.min(count) * row_len];
        for start in (first..end).step_by(BAND) {
            let rows = BAND.min(end - start);
            let band = &mut band[..rows * row_len];
            self.labels.resize((start + rows) * self.width, 0);
            let labels = &mut self.labels[start * self.width..];
            let (width, threshold) = (self.width, self.threshold);
            let sums: Vec<f64> = band
                .par_chunks_exact_mut(row_len)
                .zip(labels.par_chunks_exact_mut(width))
                .enumerate()
                .map(|(row, (values, labels))| {
                    fill(start + row, values);
                    decide(&values[..class_len], threshold, labels)
                })
                .collect();
            // Added in row order, so that the sum does not depend on the threads.
            self.confidence += sums.iter().sum::<f64>();
            if let Some(kept) = &mut self.kept {
                for row in band.chunks_exact(row_len) {
                    let row = &row[..class_len];
                    for (plane, values) in kept.iter_mut().zip(row.chunks_exact(width)) {
                        plane.extend_from_slice(values);
                    }
                }
            }
            if let Some(objects) = &mut self.objects {
                band.chunks_exact(row_len).for_each(|row| objects.push_row(row));
            }
        }
    }

    /// The collected maps and the prediction of the classes, once every row was pushed.
    pub(crate) fn into_maps(mut self) -> Result<(Prediction, Option<ObjectMaps>)> {
        let objects = self.objects.take();
        Ok((self.finish()?, objects))
    }

    /// The prediction of the classes, once every row was pushed.
    pub(crate) fn finish(self) -> Result<Prediction> {
        let mean_confidence = (self.confidence / self.labels.len().max(1) as f64) as f32;
        let labels = LabelMap::new(self.width, self.height, self.labels)?;
        Ok(Prediction { labels, probabilities: self.kept, mean_confidence, segments: None })
    }
}

/// Labels of one row (`values`: planes x width) and the sum of their confidences.
fn decide(values: &[f32], threshold: f32, labels: &mut [u16]) -> f64 {
    let width = labels.len();
    let mut confidence = 0.0;
    if values.len() == width {
        for (label, &p) in labels.iter_mut().zip(values) {
            *label = u16::from(p >= threshold);
            confidence += f64::from(p.max(1.0 - p));
        }
        return confidence;
    }
    for (x, label) in labels.iter_mut().enumerate() {
        let mut best = values[x];
        for (class, plane) in values.chunks_exact(width).enumerate().skip(1) {
            if plane[x] > best {
                best = plane[x];
                *label = class as u16;
            }
        }
        confidence += f64::from(best);
    }
    confidence
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_equal_classes_wins_and_confidence_is_the_mean_maximum() {
        let mut sink = Sink::new(2, 1, 3, 0.5, true);
        sink.push(1, |_, values| values.copy_from_slice(&[0.4, 0.1, 0.4, 0.2, 0.2, 0.7]));
        let prediction = sink.finish().unwrap();
        assert_eq!(prediction.labels.labels(), &[0, 2]);
        assert!((prediction.mean_confidence - 0.55).abs() < 1e-6);
        assert_eq!(prediction.probabilities.unwrap(), vec![vec![0.4, 0.1], vec![0.4, 0.2], vec![0.2, 0.7]]);
    }

    #[test]
    fn the_threshold_itself_is_foreground() {
        let mut sink = Sink::new(3, 1, 1, 0.3, false);
        sink.push(1, |_, values| values.copy_from_slice(&[0.29, 0.3, f32::NAN]));
        let prediction = sink.finish().unwrap();
        assert_eq!(prediction.labels.labels(), &[0, 1, 0]);
        assert!(prediction.probabilities.is_none());
    }

    #[test]
    fn rows_arrive_in_order_over_any_number_of_pushes() {
        let mut sink = Sink::new(1, 100, 1, 0.5, true);
        for count in [1, 40, 59, 7] {
            sink.push(count, |row, values| values[0] = row as f32 / 100.0);
        }
        let prediction = sink.finish().unwrap();
        assert_eq!(prediction.probabilities.unwrap()[0], (0..100).map(|i| i as f32 / 100.0).collect::<Vec<_>>());
        assert_eq!(prediction.labels.labels().iter().filter(|&&l| l == 1).count(), 50);
    }
}
