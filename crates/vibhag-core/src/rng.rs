//! Counter-based random numbers (Philox4x32-10; Salmon et al., "Parallel random numbers: as easy
//! as 1, 2, 3", SC 2011).
//!
//! A generator is named by (seed, epoch, sample, purpose). Nothing else decides its numbers, so
//! results do not depend on thread count or order and a resumed run continues exactly.

/// What a stream of random numbers is for; streams of different purposes are independent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Purpose {
    /// Assigning samples to train, validation and test.
    Split = 1,
    /// The order of samples in an epoch.
    Shuffle = 2,
    /// Geometric augmentation.
    Geometry = 3,
    /// Photometric augmentation.
    Photometry = 4,
    /// Initial weights.
    Initialization = 5,
    /// Where a training window is cut out.
    Crop = 6,
    /// Dropout masks.
    Dropout = 7,
    /// Bootstrap resampling.
    Bootstrap = 8,
    /// Synthetic data.
    Synthesis = 9,
    /// Which objects of another sample are pasted.
    CopyPaste = 10,
    /// Colour taken away and brightness inverted.
    Staining = 11,
    /// Quarter turns of people.
    Turn = 12,
}

/// A stream of random numbers.
#[derive(Debug, Clone)]
pub struct Rng {
    key: [u32; 2],
    counter: [u32; 4],
    block: [u32; 4],
    used: usize,
}

impl Rng {
    /// The stream named by `seed`, `epoch`, `sample` and `purpose`.
    pub fn new(seed: u64, epoch: u64, sample: u64, purpose: Purpose) -> Self {
        // The purpose shares the epoch's word: epochs stay far below 2^24.
        let tag = (purpose as u32) << 24 ^ epoch as u32;
        Self {
            key: [seed as u32, (seed >> 32) as u32],
            counter: [0, tag, sample as u32, (sample >> 32) as u32],
            block: [0; 4],
            used: 4,
        }
    }

    /// The next 32 random bits.
    pub fn next_u32(&mut self) -> u32 {
        if self.used == 4 {
            self.block = philox(self.counter, self.key);
            self.counter[0] = self.counter[0].wrapping_add(1);
            self.used = 0;
        }
        self.used += 1;
        self.block[self.used - 1]
    }

    /// Uniform in [0, 1), with 24 bits.
    pub fn unit(&mut self) -> f32 {
        (self.next_u32() >> 8) as f32 * (1.0 / 16_777_216.0)
    }

    /// Uniform in [low, high).
    pub fn uniform(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// True with probability `p`.
    pub fn chance(&mut self, p: f32) -> bool {
        self.unit() < p
    }

    /// Uniform in 0..n; 0 when `n` is 0. The bias is below n / 2^32.
    pub fn below(&mut self, n: usize) -> usize {
        ((u64::from(self.next_u32()) * n as u64) >> 32) as usize
    }

    /// Standard normal (Box-Muller).
    pub fn normal(&mut self) -> f32 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f32::consts::TAU * self.unit()).cos()
    }

    /// Shuffles in place (Fisher-Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

fn philox(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for _ in 0..10 {
        let a = u64::from(counter[0]) * 0xD251_1F53;
        let b = u64::from(counter[2]) * 0xCD9E_8D57;
        counter = [(b >> 32) as u32 ^ counter[1] ^ key[0], b as u32, (a >> 32) as u32 ^ counter[3] ^ key[1], a as u32];
        key = [key[0].wrapping_add(0x9E37_79B9), key[1].wrapping_add(0xBB67_AE85)];
    }
    counter
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn philox_matches_the_known_answers_of_random123() {
        assert_eq!(philox([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(philox([u32::MAX; 4], [u32::MAX; 2]), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
    }

    #[test]
    fn streams_are_named_by_their_key_alone() {
        let draw = |seed, epoch, sample, purpose| Rng::new(seed, epoch, sample, purpose).next_u32();
        let base = draw(1, 2, 3, Purpose::Shuffle);
        assert_eq!(base, draw(1, 2, 3, Purpose::Shuffle));
        for other in [
            draw(2, 2, 3, Purpose::Shuffle),
            draw(1, 3, 3, Purpose::Shuffle),
            draw(1, 2, 4, Purpose::Shuffle),
            draw(1, 2, 3, Purpose::Crop),
        ] {
            assert_ne!(base, other);
        }
    }

    #[test]
    fn moments_are_right() {
        let mut rng = Rng::new(7, 0, 0, Purpose::Synthesis);
        let n = 100_000;
        let normals: Vec<f64> = (0..n).map(|_| f64::from(rng.normal())).collect();
        let mean = normals.iter().sum::<f64>() / f64::from(n);
        let variance = normals.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / f64::from(n);
        assert!(mean.abs() < 0.02 && (variance - 1.0).abs() < 0.02, "mean {mean}, variance {variance}");
        let uniform = (0..n).map(|_| f64::from(rng.unit())).sum::<f64>() / f64::from(n);
        assert!((uniform - 0.5).abs() < 0.005, "mean {uniform}");
    }
}
