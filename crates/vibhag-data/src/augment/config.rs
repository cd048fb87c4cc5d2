//! What augmentation does, every value visible.

use serde::{Deserialize, Serialize};
use vibhag_core::{Error, Result};

/// Ranges and probabilities of one geometric and one photometric pass.
///
/// Symmetric ranges are given by their half-width: `brightness = 0.2` draws factors from
/// 0.8..1.2, `rotate_degrees = 15` angles from -15..15.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AugmentConfig {
    /// Probability of mirroring left-right.
    pub flip_horizontal: f32,
    /// Probability of mirroring top-bottom.
    pub flip_vertical: f32,
    /// Probability that rotation, scale and shift are drawn at all.
    pub affine_probability: f32,
    /// Largest rotation either way, in degrees.
    pub rotate_degrees: f32,
    /// Smallest and largest magnification, drawn uniformly on a logarithmic scale.
    pub scale: [f32; 2],
    /// Largest shift either way, as a fraction of each side.
    pub shift: f32,
    /// Probability of an elastic deformation.
    pub elastic_probability: f32,
    /// Standard deviation of the elastic displacement, as a fraction of the shorter side.
    pub elastic_alpha: f32,
    /// Length over which the displacement varies, as a fraction of the shorter side.
    pub elastic_sigma: f32,
    /// Probability that brightness, contrast, gamma, hue and saturation are drawn at all.
    pub color_probability: f32,
    /// Half-width of the brightness factor around 1.
    pub brightness: f32,
    /// Half-width of the contrast factor around 1 (about the image's mean).
    pub contrast: f32,
    /// Largest gamma minus 1; exponents come from `1 / (1 + gamma)` to `1 + gamma`.
    pub gamma: f32,
    /// Largest hue rotation either way, in degrees (three-channel images only).
    pub hue_degrees: f32,
    /// Half-width of the saturation factor around 1 (three-channel images only).
    pub saturation: f32,
    /// Probability that colours are taken away (three-channel images only).
    pub grey_probability: f32,
    /// Probability that bright and dark are exchanged: bright nuclei of fluorescence then teach dark stained ones.
    pub invert_probability: f32,
    /// Probability of noise.
    pub noise_probability: f32,
    /// Largest standard deviation of the noise, on the 0..=255 scale.
    pub noise: f32,
    /// Probability of blur.
    pub blur_probability: f32,
    /// Smallest and largest standard deviation of the Gaussian blur, in network input pixels.
    pub blur_sigma: [f32; 2],
    /// Probability that a window is centred on a pixel of a random foreground class (nnU-Net's
    /// third; Isensee et al., Nature Methods 2021). Only where windows are cut from images.
    pub foreground_probability: f32,
    /// Probability that objects of another sample, half of those that a window of it shows, are pasted over a window
    /// (Ghiasi et al., Simple Copy-Paste, CVPR 2021). Only where objects are told apart.
    pub copy_paste: f32,
}

impl Default for AugmentConfig {
    /// For photographs with a meaningful up.
    fn default() -> Self {
        Self {
            flip_horizontal: 0.5,
            flip_vertical: 0.0,
            affine_probability: 0.8,
            rotate_degrees: 15.0,
            scale: [0.8, 1.25],
            shift: 0.1,
            elastic_probability: 0.0,
            elastic_alpha: 0.02,
            elastic_sigma: 0.12,
            color_probability: 0.8,
            brightness: 0.2,
            contrast: 0.2,
            gamma: 0.25,
            hue_degrees: 8.0,
            saturation: 0.2,
            grey_probability: 0.0,
            invert_probability: 0.0,
            noise_probability: 0.1,
            noise: 10.0,
            blur_probability: 0.1,
            blur_sigma: [0.5, 1.0],
            foreground_probability: 0.33,
            copy_paste: 0.0,
        }
    }
}

impl AugmentConfig {
    /// No augmentation: validation and prediction.
    pub fn none() -> Self {
        Self {
            flip_horizontal: 0.0,
            flip_vertical: 0.0,
            affine_probability: 0.0,
            rotate_degrees: 0.0,
            scale: [1.0, 1.0],
            shift: 0.0,
            elastic_probability: 0.0,
            elastic_alpha: 0.0,
            elastic_sigma: 0.12,
            color_probability: 0.0,
            brightness: 0.0,
            contrast: 0.0,
            gamma: 0.0,
            hue_degrees: 0.0,
            saturation: 0.0,
            grey_probability: 0.0,
            invert_probability: 0.0,
            noise_probability: 0.0,
            noise: 0.0,
            blur_probability: 0.0,
            blur_sigma: [0.0, 0.0],
            foreground_probability: 0.0,
            copy_paste: 0.0,
        }
    }

    /// For skin, cells and other views without an up: every rotation, both flips, some elastic.
    pub fn medical() -> Self {
        Self {
            flip_vertical: 0.5,
            affine_probability: 0.9,
            rotate_degrees: 180.0,
            scale: [0.75, 1.35],
            elastic_probability: 0.2,
            ..Self::default()
        }
    }

    /// For people in photos: horizontal flips, mild rotation, sizes from far away to cropped, colours of any camera.
    pub fn body() -> Self {
        Self {
            rotate_degrees: 12.0,
            scale: [0.75, 1.35],
            brightness: 0.3,
            contrast: 0.3,
            gamma: 0.35,
            hue_degrees: 10.0,
            saturation: 0.35,
            grey_probability: 0.05,
            ..Self::default()
        }
    }

    /// For street scenes: horizontal flips, hardly any rotation, mild colours.
    pub fn street() -> Self {
        Self {
            rotate_degrees: 3.0,
            scale: [0.8, 1.5],
            shift: 0.05,
            hue_degrees: 4.0,
            gamma: 0.2,
            noise_probability: 0.05,
            noise: 6.0,
            ..Self::default()
        }
    }

    /// Whether any position can change.
    pub fn moves_pixels(&self) -> bool {
        self.flip_horizontal > 0.0
            || self.flip_vertical > 0.0
            || self.elastic_probability > 0.0
            || (self.affine_probability > 0.0
                && (self.rotate_degrees != 0.0 || self.shift != 0.0 || self.scale != [1.0, 1.0]))
    }

    /// Checks every range.
    ///
    /// # Errors
    /// A configuration error that names the key and its value.
    pub fn validate(&self) -> Result<()> {
        let probabilities = [
            ("flip_horizontal", self.flip_horizontal),
            ("flip_vertical", self.flip_vertical),
            ("affine_probability", self.affine_probability),
            ("elastic_probability", self.elastic_probability),
            ("color_probability", self.color_probability),
            ("grey_probability", self.grey_probability),
            ("invert_probability", self.invert_probability),
            ("noise_probability", self.noise_probability),
            ("blur_probability", self.blur_probability),
            ("foreground_probability", self.foreground_probability),
            ("copy_paste", self.copy_paste),
            ("brightness", self.brightness),
            ("contrast", self.contrast),
            ("saturation", self.saturation),
            ("shift", self.shift),
        ];
        for (key, value) in probabilities {
            require((0.0..=1.0).contains(&value), key, value, "use a value from 0 to 1")?;
        }
        for (key, value) in [("rotate_degrees", self.rotate_degrees), ("hue_degrees", self.hue_degrees)] {
            require((0.0..=180.0).contains(&value), key, value, "use degrees from 0 to 180")?;
        }
        require((0.0..=9.0).contains(&self.gamma), "gamma", self.gamma, "use a value from 0 to 9")?;
        require((0.0..=255.0).contains(&self.noise), "noise", self.noise, "use a value from 0 to 255")?;
        let [low, high] = self.scale;
        require(low > 0.0 && low <= high && high <= 100.0, "scale", low, "use [smallest, largest], both above 0")?;
        let [low, high] = self.blur_sigma;
        require(
            low >= 0.0 && low <= high && high <= 20.0,
            "blur_sigma",
            low,
            "use [smallest, largest] with 0 <= smallest <= largest <= 20",
        )?;
        if self.elastic_probability > 0.0 {
            require(
                self.elastic_sigma > 0.0 && self.elastic_sigma <= 1.0,
                "elastic_sigma",
                self.elastic_sigma,
                "use a fraction of the shorter side above 0",
            )?;
            require(
                (0.0..=self.elastic_sigma / 3.0).contains(&self.elastic_alpha),
                "elastic_alpha",
                self.elastic_alpha,
                "use at most a third of elastic_sigma, or the image folds over itself",
            )?;
        }
        Ok(())
    }
}

fn require(holds: bool, key: &str, value: f32, hint: &str) -> Result<()> {
    if holds { Ok(()) } else { Err(Error::config(format!("augment.{key} = {value} is out of range")).hint(hint)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_are_valid_and_none_changes_nothing() {
        for config in [
            AugmentConfig::default(),
            AugmentConfig::medical(),
            AugmentConfig::body(),
            AugmentConfig::street(),
            AugmentConfig::none(),
        ] {
            config.validate().unwrap();
        }
        assert!(!AugmentConfig::none().moves_pixels());
        assert!(AugmentConfig::street().moves_pixels());
    }

    #[test]
    fn a_wrong_value_is_named() {
        let config = AugmentConfig { flip_vertical: 1.5, ..AugmentConfig::default() };
        assert!(config.validate().unwrap_err().to_string().contains("augment.flip_vertical = 1.5"));
        let config = AugmentConfig { noise: f32::NAN, ..AugmentConfig::default() };
        assert!(config.validate().is_err());
    }

    #[test]
    fn every_value_is_written_and_missing_ones_take_the_default() {
        let text = toml::to_string(&AugmentConfig::medical()).unwrap();
        assert_eq!(text.lines().count(), 23);
        assert_eq!(toml::from_str::<AugmentConfig>(&text).unwrap(), AugmentConfig::medical());
        assert_eq!(toml::from_str::<AugmentConfig>("").unwrap(), AugmentConfig::default());
        assert!(toml::from_str::<AugmentConfig>("flip = 1.0").is_err());
    }
}
