//! Colours of classes and the palette that hands them out.

use serde::{Deserialize, Serialize};

/// An sRGB colour, 8 bits a channel.
pub type Rgb = [u8; 3];

/// A colour as it is written in `classes.toml`: `[r, g, b]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Color(pub Rgb);

/// Distinct colours for the first classes, readable on photographs and by colour-blind people
/// (after Okabe and Ito, 2008, with black left out: it is the background).
const OKABE_ITO: [Rgb; 7] =
    [[230, 159, 0], [86, 180, 233], [0, 158, 115], [240, 228, 66], [0, 114, 178], [213, 94, 0], [204, 121, 167]];

/// The default colour of class `index`: black for 0 (background), then Okabe-Ito, then the
/// Pascal VOC colour map, whose bit-interleaving never repeats below 256.
pub fn class_color(index: usize) -> Rgb {
    match index {
        0 => [0, 0, 0],
        1..=7 => OKABE_ITO[index - 1],
        _ => voc_color(index),
    }
}

/// The Pascal VOC colour of `index` (as in the VOC development kit's `VOClabelcolormap`).
pub fn voc_color(index: usize) -> Rgb {
    let mut color = [0u8; 3];
    let mut bits = index;
    for shift in (0..8).rev() {
        for (channel, value) in color.iter_mut().enumerate() {
            *value |= (((bits >> channel) & 1) as u8) << shift;
        }
        bits >>= 3;
    }
    color
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn voc_colors_match_the_development_kit() {
        assert_eq!(voc_color(1), [128, 0, 0]);
        assert_eq!(voc_color(2), [0, 128, 0]);
        assert_eq!(voc_color(15), [192, 128, 128]);
        assert_eq!(voc_color(255), [224, 224, 192]);
    }

    #[test]
    fn the_first_256_class_colors_differ() {
        let colors: std::collections::HashSet<_> = (0..256).map(class_color).collect();
        assert_eq!(colors.len(), 256);
    }
}
