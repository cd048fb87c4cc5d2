//! People as they are seen in a rendered window: keypoints go where the pixels go.

use vibhag_core::{Error, ErrorKind, Image, Keypoint, LabelMap, Person, Pose, Purpose, Result, Skeleton};
use vibhag_imaging::pose::{Area, Grid, Region, Turn, lean, unlabelled};
use vibhag_imaging::{Affine, resize_image, warp_labels};

use super::{Augmenter, Key, Prepared, Rendering};
use crate::truth::{People, PoseRules, Truth};

/// Degrees from which on a person of a turned view is not to be found.
const FALLEN: f64 = 55.0;

impl Augmenter {
    /// The same augmenter for people: renders heat maps and part affinity fields of them.
    ///
    /// # Errors
    /// When pixels would be displaced one by one, which keypoints cannot follow, or the window is not divided by the
    /// stride.
    pub fn with_poses(mut self, rules: PoseRules) -> Result<Self> {
        if self.config.elastic_probability > 0.0 {
            return Err(Error::new(ErrorKind::Unsupported, "keypoints do not follow elastic deformations")
                .hint("set augment.elastic_probability = 0"));
        }
        let (height, width) = self.preprocessing.geometry.size();
        if rules.stride == 0 || !height.is_multiple_of(rules.stride) || !width.is_multiple_of(rules.stride) {
            return Err(Error::config(format!("windows of {width}x{height} are no multiples of {}", rules.stride))
                .hint("use sides that are multiples of 32"));
        }
        self.poses = Some(rules);
        Ok(self)
    }

    /// Renders the window of `sample` that `key` draws, and the targets of the people in it. Returns the people, in pixels
    /// of the window: keypoints outside it are absent, and people without any are left out, but unlabelled ones stay.
    ///
    /// # Errors
    /// When the augmenter or the sample is not one of people.
    pub fn render_people(&self, sample: &Prepared, key: Key, out: Rendering<'_>) -> Result<Vec<Person>> {
        let (Some(rules), Truth::People(people), Some(unknown)) = (&self.poses, &sample.truth, &sample.unknown) else {
            return Err(Error::config("a rendering of people needs their skeleton and keypoints"));
        };
        let mut rng = key.rng(Purpose::Turn);
        let (fallen, other) = (rng.chance(rules.fallen), rng.below(Turn::ALL.len() - 1) + 1);
        let turn = if fallen && rules.upright && self.moves() { Turn::ALL[other] } else { Turn::default() };
        let leaning = if rules.upright { mean_lean(people, &rules.skeleton) } else { 0.0 };
        let map = self.draw(sample, key, turn.degrees() + leaning, out.planes).map;
        let (_, height, width) = self.shape();
        let Some(back) = map.inverse() else {
            return Err(Error::config("the window shows a single point of the image"));
        };
        let shown: Vec<Person> =
            people.people.iter().filter_map(|person| seen(person, &rules.skeleton, &back, [width, height])).collect();
        // Beyond the border the image is mirrored: people there are as unlabelled as they are real.
        let unknown = warp_labels(unknown, &map, None, Some(1), width, height);
        let unknown: Vec<bool> = unknown.iter().map(|&label| label != 0).collect();
        let grid = Grid::covering(width, height, rules.stride);
        let stands = |pose: &Pose| lean(pose, &rules.skeleton).is_some_and(|lean| lean.abs() < FALLEN);
        let poses: Vec<Pose> = shown
            .iter()
            .filter(|person| !person.crowd && (turn.is_none() || stands(&person.pose)))
            .map(|person| person.pose.clone())
            .collect();
        let unknown = Some((unknown.as_slice(), [width, height]));
        rules.targets.write(&rules.skeleton, &poses, &grid, unknown, out.targets)?;
        Ok(shown)
    }
}

/// By how many degrees the people must be turned clockwise to stand upright on the average; 0 where nobody's trunk is
/// labelled.
fn mean_lean(people: &People, skeleton: &Skeleton) -> f64 {
    let leans = people.people.iter().filter_map(|person| lean(&person.pose, skeleton)).map(f64::to_radians);
    let (sin, cos) = leans.fold((0.0, 0.0), |(sin, cos), lean| (sin + lean.sin(), cos + lean.cos()));
    f64::atan2(sin, cos).to_degrees()
}

/// The person as the window of `sides` (width, height) shows it, to which `back` leads from the image.
fn seen(person: &Person, skeleton: &Skeleton, back: &Affine, sides: [usize; 2]) -> Option<Person> {
    let inside =
        |x: f64, y: f64| [x, y].iter().zip(sides).all(|(&value, side)| (-0.5..side as f64 - 0.5).contains(&value));
    let moved = |keypoint: Keypoint| {
        // Affine maps count from the corner of the first pixel, keypoints from its centre.
        let (x, y) = back.apply(keypoint.x + 0.5, keypoint.y + 0.5);
        let (x, y) = (x - 0.5, y - 0.5);
        if keypoint.is_present() && inside(x, y) { Keypoint { x, y, ..keypoint } } else { Keypoint::ABSENT }
    };
    let mirrored = back.determinant() < 0.0;
    let order: Vec<usize> = if mirrored { skeleton.mirror_order() } else { (0..skeleton.len()).collect() };
    let own = &person.pose.keypoints;
    let keypoints = order.into_iter().map(|source| own.get(source).copied().map_or(Keypoint::ABSENT, moved)).collect();
    let pose = Pose { keypoints, ..person.pose.clone() };
    let bounds = moved_box(person.bounds, |x, y| back.apply(x, y));
    let touches = (0..2).all(|axis| bounds[axis] < sides[axis] as f64 && bounds[axis] + bounds[axis + 2] > 0.0);
    let was_labelled = person.pose.present() > 0;
    if (was_labelled && pose.present() == 0) || !touches {
        return None;
    }
    Some(Person { pose, bounds, area: person.area * back.determinant().abs(), crowd: person.crowd })
}

/// The box around a moved box.
fn moved_box([left, top, width, height]: [f64; 4], map: impl Fn(f64, f64) -> (f64, f64)) -> [f64; 4] {
    let corners = [(0.0, 0.0), (width, 0.0), (0.0, height), (width, height)].map(|(x, y)| map(left + x, top + y));
    let low = corners.iter().fold((f64::INFINITY, f64::INFINITY), |low, &(x, y)| (low.0.min(x), low.1.min(y)));
    let high =
        corners.iter().fold((f64::NEG_INFINITY, f64::NEG_INFINITY), |high, &(x, y)| (high.0.max(x), high.1.max(y)));
    [low.0, low.1, high.0 - low.0, high.1 - low.1]
}

/// Image and people turned by quarters so that most of the people are nearest to upright; as they are where nobody's trunk
/// is labelled.
pub(super) fn upright(image: Image, people: People, skeleton: &Skeleton) -> Result<(Image, People)> {
    let own: Vec<Turn> = people.people.iter().filter_map(|person| Turn::upright(&person.pose, skeleton)).collect();
    let votes = |turn: &Turn| own.iter().filter(|other| *other == turn).count();
    // Of equal votes the first turn wins, which is none.
    let Some(turn) = Turn::ALL.into_iter().rev().max_by_key(votes).filter(|turn| !turn.is_none()) else {
        return Ok((image, people));
    };
    let size = [people.width, people.height];
    let [width, height] = turn.size(size);
    let moved = |person: &Person| {
        let bounds = moved_box(person.bounds, |x, y| turn.place([x, y], size).into());
        Person { pose: turn.pose(&person.pose, size), bounds, ..*person }
    };
    let people = People { width, height, people: people.people.iter().map(moved).collect() };
    Ok((turn.image(&image)?, people))
}

/// Image and people at the size at which the network sees them, where that is smaller: once, and without the aliasing of
/// a warp that shrinks.
pub(super) fn shrunk(image: Image, people: People, scale: f32) -> Result<(Image, People)> {
    if scale >= 1.0 {
        return Ok((image, people));
    }
    let side = |side: usize| ((side as f32 * scale).round() as usize).max(1);
    let (width, height) = (side(people.width), side(people.height));
    let map = Affine::scaling(width as f64 / people.width as f64, height as f64 / people.height as f64);
    let smaller = |mut person: Person| {
        for keypoint in person.pose.keypoints.iter_mut().filter(|keypoint| keypoint.is_present()) {
            let (x, y) = map.apply(keypoint.x + 0.5, keypoint.y + 0.5);
            (keypoint.x, keypoint.y) = (x - 0.5, y - 0.5);
        }
        Person {
            bounds: moved_box(person.bounds, |x, y| map.apply(x, y)),
            area: person.area * map.determinant(),
            ..person
        }
    };
    let people = People { width, height, people: people.people.into_iter().map(smaller).collect() };
    Ok((resize_image(&image, width, height)?, people))
}

/// Where somebody may be whom nobody labelled.
pub(super) fn unknown(people: &People) -> Result<LabelMap> {
    let regions: Vec<Region<'_>> = people
        .people
        .iter()
        .map(|person| Region {
            area: Area::Box(person.bounds),
            crowd: person.crowd,
            labelled: person.pose.present() > 0,
        })
        .collect();
    let mask = unlabelled(people.width, people.height, &regions)?;
    LabelMap::new(people.width, people.height, mask.into_iter().map(u16::from).collect())
}

/// For each labelled person pixels between its middle and its keypoints: windows around them show most of it, in many
/// places.
pub(super) fn anchors_of_people(people: &People) -> Vec<Vec<[u32; 2]>> {
    let of_person = |person: &Person| {
        let [left, top, width, height] = person.pose.bounds().filter(|_| !person.crowd)?;
        let middle = [left + width / 2.0, top + height / 2.0];
        let inside = |value: f64, side: usize| value.round().clamp(0.0, side as f64 - 1.0) as u32;
        let present = person.pose.keypoints.iter().filter(|keypoint| keypoint.is_present());
        let between = |keypoint: &Keypoint| {
            let [x, y] = [f64::midpoint(middle[0], keypoint.x), f64::midpoint(middle[1], keypoint.y)];
            [inside(x, people.width), inside(y, people.height)]
        };
        Some(present.map(between).collect())
    };
    people.people.iter().filter_map(of_person).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::augment::AugmentConfig;
    use vibhag_core::{Geometry, Preprocessing, Visibility};
    use vibhag_imaging::pose::AffinityTargets;

    const KEYPOINTS: [[f64; 2]; 3] = [[40.0, 20.0], [20.0, 60.0], [70.0, 50.0]];

    fn rules() -> PoseRules {
        let skeleton = Skeleton::custom("arms", &["nose", "left_wrist", "right_wrist"], &[[0, 1], [0, 2]]).unwrap();
        PoseRules {
            skeleton,
            targets: AffinityTargets { sigma: 4.0, limb_width: 4.0, background: false },
            stride: 4,
            upright: false,
            fallen: 0.0,
        }
    }

    /// A black image with a spot of its own colour at each keypoint: red nose, green left wrist, blue right wrist.
    fn drawn() -> (Image, People) {
        let (width, height) = (110usize, 90usize);
        let mut pixels = vec![0u8; width * height * 3];
        for (channel, [x, y]) in KEYPOINTS.into_iter().enumerate() {
            for v in 0..height {
                for u in 0..width {
                    let distance = (u as f64 - x).hypot(v as f64 - y);
                    let value = (255.0 * (-0.5 * (distance / 2.5).powi(2)).exp()) as u8;
                    let slot = &mut pixels[3 * (v * width + u) + channel];
                    *slot = (*slot).max(value);
                }
            }
        }
        let keypoints =
            KEYPOINTS.iter().map(|&[x, y]| Keypoint { x, y, score: 1.0, visibility: Visibility::Visible }).collect();
        let pose = Pose { keypoints, score: 1.0, id: None };
        let person = Person { pose, area: 2000.0, bounds: [20.0, 20.0, 50.0, 40.0], crowd: false };
        (Image::from_u8(width, height, 3, pixels).unwrap(), People { width, height, people: vec![person] })
    }

    fn augmenter(scale: f32, config: AugmentConfig) -> Augmenter {
        let geometry = Geometry::Window { height: 64, width: 96 };
        let preprocessing =
            Preprocessing { stretch: None, scale, channels: 3, mean: vec![0.0; 3], std: vec![1.0; 3], geometry };
        Augmenter::new(preprocessing, config, None).unwrap().with_poses(rules()).unwrap()
    }

    fn turning() -> AugmentConfig {
        AugmentConfig {
            flip_horizontal: 0.5,
            affine_probability: 1.0,
            rotate_degrees: 40.0,
            scale: [0.7, 1.3],
            foreground_probability: 1.0,
            ..AugmentConfig::none()
        }
    }

    #[test]
    fn keypoints_go_where_their_pixels_go_and_sides_are_swapped_by_mirroring() {
        let (mut seen, mut mirrored) = (0, 0);
        for scale in [1.0, 1.5, 0.5] {
            let augmenter = augmenter(scale, turning());
            let (image, people) = drawn();
            let sample = augmenter.prepare(image, people).unwrap();
            for epoch in 0..40 {
                let mut planes = vec![0.0; 3 * 64 * 96];
                let mut targets = vec![f32::NAN; augmenter.target_len()];
                let out = Rendering { planes: &mut planes, labels: &mut [], targets: &mut targets };
                let key = Key { seed: 3, epoch, sample: 0, copy: 0 };
                let found = augmenter.render_people(&sample, key, out).unwrap();
                let Some(person) = found.first() else { continue };
                let value = |channel: usize, k: &Keypoint| {
                    planes[channel * 64 * 96 + k.y.round() as usize * 96 + k.x.round() as usize]
                };
                for (index, keypoint) in person.pose.keypoints.iter().enumerate().filter(|(_, k)| k.is_present()) {
                    let (own, other) = (value(index, keypoint), value((3 - index) % 3, keypoint));
                    // In a mirrored picture the green spot is a right wrist.
                    let bright = own.max(other);
                    assert!(bright > 120.0, "scale {scale}, epoch {epoch}, keypoint {index}: {bright}");
                    if index > 0 {
                        seen += 1;
                        mirrored += usize::from(other > own);
                    }
                    let cell = (keypoint.y / 4.0) as usize * 24 + (keypoint.x / 4.0) as usize;
                    assert!(targets[index * 16 * 24 + cell] > 0.5, "scale {scale}, epoch {epoch}");
                }
            }
        }
        assert!(seen > 60 && mirrored > seen / 4 && mirrored < 3 * seen / 4, "{mirrored} of {seen}");
    }

    #[test]
    fn people_are_turned_upright_with_their_pixels() {
        let skeleton = Skeleton::custom("trunk", &["neck", "left_hip", "right_hip"], &[[0, 1], [0, 2]]).unwrap();
        let (image, people) = drawn();
        // The neck, red, is at the top; green and blue hips are below it: upright as drawn.
        let same = upright(image.clone(), people.clone(), &skeleton).unwrap();
        assert_eq!(same, (image.clone(), people.clone()));
        for turn in Turn::ALL.into_iter().skip(1) {
            let size = [image.width(), image.height()];
            let [width, height] = turn.size(size);
            let mut fallen = People { width, height, people: people.people.clone() };
            fallen.people[0].pose = turn.pose(&people.people[0].pose, size);
            let (corner, other) = (turn.place([20.0, 20.0], size), turn.place([70.0, 60.0], size));
            let low = [corner[0].min(other[0]), corner[1].min(other[1])];
            fallen.people[0].bounds = [low[0], low[1], (corner[0] - other[0]).abs(), (corner[1] - other[1]).abs()];
            assert_eq!(upright(turn.image(&image).unwrap(), fallen, &skeleton).unwrap(), same);
        }
        let mut unlabelled = people;
        unlabelled.people[0].pose.keypoints.fill(Keypoint::ABSENT);
        let fallen = Turn::ALL[1].image(&image).unwrap();
        unlabelled = People { width: fallen.width(), height: fallen.height(), ..unlabelled };
        assert_eq!(upright(fallen.clone(), unlabelled.clone(), &skeleton).unwrap(), (fallen, unlabelled));
    }

    #[test]
    fn who_leans_stands_upright_in_the_view() {
        let skeleton = Skeleton::custom("trunk", &["neck", "left_hip", "right_hip"], &[[0, 1], [0, 2]]).unwrap();
        let (image, people) = drawn();
        let own = lean(&people.people[0].pose, &skeleton).unwrap();
        assert!((5.0..20.0).contains(&own.abs()), "{own}");
        let geometry = Geometry::Window { height: 128, width: 128 };
        let shape =
            Preprocessing { stretch: None, scale: 1.0, channels: 3, mean: vec![0.0; 3], std: vec![1.0; 3], geometry };
        let mirroring = AugmentConfig { flip_horizontal: 0.5, ..AugmentConfig::none() };
        let mut mirrored = 0;
        for config in [AugmentConfig::none(), mirroring] {
            let rules = PoseRules { skeleton: skeleton.clone(), upright: true, ..rules() };
            let augmenter = Augmenter::new(shape.clone(), config, None).unwrap().with_poses(rules).unwrap();
            let sample = augmenter.prepare(image.clone(), people.clone()).unwrap();
            for epoch in 0..10 {
                let (mut planes, mut targets) = (vec![0.0; 3 * 128 * 128], vec![f32::NAN; augmenter.target_len()]);
                let out = Rendering { planes: &mut planes, labels: &mut [], targets: &mut targets };
                let shown = augmenter.render_people(&sample, Key { seed: 1, epoch, sample: 0, copy: 0 }, out).unwrap();
                let found = &shown[0].pose;
                let own = lean(found, &skeleton).unwrap();
                assert!(own.abs() < 1e-6, "{own}");
                let at = |k: &Keypoint, channel: usize| {
                    planes[channel * 128 * 128 + k.y.round() as usize * 128 + k.x.round() as usize]
                };
                // The neck is red, and the left hip green, unless it was the right one.
                let green = at(&found.keypoints[1], 1).max(at(&found.keypoints[2], 1));
                assert!(at(&found.keypoints[0], 0) > 120.0 && green > 120.0);
                mirrored += usize::from(at(&found.keypoints[2], 1) > 120.0);
            }
        }
        assert!((1..10).contains(&mirrored), "{mirrored}");
    }

    #[test]
    fn nobody_is_to_be_found_in_a_turned_view() {
        let skeleton = Skeleton::custom("trunk", &["neck", "left_hip", "right_hip"], &[[0, 1], [0, 2]]).unwrap();
        let geometry = Geometry::Window { height: 128, width: 128 };
        let shape =
            Preprocessing { stretch: None, scale: 1.0, channels: 3, mean: vec![0.0; 3], std: vec![1.0; 3], geometry };
        let config = AugmentConfig { flip_horizontal: 0.5, foreground_probability: 1.0, ..AugmentConfig::none() };
        for (fallen, least, most) in [(0.0, 20, 20), (1.0, 0, 0), (0.5, 4, 16)] {
            let rules = PoseRules { skeleton: skeleton.clone(), upright: true, fallen, ..rules() };
            let augmenter = Augmenter::new(shape.clone(), config.clone(), None).unwrap().with_poses(rules).unwrap();
            let (image, people) = drawn();
            let sample = augmenter.prepare(image, people).unwrap();
            let mut found = 0;
            for epoch in 0..20 {
                let (mut planes, mut targets) = (vec![0.0; 3 * 128 * 128], vec![f32::NAN; augmenter.target_len()]);
                let out = Rendering { planes: &mut planes, labels: &mut [], targets: &mut targets };
                let shown = augmenter.render_people(&sample, Key { seed: 1, epoch, sample: 0, copy: 0 }, out).unwrap();
                assert_eq!(shown.len(), 1);
                found += usize::from(targets[..3 * 32 * 32].iter().any(|&heat| heat > 0.5));
            }
            assert!((least..=most).contains(&found), "{fallen}: {found}");
        }
    }

    #[test]
    fn people_without_labels_and_what_lies_beyond_the_image_weigh_nothing() {
        let (image, mut people) = drawn();
        people.people[0].pose.keypoints.fill(Keypoint::ABSENT);
        let geometry = Geometry::Window { height: 96, width: 128 };
        let shape =
            Preprocessing { stretch: None, scale: 1.0, channels: 3, mean: vec![0.0; 3], std: vec![1.0; 3], geometry };
        let augmenter = Augmenter::new(shape, AugmentConfig::none(), None).unwrap().with_poses(rules()).unwrap();
        let sample = augmenter.prepare(image, people).unwrap();
        let (mut planes, mut targets) = (vec![0.0; 3 * 96 * 128], vec![f32::NAN; augmenter.target_len()]);
        let out = Rendering { planes: &mut planes, labels: &mut [], targets: &mut targets };
        let found = augmenter.render_people(&sample, Key { seed: 0, epoch: 0, sample: 0, copy: 0 }, out).unwrap();
        assert_eq!((found.len(), found[0].pose.present()), (1, 0));
        // The image lies at (9, 3) of the window, the person's box at (29, 23) to (79, 63).
        let weight = |x: usize, y: usize| targets[7 * 24 * 32 + y / 4 * 32 + x / 4];
        assert_eq!((weight(50, 40), weight(20, 40), weight(50, 80)), (0.0, 1.0, 1.0));
        assert_eq!((weight(2, 40), weight(125, 40), weight(50, 0)), (0.0, 0.0, 0.0));
        assert!(targets[..7 * 24 * 32].iter().all(|&value| value == 0.0));
    }

    #[test]
    fn what_keypoints_cannot_follow_is_refused() {
        let elastic = AugmentConfig { elastic_probability: 0.2, ..AugmentConfig::default() };
        let geometry = Geometry::Window { height: 64, width: 62 };
        let shape = Preprocessing { stretch: None, scale: 1.0, channels: 1, mean: vec![0.0], std: vec![1.0], geometry };
        let plain = Augmenter::new(shape.clone(), elastic, None).unwrap();
        assert!(plain.with_poses(rules()).unwrap_err().to_string().contains("elastic"));
        let odd = Augmenter::new(shape, AugmentConfig::none(), None).unwrap();
        assert!(odd.with_poses(rules()).unwrap_err().to_string().contains("62x64"));
    }
}
