//! The loss of heat maps and part affinity fields, with its gradient, on plain slices: it is a sum over cells, so one pass
//! gives both, on every device alike.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use vibhag_core::{Error, Result};

/// What the maps of people cost: the squared difference to what they should be (Cao et al., "OpenPose", TPAMI 2019, eq. 1
/// and 2), at every stage, but nothing where people are unlabelled.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PoseLoss {
    /// Factor of the error of the heat maps, summed over them, mean over cells.
    pub heat: f64,
    /// Factor of the error of the fields, likewise.
    pub field: f64,
    /// What a cell counts more where its target is 1, and in proportion below: maps are nearly all zeros, which are learnt
    /// first. 0 for the published loss.
    pub positive: f64,
}

impl Default for PoseLoss {
    fn default() -> Self {
        Self { heat: 50.0, field: 5.0, positive: 3.0 }
    }
}

impl PoseLoss {
    /// Checks that the factors are positive numbers.
    ///
    /// # Errors
    /// A configuration error with the value.
    pub fn validate(&self) -> Result<()> {
        for (key, value, good) in [
            ("heat", self.heat, self.heat > 0.0),
            ("field", self.field, self.field > 0.0),
            ("positive", self.positive, self.positive >= 0.0),
        ] {
            if !(good && value.is_finite()) {
                return Err(Error::config(format!("pose.loss.{key} is out of range")).at(value.to_string()));
            }
        }
        Ok(())
    }

    /// The loss, mean over the stages, and its gradient by the maps.
    ///
    /// # Shapes
    /// `maps` is N x (stages x M) x `cells` for the M maps of a stage, of which the first `keypoints` are heat; `targets`
    /// is N x (M + 1) x `cells`, the last plane the weight of each cell. The gradient is like `maps`.
    pub fn value_and_gradient(
        &self,
        maps: &[f32],
        targets: &[f32],
        cells: usize,
        [keypoints, per_stage]: [usize; 2],
    ) -> (f64, Vec<f32>) {
        let planes = per_stage + 1;
        let samples = targets.len() / (planes * cells).max(1);
        let stages = maps.len() / (samples * per_stage * cells).max(1);
        let plane = |sample: usize, plane: usize| &targets[(sample * planes + plane) * cells..][..cells];
        let total: f64 = (0..samples)
            .map(|sample| plane(sample, per_stage).iter().map(|&weight| f64::from(weight)).sum::<f64>())
            .sum();
        let mut gradient = vec![0.0; maps.len()];
        if total == 0.0 || stages == 0 {
            return (0.0, gradient);
        }
        let sums: Vec<f64> = gradient
            .par_chunks_mut(cells)
            .zip(maps.par_chunks(cells))
            .enumerate()
            .map(|(index, (gradient, values))| {
                let (sample, map) = (index / (stages * per_stage), index % per_stage);
                let factor = if map < keypoints { self.heat } else { self.field } / (total * stages as f64);
                let (target, weights) = (plane(sample, map), plane(sample, per_stage));
                let mut sum = 0.0;
                for (((slot, &value), &target), &weight) in gradient.iter_mut().zip(values).zip(target).zip(weights) {
                    let weight = weight * (1.0 + self.positive as f32 * target.abs());
                    let difference = value - target;
                    *slot = 2.0 * factor as f32 * weight * difference;
                    sum += f64::from(weight * difference * difference);
                }
                factor * sum
            })
            .collect();
        (sums.iter().sum(), gradient)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CELLS: usize = 5;

    #[test]
    fn the_gradient_is_that_of_the_value_and_unlabelled_cells_cost_nothing() {
        let pseudo = |count: usize, seed: usize| -> Vec<f32> {
            (0..count).map(|i| ((i * 7919 + seed * 104_729) % 2003) as f32 / 1001.5 - 1.0).collect()
        };
        // Two samples, two stages of three maps, of which one is heat.
        let maps = pseudo(2 * 6 * CELLS, 1);
        let mut targets = pseudo(2 * 4 * CELLS, 2);
        for sample in 0..2 {
            targets[(4 * sample + 3) * CELLS..][..CELLS].copy_from_slice(&[1.0, 1.0, 0.0, 1.0, 1.0]);
        }
        let loss = PoseLoss::default();
        let of = |maps: &[f32]| loss.value_and_gradient(maps, &targets, CELLS, [1, 3]);
        let (value, gradient) = of(&maps);
        assert!(value > 0.0);
        for index in 0..maps.len() {
            let moved = |by: f32| {
                let mut maps = maps.clone();
                maps[index] += by;
                of(&maps).0
            };
            let numeric = (moved(1e-2) - moved(-1e-2)) / 2e-2;
            assert!((numeric - f64::from(gradient[index])).abs() < 1e-2 * (1.0 + numeric.abs()), "{index}: {numeric}");
            assert!(index % CELLS != 2 || gradient[index] == 0.0);
        }
    }

    #[test]
    fn the_value_is_as_computed_by_hand() {
        // One heat map and one field of two cells: errors 0.5 and 0, 1 and 2.
        let loss = PoseLoss { heat: 3.0, field: 2.0, positive: 1.0 };
        let (value, _) = loss.value_and_gradient(&[1.5, 0.0, 1.0, 2.0], &[1.0, 0.0, 0.0, 0.0, 1.0, 1.0], 2, [1, 2]);
        assert!((value - (3.0 * 0.25 + (1.0 + 4.0))).abs() < 1e-6, "{value}");
        let nothing = loss.value_and_gradient(&[1.5, 0.0, 1.0, 2.0], &[0.0; 6], 2, [1, 2]);
        assert_eq!(nothing, (0.0, vec![0.0; 4]));
        assert!(PoseLoss { field: 0.0, ..loss }.validate().unwrap_err().to_string().contains("field"));
        PoseLoss::default().validate().unwrap();
    }
}
