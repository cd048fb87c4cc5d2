use std::cell::Cell;

use super::*;
use vibhag_core::Geometry;

/// A model in plain arithmetic: its output depends on content and on the place in the window.
struct Toy {
    planes: usize,
    constant: bool,
    largest: Cell<usize>,
}

impl Toy {
    fn new(planes: usize, constant: bool) -> Self {
        Self { planes, constant, largest: Cell::new(0) }
    }
}

impl Probabilities for Toy {
    fn planes(&self) -> usize {
        self.planes
    }

    fn run(&self, batch: Vec<f32>, [n, c, h, w]: [usize; 4]) -> Result<Vec<f32>> {
        assert_eq!(batch.len(), n * c * h * w);
        self.largest.set(self.largest.get().max(batch.len()));
        let mut out = Vec::new();
        for image in batch.chunks_exact(c * h * w) {
            for plane in 0..self.planes {
                out.extend((0..h * w).map(|i| {
                    let tilt = if self.constant { 0.0 } else { 0.3 * (i * (plane + 3) % 17) as f32 / 17.0 };
                    let value = if self.constant { 0.6 } else { image[i] / 255.0 * 0.7 };
                    value / (plane + 1) as f32 + tilt
                }));
            }
        }
        Ok(out)
    }
}

fn preprocessing(height: usize, width: usize) -> Preprocessing {
    Preprocessing {
        stretch: None,
        scale: 1.0,
        channels: 1,
        mean: vec![0.0],
        std: vec![1.0],
        geometry: Geometry::Window { height, width },
    }
}

fn picture(width: usize, height: usize) -> Image {
    let values = (0..width * height).map(|i| (i.wrapping_mul(2_654_435_761) >> 7) as u8).collect();
    Image::from_u8(width, height, 1, values).unwrap()
}

fn run(image: &Image, window: (usize, usize), tiling: Tiling, model: &Toy) -> crate::Prediction {
    let mut sink = Sink::new(image.width(), image.height(), model.planes, 0.5, true);
    predict(image, &preprocessing(window.0, window.1), tiling, model, &mut sink, &mut |_| {}).unwrap();
    sink.finish().unwrap()
}

/// Full planes of weighted sums and of weights, in f64.
fn naive(image: &Image, (height, width): (usize, usize), overlap: f32, model: &Toy) -> Vec<Vec<f32>> {
    let rows = Axis::new(image.height(), height, overlap);
    let columns = Axis::new(image.width(), width, overlap);
    let mut sums = vec![vec![0.0f64; rows.padded * columns.padded]; model.planes];
    let mut weights = vec![0.0f64; rows.padded * columns.padded];
    for &top in &rows.starts {
        for &left in &columns.starts {
            let mut input = Vec::new();
            let corner = (rows.image_position(top), columns.image_position(left));
            append_region(image, &preprocessing(height, width), corner, (height, width), &mut input);
            let output = model.run(input, [1, 1, height, width]).unwrap();
            for y in 0..height {
                for x in 0..width {
                    let at = (top + y) * columns.padded + left + x;
                    let weight = f64::from(rows.weights[y]) * f64::from(columns.weights[x]);
                    weights[at] += weight;
                    for (plane, sums) in sums.iter_mut().enumerate() {
                        sums[at] += weight * f64::from(output[(plane * height + y) * width + x]);
                    }
                }
            }
        }
    }
    let inside = |plane: &Vec<f64>| {
        let mut out = Vec::new();
        for y in rows.before..rows.before + rows.size {
            for x in columns.before..columns.before + columns.size {
                let at = y * columns.padded + x;
                out.push((plane[at] / weights[at]) as f32);
            }
        }
        out
    };
    sums.iter().map(inside).collect()
}

#[test]
fn the_rolling_band_equals_full_accumulation() {
    for (width, height) in [(37, 53), (16, 12), (5, 40), (40, 5), (1, 1), (17, 13), (100, 3), (63, 47)] {
        for overlap in [0.0, 0.5, 0.75] {
            let (image, model) = (picture(width, height), Toy::new(3, false));
            let got = run(&image, (12, 16), Tiling { overlap, batch: 3, first_length: 9 }, &model);
            let planes = got.probabilities.unwrap();
            for (got, want) in planes.iter().zip(naive(&image, (12, 16), overlap, &model)) {
                assert_eq!(got.len(), width * height);
                for (got, want) in got.iter().zip(want) {
                    assert!((got - want).abs() < 2e-6, "{width}x{height} overlap {overlap}: {got} {want}");
                }
            }
        }
    }
}

#[test]
fn a_constant_output_is_stitched_without_seams() {
    let image = picture(61, 47);
    let planes = run(&image, (16, 16), Tiling { overlap: 0.5, batch: 4, first_length: 9 }, &Toy::new(1, true))
        .probabilities
        .unwrap();
    assert!(planes[0].iter().all(|p| (p - 0.6).abs() < 1e-6));
}

#[test]
fn magnified_windows_come_back_at_the_images_size() {
    // The model tells what it sees: a smooth picture must come back as it was, and lengths in the image's pixels.
    struct Echo;
    impl Probabilities for Echo {
        fn planes(&self) -> usize {
            2
        }

        fn run(&self, batch: Vec<f32>, [n, c, h, w]: [usize; 4]) -> Result<Vec<f32>> {
            assert_eq!((c, batch.len()), (1, n * h * w));
            Ok(batch.chunks_exact(h * w).flat_map(|image| [image, image].concat()).collect())
        }
    }
    let (width, height) = (61usize, 47usize);
    let wave = |x: usize, y: usize| 120.0 + 50.0 * (x as f32 / 9.0).sin() + 50.0 * (y as f32 / 11.0).cos();
    let pixels = (0..width * height).map(|i| wave(i % width, i / width).round() as u8).collect();
    let image = Image::from_u8(width, height, 1, pixels).unwrap();
    for scale in [1.0, 1.5, 1.7, 2.0, 4.0] {
        let preprocessing = Preprocessing { scale, ..preprocessing(16, 24) };
        let tiling = Tiling { overlap: 0.4, batch: 2, first_length: 1 };
        let mut sink = Sink::new(width, height, 2, 0.5, true);
        predict(&image, &preprocessing, tiling, &Echo, &mut sink, &mut |_| {}).unwrap();
        let planes = sink.finish().unwrap().probabilities.unwrap();
        for y in 0..height {
            for x in 0..width {
                let found = planes[0][y * width + x];
                assert!((found - wave(x, y)).abs() < 3.0, "{scale} at {x}, {y}: {found}, not {}", wave(x, y));
                let length = planes[1][y * width + x] * scale;
                assert!((length - found).abs() < 0.02 * found, "{scale}: {length} and {found}");
            }
        }
    }
}

#[test]
fn the_batch_size_does_not_change_the_result() {
    let image = picture(50, 30);
    let one = run(&image, (16, 16), Tiling { overlap: 0.5, batch: 1, first_length: 9 }, &Toy::new(2, false));
    let many = run(&image, (16, 16), Tiling { overlap: 0.5, batch: 100, first_length: 9 }, &Toy::new(2, false));
    assert_eq!(one, many);
}

#[test]
fn windows_cover_the_axis_evenly_and_alike_from_both_ends() {
    for size in 1..200 {
        for (window, overlap) in
            [(16, 0.5), (16, 0.0), (7, 0.9), (1, 0.5), (33, 0.25), (16, 0.85), (20, 0.85), (2, 0.0)]
        {
            let padded = size.max(window);
            let found = starts(padded, window, overlap);
            assert_eq!((found[0], found[found.len() - 1]), (0, padded - window));
            for pair in found.windows(2) {
                assert!(pair[0] < pair[1] && pair[1] - pair[0] <= step(window, overlap), "{size} {window} {found:?}");
            }
            let middle = found.len() / 2;
            for (index, start) in found.iter().enumerate().filter(|(index, _)| *index != middle) {
                assert_eq!(padded - window - start, found[found.len() - 1 - index], "{found:?}");
            }
        }
    }
}

#[test]
fn memory_depends_on_the_window_and_not_on_the_height() {
    let image = picture(3000, 2000);
    let model = Toy::new(2, true);
    let mut sink = Sink::new(3000, 2000, 2, 0.5, false);
    let tiling = Tiling { overlap: 0.25, batch: 4, first_length: 9 };
    let mut told = Vec::new();
    predict(&image, &preprocessing(64, 64), tiling, &model, &mut sink, &mut |share| told.push(share)).unwrap();
    let prediction = sink.finish().unwrap();
    assert_eq!((prediction.labels.width(), prediction.labels.height()), (3000, 2000));
    assert!(prediction.probabilities.is_none());
    assert!(model.largest.get() <= 4 * 64 * 64);
    assert_eq!(Band::new(2, 64, 3000).values.len(), 2 * 64 * 3000);
}
