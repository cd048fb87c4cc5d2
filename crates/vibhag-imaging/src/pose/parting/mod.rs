//! Whose pixels those of people are: a mask of all of them, parted between their skeletons.

mod body;
mod contest;

use std::cmp::Reverse;
use std::ops::Range;

use vibhag_core::{BinaryMask, Error, ErrorKind, IdMap, Pose, Result, Skeleton};

use super::by_score;
use crate::components::{Components, Connectivity, label_components};
use body::Body;
use contest::Contest;

/// How a mask is parted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PartingOptions {
    /// How far from a skeleton a part of the mask that no skeleton meets may lie to be that person's (a hand behind a
    /// pole), as a share of the person's size.
    pub reach: f64,
    /// The largest area of such a part, as a share of the person's size squared: more than that is somebody else.
    pub fragment: f64,
    /// The least area of a part that becomes a person without a skeleton, as a share of the image.
    pub min_share: f64,
    /// The least score of a person who has a skeleton and no pixel.
    pub min_score_unseen: f32,
}

impl Default for PartingOptions {
    fn default() -> Self {
        Self { reach: 0.1, fragment: 0.05, min_share: 0.005, min_score_unseen: 0.5 }
    }
}

impl PartingOptions {
    fn validate(&self) -> Result<()> {
        let shares = [
            ("reach", self.reach),
            ("fragment", self.fragment),
            ("min_share", self.min_share),
            ("min_score_unseen", f64::from(self.min_score_unseen)),
        ];
        match shares.into_iter().find(|(_, value)| !(value.is_finite() && *value >= 0.0)) {
            None => Ok(()),
            Some((name, value)) => {
                Err(Error::config("people are parted with values from 0 on").at(format!("{name} = {value}")))
            }
        }
    }
}

/// A mask that is parted.
#[derive(Debug, Clone, PartialEq)]
pub struct Parting {
    /// The person of each pixel, counted from 1; 0 is nobody.
    pub ids: IdMap,
    /// Of each person which of the poses it is, person `n` at `n - 1`; `None` has no skeleton.
    pub people: Vec<Option<usize>>,
}

/// Gives each pixel of `mask` to one person or to nobody.
///
/// The mask falls into parts that touch (8 neighbours). A part that skeletons meet is divided between them: each pixel
/// goes to the person whose limbs are nearest, where distances are counted in sizes of that person, so that a child
/// beside an adult keeps its own; of equal ones to the one of higher score. The size is three times the second longest
/// limb; a line from between the shoulders to between the hips is one too. A part that no skeleton meets belongs as a whole to the person who is nearest, if it is near and small, or near
/// and the person has no other pixels; if not, it is a person without a skeleton where it is large enough, and nobody's
/// where it is not. [`PartingOptions`] says what near and large are.
///
/// People with a skeleton come first, by falling score, of equal ones the one further up and left; then those without,
/// the larger first. Skeletons without pixels stay if their score is high. The order of `poses` makes no difference.
///
/// Keypoints that are absent or not finite count for nothing. The time depends on the pixels and on how long the
/// borders between people are, hardly on the number of people.
///
/// # Errors
/// When a pose has another number of keypoints than `skeleton`, an option is negative or no number, or the mask has 2^32
/// pixels.
pub fn part_people(
    mask: &BinaryMask,
    poses: &[Pose],
    skeleton: &Skeleton,
    options: &PartingOptions,
) -> Result<Parting> {
    options.validate()?;
    skeleton.validate()?;
    let (width, height) = (mask.width(), mask.height());
    if let Some(pose) = poses.iter().find(|pose| pose.keypoints.len() != skeleton.len()) {
        return Err(Error::new(
            ErrorKind::SizeMismatch,
            format!("a pose of {} keypoints, not the skeleton's {}", pose.keypoints.len(), skeleton.len()),
        ));
    }
    if width * height >= u32::MAX as usize {
        return Err(Error::new(ErrorKind::Unsupported, "people are parted in masks of fewer than 2^32 pixels")
            .at(format!("{width}x{height}")));
    }
    let mut order: Vec<usize> = (0..poses.len()).collect();
    order.sort_by(|&a, &b| by_score(&poses[a], &poses[b]));
    let bodies: Vec<Body> = order.iter().map(|&pose| Body::new(&poses[pose], skeleton)).collect();
    let parts = label_components(mask, Connectivity::Eight);
    let owners = owners(&parts, [width, height], &bodies, options);
    let mut ids = painted(&parts.labels, &owners, bodies.len());
    let boxes = boxes(&parts, width);
    for ((part, owner), [columns, rows]) in (1u32..).zip(&owners).zip(boxes) {
        if let Owner::Rivals(rivals) = owner {
            let mut contest = Contest { labels: &parts.labels, width, part, bodies: &bodies, ids: &mut ids };
            contest.settle(columns, rows, rivals);
        }
    }
    let people = numbered(&mut ids, &parts.areas, &order, |pose| poses[pose].score >= options.min_score_unseen);
    Ok(Parting { ids: IdMap::new(width, height, ids)?, people })
}

/// Whose a part of the mask is. Bodies are named by their place.
#[derive(Debug, Clone, PartialEq)]
enum Owner {
    Nobody,
    Body(usize),
    /// Somebody without a skeleton.
    Stranger,
    /// Two or more, rising.
    Rivals(Vec<usize>),
}

/// The owner of each part.
fn owners(parts: &Components, size: [usize; 2], bodies: &[Body], options: &PartingOptions) -> Vec<Owner> {
    let mut met: Vec<Vec<usize>> = vec![Vec::new(); parts.count()];
    let mut has_pixels = vec![false; bodies.len()];
    for (index, body) in bodies.iter().enumerate() {
        body.for_each_pixel(size, |x, y| {
            let Some(part) = (parts.labels[y * size[0] + x] as usize).checked_sub(1) else { return };
            has_pixels[index] = true;
            if met[part].last() != Some(&index) {
                met[part].push(index);
            }
        });
    }
    let nearest = nearest_bodies(parts, size, bodies, &met, options.reach);
    let least_area = (options.min_share * (size[0] * size[1]) as f64).max(1.0);
    let owner = |((met, nearest), &area): ((Vec<usize>, Option<usize>), &usize)| {
        let is_own = |&body: &usize| !has_pixels[body] || area as f64 <= options.fragment * bodies[body].size.powi(2);
        match met[..] {
            [] => match nearest.filter(is_own) {
                Some(body) => Owner::Body(body),
                None if area as f64 >= least_area => Owner::Stranger,
                None => Owner::Nobody,
            },
            [body] => Owner::Body(body),
            _ => Owner::Rivals(met),
        }
    };
    met.into_iter().zip(nearest).zip(&parts.areas).map(owner).collect()
}

/// For each part that nobody's limbs meet the body that is nearest to it, of those within `reach` sizes of it.
fn nearest_bodies(
    parts: &Components,
    [width, height]: [usize; 2],
    bodies: &[Body],
    met: &[Vec<usize>],
    reach: f64,
) -> Vec<Option<usize>> {
    let mut nearest: Vec<Option<(f64, usize)>> = vec![None; parts.count()];
    for (index, &label) in parts.labels.iter().enumerate() {
        let Some(part) = (label as usize).checked_sub(1).filter(|&part| met[part].is_empty()) else { continue };
        let (x, y) = (index % width, index / width);
        // The limbs lie outside, so that a pixel of the border is the nearest.
        let inside = x > 0 && x + 1 < width && y > 0 && y + 1 < height;
        let other = |neighbour: usize| parts.labels[neighbour] != label;
        if inside && ![index - 1, index + 1, index - width, index + width].into_iter().any(other) {
            continue;
        }
        for (body, limbs) in bodies.iter().enumerate().filter(|(_, body)| body.is_about(x as f64, y as f64, reach)) {
            let found = (limbs.distance(x as f64, y as f64), body);
            if found.0 <= reach && nearest[part].is_none_or(|least| found < least) {
                nearest[part] = Some(found);
            }
        }
    }
    nearest.into_iter().map(|found| found.map(|(_, body)| body)).collect()
}

/// Columns and rows of the box around each part.
fn boxes(parts: &Components, width: usize) -> Vec<[Range<usize>; 2]> {
    let mut boxes = vec![[0..0, 0..0]; parts.count()];
    for (index, &label) in parts.labels.iter().enumerate() {
        if let Some(around) = (label as usize).checked_sub(1).and_then(|part| boxes.get_mut(part)) {
            for (range, at) in around.iter_mut().zip([index % width, index / width]) {
                let start = if range.end == 0 { at } else { range.start.min(at) };
                *range = start..range.end.max(at + 1);
            }
        }
    }
    boxes
}

/// The pixels under the numbers of their owners: bodies from 1 on, then strangers by their part; 0 in between, and where
/// a part has rivals.
fn painted(labels: &[u32], owners: &[Owner], bodies: usize) -> Vec<u32> {
    let number = |(part, owner): (usize, &Owner)| match owner {
        Owner::Body(body) => *body as u32 + 1,
        Owner::Stranger => (bodies + part) as u32 + 1,
        Owner::Nobody | Owner::Rivals(_) => 0,
    };
    let numbers: Vec<u32> = std::iter::once(0).chain(owners.iter().enumerate().map(number)).collect();
    labels.iter().map(|&label| numbers[label as usize]).collect()
}

/// Numbers those who stay without gaps, and says which pose each of them is. `order` has the poses in the order of the
/// bodies, `areas` those of the parts.
fn numbered(
    ids: &mut [u32],
    areas: &[usize],
    order: &[usize],
    stays_unseen: impl Fn(usize) -> bool,
) -> Vec<Option<usize>> {
    let mut seen = vec![false; order.len() + areas.len() + 1];
    for &id in ids.iter() {
        seen[id as usize] = true;
    }
    let bodies = (0..order.len()).filter(|&body| seen[body + 1] || stays_unseen(order[body]));
    let mut strangers: Vec<usize> = (0..areas.len()).filter(|part| seen[order.len() + part + 1]).collect();
    // Stable: of equal ones the one that begins further up.
    strangers.sort_by_key(|&part| Reverse(areas[part]));
    let kept = bodies.map(|body| (body, Some(order[body])));
    let kept: Vec<(usize, Option<usize>)> =
        kept.chain(strangers.into_iter().map(|part| (order.len() + part, None))).collect();
    let mut numbers = vec![0; seen.len()];
    for (number, (place, _)) in (1u32..).zip(&kept) {
        numbers[place + 1] = number;
    }
    for id in ids {
        *id = numbers[*id as usize];
    }
    kept.into_iter().map(|(_, pose)| pose).collect()
}

#[cfg(test)]
mod tests;
