//! The learning rate over time, as a pure function of progress, so that it fits epochs and minutes.

use serde::{Deserialize, Serialize};
use vibhag_core::{Error, Result};

/// The schedule of the learning rate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScheduleConfig {
    /// `cosine`, `poly` or `constant`.
    pub name: String,
    /// Share of the run over which the rate climbs linearly from zero.
    pub warmup: f64,
    /// Exponent of `poly`.
    pub power: f64,
    /// Share of the peak rate that is left at the end.
    pub floor: f64,
}

impl ScheduleConfig {
    /// Checks name and ranges.
    ///
    /// # Errors
    /// A configuration error naming the key.
    pub fn validate(&self) -> Result<()> {
        if !matches!(self.name.as_str(), "cosine" | "poly" | "constant") {
            return Err(Error::config(format!("unknown schedule {:?}", self.name)).hint("use cosine, poly or constant"));
        }
        for (key, value) in [("schedule.warmup", self.warmup), ("schedule.floor", self.floor)] {
            if !(0.0..1.0).contains(&value) {
                return Err(Error::config(format!("{key} must lie in 0..1")).at(value.to_string()));
            }
        }
        Ok(())
    }

    /// Factor on the peak rate at `progress` in 0..=1 of the run.
    pub fn factor(&self, progress: f64) -> f64 {
        let progress = progress.clamp(0.0, 1.0);
        if progress < self.warmup {
            // Never exactly zero: the first step should learn something.
            return (progress / self.warmup).max(0.02);
        }
        let along = (progress - self.warmup) / (1.0 - self.warmup);
        let decay = match self.name.as_str() {
            "cosine" => 0.5 * (1.0 + (std::f64::consts::PI * along).cos()),
            "poly" => (1.0 - along).powf(self.power),
            _ => 1.0,
        };
        self.floor + (1.0 - self.floor) * decay
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(name: &str) -> ScheduleConfig {
        ScheduleConfig { name: name.into(), warmup: 0.1, power: 0.9, floor: 0.0 }
    }

    #[test]
    fn warms_up_then_decays_to_the_floor() {
        for name in ["cosine", "poly"] {
            let s = schedule(name);
            assert!((s.factor(0.05) - 0.5).abs() < 1e-12);
            assert!((s.factor(0.1) - 1.0).abs() < 1e-12);
            assert!(s.factor(1.0).abs() < 1e-12);
            let samples: Vec<f64> = (10..=100).map(|i| s.factor(f64::from(i) / 100.0)).collect();
            assert!(samples.windows(2).all(|w| w[1] <= w[0]));
        }
        assert!((schedule("poly").factor(0.55) - 0.5_f64.powf(0.9)).abs() < 1e-12);
        assert_eq!(schedule("constant").factor(0.9), 1.0);
    }

    #[test]
    fn unknown_names_and_ranges_are_refused() {
        assert!(schedule("step").validate().is_err());
        assert!(ScheduleConfig { warmup: 1.5, ..schedule("cosine") }.validate().is_err());
    }
}
