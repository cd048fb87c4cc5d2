//! Objects across the borders of windows. The model is the identity: the image itself holds the maps, so whatever differs
//! from objects read from the whole image comes from cutting and joining windows.

use std::collections::BTreeMap;

use super::tests::manifest_for;
use super::*;
use vibhag_core::{ClassTable, Grouping, Head, Purpose, Rng, Samples, Task};
use vibhag_imaging::instances::targets;
use vibhag_nn::NetworkConfig;

const WIDTH: usize = 230;
const HEIGHT: usize = 170;
/// An image value for each unit of a map; 8 bits hold maps from -4 to 4.
const STEPS: f32 = 31.0;

/// Gives back the maps that the image holds: the first plane as a probability.
struct Identity(usize);

impl Probabilities for Identity {
    fn planes(&self) -> usize {
        self.0
    }

    fn run(&self, batch: Vec<f32>, _shape: [usize; 4]) -> Result<Vec<f32>> {
        Ok(batch)
    }
}

/// Discs of many sizes at random places, also touching and cut by the image's border; their number.
fn discs() -> (Vec<u32>, usize) {
    let mut rng = Rng::new(3, 0, 0, Purpose::Synthesis);
    let mut ids = vec![0u32; WIDTH * HEIGHT];
    let mut count = 0;
    for _ in 0..400 {
        let (cx, cy, r) = (rng.uniform(0.0, WIDTH as f32), rng.uniform(0.0, HEIGHT as f32), rng.uniform(5.0, 15.0));
        let own: Vec<usize> =
            (0..ids.len()).filter(|&i| ((i % WIDTH) as f32 - cx).hypot((i / WIDTH) as f32 - cy) < r).collect();
        if own.len() > 60 && own.iter().all(|&i| ids[i] == 0) {
            count += 1;
            for i in own {
                ids[i] = count;
            }
        }
    }
    (ids, count as usize)
}

/// An image whose channels are the foreground and the maps of `head` as a network gives them.
fn image_of(head: Head, ids: &[u32]) -> Image {
    let mut planes = vec![0.0; head.target_planes() * ids.len()];
    targets(head, ids, WIDTH, HEIGHT, &mut planes);
    let foreground: Vec<f32> = ids.iter().map(|&id| f32::from(u8::from(id != 0))).collect();
    let scale = if head == Head::Flow { 4.0 } else { 1.0 };
    let maps = planes.chunks_exact(ids.len()).take(head.maps());
    let planes: Vec<Vec<f32>> =
        std::iter::once(foreground).chain(maps.map(|map| map.iter().map(|v| scale * v).collect())).collect();
    let byte = |value: f32| (128.0 + STEPS * value).round().clamp(0.0, 255.0) as u8;
    let values = (0..ids.len()).flat_map(|i| planes.iter().map(move |plane| byte(plane[i])).collect::<Vec<_>>());
    Image::new(WIDTH, HEIGHT, planes.len(), Samples::U8(values.collect())).unwrap()
}

fn manifest(head: Head, geometry: Geometry) -> Manifest {
    let channels = 1 + head.maps();
    let network = NetworkConfig::new("unet-lite", None, channels, 1).unwrap().with_head(head);
    let mut manifest = manifest_for(geometry, network);
    manifest.task = Task::Instance;
    manifest.classes = ClassTable::binary("disc").with_things(|class| class == 1);
    manifest.preprocessing.mean = vec![128.0; channels];
    manifest.preprocessing.std = vec![STEPS; channels];
    manifest.postprocessing.grouping = Some(Grouping::of(head));
    manifest
}

fn objects(head: Head, image: &Image, window: (usize, usize), overlap: f32) -> vibhag_core::Panoptic {
    let mut manifest = manifest(head, Geometry::Window { height: window.0, width: window.1 });
    manifest.postprocessing.overlap = overlap;
    let prediction = predict_with(&manifest, &Identity(1 + head.maps()), 3, false, image, &mut |_| {}).unwrap();
    prediction.segments.unwrap()
}

#[test]
fn objects_across_windows_come_out_once_and_whole() {
    let (ids, count) = discs();
    assert!(count > 40, "{count} discs");
    for head in [Head::Flow] {
        let image = image_of(head, &ids);
        let whole = objects(head, &image, (HEIGHT, WIDTH), 0.5);
        assert_eq!(whole.segments.len(), count, "{head}: from one window");
        for (window, overlap) in [((64, 64), 0.25), ((48, 80), 0.5), ((57, 33), 0.125)] {
            let tiled = objects(head, &image, window, overlap);
            assert_eq!(tiled.segments.len(), count, "{head}: windows {window:?}");
            // Each object of the whole is one object of the tiles, up to pixels where rounding decides.
            let mut partners: BTreeMap<u32, BTreeMap<u32, usize>> = BTreeMap::new();
            for (&a, &b) in whole.ids.ids().iter().zip(tiled.ids.ids()).filter(|(a, _)| **a != 0) {
                *partners.entry(a).or_default().entry(b).or_default() += 1;
            }
            let areas = (whole.areas(), tiled.areas());
            for (a, found) in partners {
                let (&b, &shared) = found.iter().max_by_key(|(_, pixels)| **pixels).unwrap();
                assert_ne!(b, 0, "{head}: object {a} is gone with windows {window:?}");
                let union = areas.0[a as usize - 1] + areas.1[b as usize - 1] - shared;
                assert!(shared as f64 / union as f64 > 0.97, "{head}: object {a}, windows {window:?}");
            }
        }
    }
}

#[test]
fn center_votes_and_stars_cross_windows_too() {
    // Offsets and distances exceed what the image's bytes hold, so the discs are small here.
    let mut ids = vec![0u32; WIDTH * HEIGHT];
    let mut count = 0u32;
    for (cy, cx) in (0..9).flat_map(|row| (0..12).map(move |column| (12 + 18 * row, 14 + 18 * column))) {
        count += 1;
        for (y, x) in (cy - 3..=cy + 3).flat_map(|y| (cx - 3..=cx + 3).map(move |x| (y, x))) {
            ids[y * WIDTH + x] = count;
        }
    }
    for head in [Head::Center, Head::Star] {
        let image = image_of(head, &ids);
        for window in [(HEIGHT, WIDTH), (64, 64), (40, 56)] {
            let found = objects(head, &image, window, 0.25);
            assert_eq!(found.segments.len(), count as usize, "{head}: windows {window:?}");
        }
    }
}
