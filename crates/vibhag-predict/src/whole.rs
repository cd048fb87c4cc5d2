//! Prediction of the whole image at the network's size.

use vibhag_core::{Image, Preprocessing, Result};
use vibhag_imaging::resample::{bilinear_taps, resize_image};

use crate::input::{append_region, with_channels};
use crate::runner::Probabilities;
use crate::sink::Sink;

/// Resizes the image (anti-aliased), runs the network once, and resizes the probabilities back
/// (bilinear, half-pixel centres) row by row into `sink`.
pub(crate) fn predict(
    image: &Image,
    preprocessing: &Preprocessing,
    model: &impl Probabilities,
    sink: &mut Sink,
) -> Result<()> {
    let (height, width) = preprocessing.geometry.size();
    let small = resize_image(with_channels(image, preprocessing.channels)?.as_ref(), width, height)?;
    let mut input = Vec::with_capacity(height * width * preprocessing.channels);
    append_region(&small, preprocessing, (0, 0), (height, width), &mut input);
    let probabilities = model.run(input, [1, preprocessing.channels, height, width])?;
    let rows = bilinear_taps(height, image.height());
    let columns = bilinear_taps(width, image.width());
    sink.push(image.height(), |y, values| {
        let row = &rows[y];
        for (plane, out) in probabilities.chunks_exact(height * width).zip(values.chunks_exact_mut(image.width())) {
            let upper = &plane[row.low * width..][..width];
            let lower = &plane[row.high * width..][..width];
            for (value, column) in out.iter_mut().zip(&columns) {
                let rest = 1.0 - column.weight;
                let top = rest * upper[column.low] + column.weight * upper[column.high];
                let bottom = rest * lower[column.low] + column.weight * lower[column.high];
                *value = (1.0 - row.weight) * top + row.weight * bottom;
            }
        }
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use vibhag_core::Geometry;
    use vibhag_imaging::resample::resize_plane_bilinear;

    /// Answers with the given planes, whatever it is asked.
    struct Fixed(Vec<f32>, usize);

    impl Probabilities for Fixed {
        fn planes(&self) -> usize {
            self.1
        }

        fn run(&self, _: Vec<f32>, _: [usize; 4]) -> Result<Vec<f32>> {
            Ok(self.0.clone())
        }
    }

    #[test]
    fn rows_equal_those_of_a_whole_plane_resize() {
        let (height, width) = (5, 7);
        let planes: Vec<f32> = (0..2 * height * width).map(|i| (i * 37 % 101) as f32 / 101.0).collect();
        let preprocessing = Preprocessing {
            stretch: None,
            scale: 1.0,
            channels: 1,
            mean: vec![0.0],
            std: vec![1.0],
            geometry: Geometry::Resize { height, width },
        };
        for (out_width, out_height) in [(1, 1), (3, 2), (7, 5), (23, 90)] {
            let image = Image::from_u8(out_width, out_height, 1, vec![0; out_width * out_height]).unwrap();
            let mut sink = Sink::new(out_width, out_height, 2, 0.5, true);
            predict(&image, &preprocessing, &Fixed(planes.clone(), 2), &mut sink).unwrap();
            let kept = sink.finish().unwrap().probabilities.unwrap();
            for (plane, got) in planes.chunks_exact(height * width).zip(kept) {
                assert_eq!(got, resize_plane_bilinear(plane, (height, width), (out_height, out_width)));
            }
        }
    }
}
