//! Exponential moving average of all weights and running statistics (Polyak averaging as deep
//! segmentation uses it: the average is validated and saved, the raw weights are trained).

use rayon::prelude::*;

use vibhag_nn::NamedTensor;

/// The averaged tensors.
#[derive(Debug, Clone)]
pub struct Ema {
    decay: f64,
    tensors: Vec<NamedTensor>,
}

impl Ema {
    /// Starts the average at `tensors`.
    pub fn new(decay: f64, tensors: Vec<NamedTensor>) -> Self {
        Self { decay, tensors }
    }

    /// Moves the average towards `current` after `step` steps. Young averages move faster
    /// (`(1 + step) / (10 + step)`), so that the initial weights do not linger.
    pub fn update(&mut self, step: u64, current: &[NamedTensor]) {
        let decay = self.decay.min((1.0 + step as f64) / (10.0 + step as f64)) as f32;
        self.tensors.par_iter_mut().zip(current.par_iter()).for_each(|(average, now)| {
            for (a, c) in average.values.iter_mut().zip(&now.values) {
                *a = *a * decay + *c * (1.0 - decay);
            }
        });
    }

    /// The averaged tensors, in the order they were given.
    pub fn tensors(&self) -> &[NamedTensor] {
        &self.tensors
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn converges_to_a_constant_and_starts_fast() {
        let tensor = |v: f32| vec![NamedTensor { name: "w".to_owned(), shape: vec![1], values: vec![v] }];
        let mut ema = Ema::new(0.99, tensor(0.0));
        ema.update(0, &tensor(1.0));
        assert!((ema.tensors()[0].values[0] - 0.9).abs() < 1e-6);
        for step in 1..2000 {
            ema.update(step, &tensor(1.0));
        }
        assert!((ema.tensors()[0].values[0] - 1.0).abs() < 1e-4);
    }
}
