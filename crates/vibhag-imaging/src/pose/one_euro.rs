//! The one-euro filter (Casiez, Roussel and Vogel, "1 Euro Filter: A Simple Speed-based Low-pass Filter for Noisy Input in
//! Interactive Systems", CHI 2012).

use vibhag_core::{Error, Result};

/// How much is smoothed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OneEuroParams {
    /// Cut-off frequency at rest, in hertz: the lower, the less trembling.
    pub min_cutoff: f64,
    /// How much the cut-off grows with speed, in hertz for each unit a second: the higher, the less lag.
    pub beta: f64,
    /// Cut-off frequency of the speed, in hertz.
    pub speed_cutoff: f64,
}

impl Default for OneEuroParams {
    fn default() -> Self {
        Self { min_cutoff: 1.0, beta: 0.02, speed_cutoff: 1.0 }
    }
}

impl OneEuroParams {
    /// Checks that every value is in its range.
    ///
    /// # Errors
    /// Names the value that is not.
    pub fn validate(&self) -> Result<()> {
        let good =
            |value: f64, least_excluded: bool| value.is_finite() && (value > 0.0 || (!least_excluded && value == 0.0));
        let values = [
            ("min_cutoff", self.min_cutoff, true),
            ("beta", self.beta, false),
            ("speed_cutoff", self.speed_cutoff, true),
        ];
        match values.into_iter().find(|&(_, value, excluded)| !good(value, excluded)) {
            None => Ok(()),
            Some((key, value, _)) => {
                Err(Error::config(format!("one-euro filter: {key} is out of range")).at(value.to_string()))
            }
        }
    }
}

/// Smooths one coordinate: strongly while it rests, little while it moves.
#[derive(Debug, Clone, Copy)]
pub struct OneEuro {
    parameters: OneEuroParams,
    /// The last smoothed value and speed.
    last: Option<(f64, f64)>,
}

impl OneEuro {
    /// A filter that has seen nothing.
    pub fn new(parameters: OneEuroParams) -> Self {
        Self { parameters, last: None }
    }

    /// The smoothed value, `seconds` after the last one. The first value, and one that comes no time after the last, is
    /// taken as it is; a value that is not finite is given back and forgotten.
    pub fn filter(&mut self, value: f64, seconds: f64) -> f64 {
        if !value.is_finite() {
            return value;
        }
        let Some((before, speed_before)) = self.last.filter(|_| seconds > 0.0) else {
            self.last = Some((value, 0.0));
            return value;
        };
        let mix = |cutoff: f64| {
            let time_constant = 1.0 / (std::f64::consts::TAU * cutoff);
            1.0 / (1.0 + time_constant / seconds)
        };
        let share = mix(self.parameters.speed_cutoff);
        let speed = share * (value - before) / seconds + (1.0 - share) * speed_before;
        let share = mix(self.parameters.min_cutoff + self.parameters.beta * speed.abs());
        let smoothed = share * value + (1.0 - share) * before;
        self.last = Some((smoothed, speed));
        smoothed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vibhag_core::{Purpose, Rng};

    #[test]
    fn one_step_is_as_computed_by_hand() {
        let mut filter = OneEuro::new(OneEuroParams { min_cutoff: 1.0, beta: 0.5, speed_cutoff: 1.0 });
        assert_eq!(filter.filter(2.0, 0.1), 2.0);
        let share = 1.0 / (1.0 + 1.0 / (std::f64::consts::TAU * 0.1));
        let speed = share * 10.0;
        let second = 1.0 / (1.0 + 1.0 / (std::f64::consts::TAU * (1.0 + 0.5 * speed) * 0.1));
        assert!((filter.filter(3.0, 0.1) - (2.0 + second)).abs() < 1e-12);
    }

    #[test]
    fn trembling_is_calmed_and_motion_followed() {
        let mut rng = Rng::new(3, 0, 0, Purpose::Synthesis);
        let mut filter = OneEuro::new(OneEuroParams::default());
        let (mut raw, mut smooth) = (0.0, 0.0);
        for frame in 0..300 {
            let noise = f64::from(rng.normal());
            let out = filter.filter(100.0 + noise, 1.0 / 30.0) - 100.0;
            if frame >= 30 {
                raw += noise * noise;
                smooth += out * out;
            }
        }
        assert!(smooth < 0.3 * raw, "{smooth} of {raw}");
        // At 300 pixels a second the lag stays below a frame's way.
        let mut filter = OneEuro::new(OneEuroParams::default());
        let lag =
            (0..90).map(|frame| 10.0 * f64::from(frame)).map(|x| x - filter.filter(x, 1.0 / 30.0)).last().unwrap();
        assert!((0.0..10.0).contains(&lag), "{lag}");
    }

    #[test]
    fn odd_input_does_no_harm() {
        let mut filter = OneEuro::new(OneEuroParams::default());
        assert!(filter.filter(f64::NAN, 0.1).is_nan());
        assert_eq!(filter.filter(5.0, 0.1), 5.0);
        assert_eq!(filter.filter(7.0, 0.0), 7.0);
        assert_eq!(filter.filter(8.0, f64::NAN), 8.0);
        assert!(filter.filter(9.0, 0.1) < 9.0);
        assert!(OneEuroParams { beta: -1.0, ..OneEuroParams::default() }.validate().is_err());
        assert!(OneEuroParams { min_cutoff: 0.0, ..OneEuroParams::default() }.validate().is_err());
    }
}
