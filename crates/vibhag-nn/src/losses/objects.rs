//! The loss of the maps that tell objects apart, with its gradient, on plain slices: it is a sum over pixels, so one
//! pass gives both, on every device alike.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use vibhag_core::{Error, Head, LENGTH_UNIT, RAYS, Result};

/// The target plane of a center head that tells small objects.
const SMALL_PLANE: usize = 5;
/// The target plane of a flow head that weighs pixels.
const FLOW_WEIGHT_PLANE: usize = 2;
/// Flows are learnt at this multiple of a unit vector (Cellpose).
const FLOW_SCALE: f32 = 5.0;

/// What the maps of a head cost; in files `kind` names it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum ObjectLoss {
    /// Panoptic-DeepLab (Cheng et al., CVPR 2020): mean squared error of the heat, mean absolute error of the offsets.
    Center {
        /// Factor of the heat's error.
        heat: f64,
        /// Factor of the offsets' error (pixels).
        offset: f64,
        /// What the cross-entropy of the classes counts more on small objects: 2 makes their pixels count three times.
        small: f64,
    },
    /// StarDist (Schmidt et al., MICCAI 2018): binary cross-entropy of the object probability, mean absolute error of
    /// the distances, weighted by that probability.
    Star {
        /// Factor of the probability's cross-entropy.
        probability: f64,
        /// Factor of the distances' error (pixels).
        distance: f64,
    },
    /// Cellpose (Stringer et al., Nature Methods 2021): mean squared error of the flow times five.
    Flow {
        /// Factor of the flow's error.
        flow: f64,
        /// What the cross-entropy of the classes counts more on small objects, for each unit that the target weighs them
        /// above others.
        #[serde(default = "one")]
        small: f64,
    },
}

impl ObjectLoss {
    /// The published weights of a head, but twice the flow's; none for classes alone.
    pub fn of(head: Head) -> Option<Self> {
        match head {
            Head::Semantic | Head::Pose => None,
            Head::Center => Some(Self::Center { heat: 200.0, offset: 0.01, small: 2.0 }),
            Head::Star => Some(Self::Star { probability: 1.0, distance: 0.2 }),
            Head::Flow => Some(Self::Flow { flow: 1.0, small: 1.0 }),
        }
    }

    /// The head that it is for.
    pub fn head(&self) -> Head {
        match self {
            Self::Center { .. } => Head::Center,
            Self::Star { .. } => Head::Star,
            Self::Flow { .. } => Head::Flow,
        }
    }

    /// Checks that the factors are positive numbers.
    ///
    /// # Errors
    /// A configuration error with the value.
    pub fn validate(&self) -> Result<()> {
        let factors = match *self {
            Self::Center { heat, offset, small } => vec![heat, offset, small],
            Self::Star { probability, distance } => vec![probability, distance],
            Self::Flow { flow, small } => vec![flow, small],
        };
        match factors.iter().find(|factor| !(**factor > 0.0 && factor.is_finite())) {
            None => Ok(()),
            Some(factor) => Err(Error::config(format!(
                "the factor {factor} of the {} head's loss is not a positive number",
                self.head()
            ))),
        }
    }

    /// The loss and its gradient by the maps.
    ///
    /// # Shapes
    /// `maps` is N x [`Head::maps`] x `pixels`, `targets` N x [`Head::target_planes`] x `pixels`; the gradient is like
    /// `maps`.
    pub fn value_and_gradient(&self, maps: &[f32], targets: &[f32], pixels: usize) -> (f64, Vec<f32>) {
        let mut gradient = vec![0.0; maps.len()];
        let head = self.head();
        let samples = Samples { maps, targets, head, pixels };
        let value = match *self {
            Self::Center { heat, offset, .. } => {
                let heat = samples.add(&mut gradient, &[(0, 0)], Weight::Plane(3), heat, |y, t| squared(y - t));
                heat + samples.add(&mut gradient, &[(1, 1), (2, 2)], Weight::Plane(4), 2.0 * offset, length)
            }
            Self::Star { probability, distance } => {
                let weight = 1 + RAYS;
                let rays: Vec<(usize, usize)> = (1..=RAYS).map(|ray| (ray, ray)).collect();
                let found = samples.add(&mut gradient, &[(0, 0)], Weight::Plane(weight), probability, cross_entropy);
                found + samples.add(&mut gradient, &rays, Weight::Product(0, weight, 1), distance, length)
            }
            Self::Flow { flow, .. } => {
                let term = |y: f32, t: f32| squared(y - FLOW_SCALE * t);
                samples.add(&mut gradient, &[(0, 0), (1, 1)], Weight::Plane(FLOW_WEIGHT_PLANE), flow, term)
            }
        };
        (value, gradient)
    }
}

impl ObjectLoss {
    /// What this head adds to the loss of the classes, with its gradient by the logits; none of most heads.
    ///
    /// # Shapes
    /// `logits` is N x C x `pixels` (C is 1 for a binary task), `labels` N x `pixels`, `targets` as in
    /// [`Self::value_and_gradient`].
    pub fn class_extra(
        &self,
        logits: &[f32],
        labels: &[u16],
        targets: &[f32],
        pixels: usize,
    ) -> Option<(f64, Vec<f32>)> {
        let (small, plane, usual) = match *self {
            Self::Center { small, .. } => (small, SMALL_PLANE, 0.0),
            Self::Flow { small, .. } => (small, FLOW_WEIGHT_PLANE, 1.0),
            Self::Star { .. } => return None,
        };
        let (planes, samples) = (self.head().target_planes(), labels.len() / pixels.max(1));
        let classes = logits.len() / labels.len().max(1);
        let mut gradient = vec![0.0; logits.len()];
        // Over all pixels, as the loss of the classes is: small objects count more, not as much as all the rest.
        let scale = small / labels.len().max(1) as f64;
        let sums: Vec<f64> = gradient
            .par_chunks_mut((classes * pixels).max(1))
            .take(samples)
            .enumerate()
            .map(|(sample, gradient)| {
                let logits = &logits[sample * classes * pixels..][..classes * pixels];
                let weights = &targets[(sample * planes + plane) * pixels..][..pixels];
                let labels = &labels[sample * pixels..][..pixels];
                let mut sum = 0.0;
                for (pixel, (&weight, &label)) in weights.iter().zip(labels).enumerate() {
                    let weight = weight - usual;
                    if weight > 0.0 && usize::from(label) < classes.max(2) {
                        sum += f64::from(softmax_error(logits, pixel, pixels, label, scale as f32 * weight, gradient))
                            * f64::from(weight);
                    }
                }
                sum
            })
            .collect();
        Some((scale * sums.iter().sum::<f64>(), gradient))
    }
}

/// Cross-entropy of one pixel; its gradient, times `scale`, goes into `gradient`.
fn softmax_error(logits: &[f32], pixel: usize, pixels: usize, label: u16, scale: f32, gradient: &mut [f32]) -> f32 {
    if logits.len() == pixels {
        let (value, derivative) = cross_entropy(logits[pixel], f32::from(label));
        gradient[pixel] = scale * derivative;
        return value;
    }
    let own = || logits.iter().skip(pixel).step_by(pixels);
    let largest = own().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f32 = own().map(|z| (z - largest).exp()).sum();
    for (class, &z) in own().enumerate() {
        let truth = f32::from(u8::from(class == usize::from(label)));
        gradient[class * pixels + pixel] = scale * ((z - largest).exp() / sum - truth);
    }
    sum.ln() + largest - logits[usize::from(label) * pixels + pixel]
}

fn one() -> f64 {
    1.0
}

/// Which target planes weigh a pixel.
#[derive(Clone, Copy)]
enum Weight {
    /// One plane.
    Plane(usize),
    /// The product of two planes, at pixels where a third plane is not negative.
    Product(usize, usize, usize),
}

/// A batch of maps with their targets.
struct Samples<'a> {
    maps: &'a [f32],
    targets: &'a [f32],
    head: Head,
    pixels: usize,
}

impl Samples<'_> {
    /// Adds a term: the weighted mean over pixels and `planes` (map, target) of `term(map, target)` = (value,
    /// derivative), times `factor`. Its gradient goes into `gradient`.
    fn add(
        &self,
        gradient: &mut [f32],
        planes: &[(usize, usize)],
        weight: Weight,
        factor: f64,
        term: impl Fn(f32, f32) -> (f32, f32) + Sync,
    ) -> f64 {
        let total = self.total(weight) * planes.len() as f64;
        if total == 0.0 {
            return 0.0;
        }
        let (scale, maps) = ((factor / total) as f32, self.head.maps());
        let sums: Vec<f64> = gradient
            .par_chunks_mut(self.pixels)
            .enumerate()
            .map(|(index, gradient)| {
                let (sample, map) = (index / maps, index % maps);
                let Some(&(_, target)) = planes.iter().find(|(own, _)| *own == map) else { return 0.0 };
                let values = &self.maps[index * self.pixels..][..self.pixels];
                let pairs = values.iter().zip(self.target(sample, target));
                let mut sum = 0.0;
                for ((slot, (&y, &t)), w) in gradient.iter_mut().zip(pairs).zip(self.weights(sample, weight)) {
                    if w > 0.0 {
                        let (value, derivative) = term(y, t);
                        *slot = scale * w * derivative;
                        sum += f64::from(w * value);
                    }
                }
                sum
            })
            .collect();
        sums.iter().sum::<f64>() * factor / total
    }

    fn target(&self, sample: usize, plane: usize) -> &[f32] {
        &self.targets[(sample * self.head.target_planes() + plane) * self.pixels..][..self.pixels]
    }

    /// The weight of each pixel of a sample.
    fn weights(&self, sample: usize, weight: Weight) -> impl Iterator<Item = f32> + '_ {
        let (first, second, known) = match weight {
            Weight::Plane(plane) => (plane, None, None),
            Weight::Product(first, second, known) => (first, Some(second), Some(known)),
        };
        let first = self.target(sample, first);
        let second = second.map(|plane| self.target(sample, plane));
        let known = known.map(|plane| self.target(sample, plane));
        first.iter().enumerate().map(move |(pixel, &weight)| {
            if known.is_some_and(|plane| plane[pixel] < 0.0) {
                return 0.0;
            }
            weight * second.map_or(1.0, |plane| plane[pixel])
        })
    }

    fn total(&self, weight: Weight) -> f64 {
        let samples = self.maps.len() / (self.head.maps() * self.pixels).max(1);
        let sums: Vec<f64> = (0..samples)
            .into_par_iter()
            .map(|sample| self.weights(sample, weight).map(f64::from).sum::<f64>())
            .collect();
        sums.iter().sum()
    }
}

fn squared(difference: f32) -> (f32, f32) {
    (difference * difference, 2.0 * difference)
}

/// Absolute error of a length, in pixels; the network gives it in its unit.
fn length(y: f32, t: f32) -> (f32, f32) {
    let (value, derivative) = absolute(LENGTH_UNIT * y - t);
    (value, LENGTH_UNIT * derivative)
}

fn absolute(difference: f32) -> (f32, f32) {
    (difference.abs(), if difference == 0.0 { 0.0 } else { difference.signum() })
}

/// Binary cross-entropy of logit `z` with target `t`.
fn cross_entropy(z: f32, t: f32) -> (f32, f32) {
    let value = z.max(0.0) - z * t + (-z.abs()).exp().ln_1p();
    (value, 1.0 / (1.0 + (-z).exp()) - t)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pseudo(count: usize, seed: usize) -> Vec<f32> {
        (0..count).map(|i| ((i * 7919 + seed * 104_729) % 2003) as f32 / 1001.5 - 1.0).collect()
    }

    #[test]
    fn the_gradient_is_that_of_the_value() {
        const PIXELS: usize = 12;
        for head in [Head::Center, Head::Star, Head::Flow] {
            let loss = ObjectLoss::of(head).unwrap();
            let maps = pseudo(2 * head.maps() * PIXELS, 1);
            let mut targets = pseudo(2 * head.target_planes() * PIXELS, 2);
            for (index, target) in targets.iter_mut().enumerate() {
                let plane = index / PIXELS % head.target_planes();
                // Weights and probabilities are not negative; some weigh nothing.
                if plane >= head.maps() || head == Head::Star && plane == 0 {
                    *target = target.max(0.0);
                }
            }
            let (value, gradient) = loss.value_and_gradient(&maps, &targets, PIXELS);
            assert!(value > 0.0);
            for index in 0..maps.len() {
                const STEP: f32 = 1e-3;
                let moved = |by: f32| {
                    let mut maps = maps.clone();
                    maps[index] += by;
                    loss.value_and_gradient(&maps, &targets, PIXELS).0
                };
                let numeric = (moved(STEP) - moved(-STEP)) / (2.0 * f64::from(STEP));
                let found = f64::from(gradient[index]);
                assert!((numeric - found).abs() < 2e-3 * (1.0 + found.abs()), "{head} {index}: {numeric} {found}");
            }
        }
    }

    #[test]
    fn small_objects_count_more_among_classes_of_any_number() {
        const PIXELS: usize = 8;
        let loss = ObjectLoss::of(Head::Center).unwrap();
        let labels: Vec<u16> = (0..2 * PIXELS).map(|i| (i % 3) as u16).collect();
        let mut targets = vec![0.0; 2 * Head::Center.target_planes() * PIXELS];
        targets[5 * PIXELS..5 * PIXELS + 6].fill(1.0);
        for classes in [1, 3] {
            let labels: Vec<u16> = labels.iter().map(|label| if classes == 1 { label % 2 } else { *label }).collect();
            let logits = pseudo(2 * classes * PIXELS, 3);
            let (value, gradient) = loss.class_extra(&logits, &labels, &targets, PIXELS).unwrap();
            assert!(value > 0.0 && gradient[classes * PIXELS..].iter().all(|g| *g == 0.0));
            for index in 0..logits.len() {
                const STEP: f32 = 1e-2;
                let moved = |by: f32| {
                    let mut logits = logits.clone();
                    logits[index] += by;
                    loss.class_extra(&logits, &labels, &targets, PIXELS).unwrap().0
                };
                let numeric = (moved(STEP) - moved(-STEP)) / (2.0 * f64::from(STEP));
                assert!((numeric - f64::from(gradient[index])).abs() < 1e-4, "{classes} {index}");
            }
        }
        assert!(ObjectLoss::of(Head::Star).unwrap().class_extra(&[0.0], &[0], &[0.0; 34], 1).is_none());
        // Of a flow head, what weighs more than usual: here twice and thrice, and one pixel that nothing is known of.
        let flow = ObjectLoss::Flow { flow: 0.5, small: 2.0 };
        let weights = [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 2.0, 3.0, 0.0];
        let (value, gradient) = flow.class_extra(&[0.5, -0.5, 1.0, 2.0], &[1, 1, 0, 1], &weights, 4).unwrap();
        let cost = |z: f64, t: f64| (1.0 + z.exp()).ln() - z * t;
        assert!((value - 2.0 / 4.0 * (cost(-0.5, 1.0) + 2.0 * cost(1.0, 0.0))).abs() < 1e-6, "{value}");
        assert!(gradient[0] == 0.0 && gradient[1] < 0.0 && gradient[2] > 0.0 && gradient[3] == 0.0);
    }

    #[test]
    fn a_perfect_map_costs_nothing_and_unknown_pixels_weigh_nothing() {
        let loss = ObjectLoss::of(Head::Flow).unwrap();
        let targets = [0.6f32, 0.8, 0.8, -0.6, 1.0, 0.0];
        let maps = [3.0f32, -100.0, 4.0, 77.0];
        let (value, gradient) = loss.value_and_gradient(&maps, &targets, 2);
        assert!(value < 1e-12 && gradient.iter().all(|g| g.abs() < 1e-5), "{value} {gradient:?}");
        let nothing = [0.0; 6];
        assert_eq!(loss.value_and_gradient(&maps, &nothing, 2), (0.0, vec![0.0; 4]));
    }

    #[test]
    fn factors_must_be_positive() {
        assert!(ObjectLoss::Flow { flow: 0.0, small: 1.0 }.validate().is_err());
        assert!(ObjectLoss::Center { heat: f64::NAN, offset: 1.0, small: 2.0 }.validate().is_err());
    }
}
