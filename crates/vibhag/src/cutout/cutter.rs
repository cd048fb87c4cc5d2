//! From a picture to its matte.

use std::path::Path;

use vibhag_core::{Error, ErrorKind, Geometry, Image, Result, Samples};
use vibhag_imaging::matte::{MatteOptions, TemporalFilter, alpha_matte};
use vibhag_nn::bundle::Flips;
use vibhag_nn::device::DeviceChoice;
use vibhag_predict::{PredictOptions, Predictor, SelfiePredictor};

/// How far the aspect of a picture may lie from the model's before the network's input is shaped after the picture.
const SAME_ASPECT: f64 = 1.15;
/// Inputs are not longer than this many times their width, nor wider.
const LONGEST: f64 = 4.0;
/// Sides of inputs are multiples of this, at least twice.
const STEP: usize = 32;

/// What tells people, or any one thing, from the rest of a picture.
#[derive(Debug)]
pub(crate) enum Cutter {
    /// A trained model with one foreground class.
    Model(Box<Predictor>),
    /// The network that comes with the program.
    Selfie(Box<SelfiePredictor>),
}

impl Cutter {
    /// The model in `folder`, or the network that comes with the program where none is named. `tta` overrides which
    /// mirrored copies of the input are averaged.
    ///
    /// # Errors
    /// When the model cannot be loaded or has other than one foreground class.
    pub(crate) fn load(folder: Option<&Path>, device: DeviceChoice, tta: Option<Flips>) -> Result<Self> {
        let Some(folder) = folder else {
            let flips = tta.unwrap_or(Flips::Horizontal);
            return Ok(Self::Selfie(Box::new(SelfiePredictor::load(device, flips)?)));
        };
        let options = PredictOptions { tta, keep_probabilities: true, ..PredictOptions::default() };
        let predictor = Predictor::load(folder, device, options)?;
        let classes = &predictor.manifest().classes;
        if !classes.is_binary() {
            return Err(Error::config(format!(
                "cutting out needs one foreground class, and the model has {}",
                classes.len()
            ))
            .at_path(folder)
            .at(classes.names().join(", "))
            .hint("train one with --task body; --foreground merges the values of label masks"));
        }
        Ok(Self::Model(Box::new(predictor)))
    }

    /// Alpha of every pixel of `image`; the probabilities are steadied by `filter` where there is one.
    ///
    /// # Errors
    /// When the image's channels do not suit the model, or the device fails.
    pub(crate) fn alpha(&self, image: &Image, filter: Option<&mut TemporalFilter>) -> Result<Vec<f32>> {
        let mut probabilities = match self {
            Self::Model(predictor) => of_model(predictor, image)?,
            Self::Selfie(predictor) => predictor.probabilities(image)?,
        };
        if let Some(filter) = filter {
            filter.smooth(image, &mut probabilities)?;
        }
        let options = MatteOptions::for_size(image.width(), image.height());
        let mut alpha = alpha_matte(image, &probabilities, &options)?;
        keep_own_alpha(image, &mut alpha);
        Ok(alpha)
    }
}

/// The foreground's probability for every pixel.
fn of_model(predictor: &Predictor, image: &Image) -> Result<Vec<f32>> {
    let prediction = match predictor.manifest().preprocessing.geometry {
        Geometry::Resize { height, width } => {
            let size = fitted([height, width], [image.height(), image.width()]);
            predictor.predict_at(image, size)?
        }
        Geometry::Window { .. } => predictor.predict(image)?,
    };
    let planes = prediction.probabilities.and_then(|planes| planes.into_iter().next());
    planes.ok_or_else(|| Error::new(ErrorKind::Model, "the model gives no probabilities"))
}

/// What a picture shows through already stays transparent.
fn keep_own_alpha(image: &Image, alpha: &mut [f32]) {
    let channels = image.channels();
    if channels != 2 && channels != 4 {
        return;
    }
    let own = |index: usize| match image.samples() {
        Samples::U8(values) => f32::from(values[index]) / 255.0,
        Samples::U16(values) => f32::from(values[index]) / 65535.0,
    };
    for (pixel, alpha) in alpha.iter_mut().enumerate() {
        *alpha *= own(pixel * channels + channels - 1);
    }
}

/// Rows and columns of the network's input for an `image` of rows and columns: those of the model where the aspects are
/// alike, else as many pixels at the image's aspect. A network of convolutions takes any shape, and a body that is
/// squeezed into another one is no longer what it learnt.
fn fitted(model: [usize; 2], image: [usize; 2]) -> [usize; 2] {
    let aspect = |[height, width]: [usize; 2]| height.max(1) as f64 / width.max(1) as f64;
    let (own, wanted) = (aspect(model), aspect(image).clamp(1.0 / LONGEST, LONGEST));
    if own.max(wanted) / own.min(wanted) <= SAME_ASPECT {
        return model;
    }
    let pixels = (model[0] * model[1]) as f64;
    let side = |length: f64| ((length / STEP as f64).round() as usize).max(2) * STEP;
    [side((pixels * wanted).sqrt()), side((pixels / wanted).sqrt())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_input_takes_the_pictures_aspect_and_keeps_its_pixels() {
        assert_eq!(fitted([384, 256], [825, 550]), [384, 256]);
        assert_eq!(fitted([384, 256], [600, 420]), [384, 256]);
        let wide = fitted([384, 256], [720, 1280]);
        assert_eq!(wide, [224, 416]);
        assert!(wide[0] * wide[1] <= 384 * 256);
        assert_eq!(fitted([384, 256], [1, 5000]), [160, 640]);
        assert_eq!(fitted([64, 64], [5000, 1]), [128, 64]);
    }

    #[test]
    fn transparent_parts_of_a_picture_stay_so() {
        let image = Image::from_u8(2, 1, 4, vec![1, 2, 3, 255, 4, 5, 6, 51]).unwrap();
        let mut alpha = [0.5, 1.0];
        keep_own_alpha(&image, &mut alpha);
        assert!((alpha[0] - 0.5).abs() < 1e-6 && (alpha[1] - 0.2).abs() < 1e-6, "{alpha:?}");
        let opaque = Image::from_u8(2, 1, 1, vec![0, 0]).unwrap();
        keep_own_alpha(&opaque, &mut alpha);
        assert!((alpha[0] - 0.5).abs() < 1e-6);
    }
}
