//! Skeletons: which keypoints a pose has, which limbs join them, which are each other's mirror images, and how precisely
//! people place them.

mod conversion;
mod names;
mod registry;

use serde::{Deserialize, Serialize};

pub use conversion::Conversion;
pub use names::canonical;
pub use registry::{SKELETONS, SkeletonSpec};

use crate::error::{Error, ErrorKind, Result};

/// The sigma of a keypoint of which nobody has measured how precisely people place it: about the mean of COCO's.
pub const UNKNOWN_SIGMA: f64 = 0.067;

/// A skeleton as data. Keypoints are numbered from 0 by their place in `keypoints`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Skeleton {
    /// What people call it.
    pub name: String,
    /// Names of the keypoints.
    pub keypoints: Vec<String>,
    /// Pairs of keypoints that a limb joins.
    pub limbs: Vec<[usize; 2]>,
    /// Pairs of keypoints that change places when the image is mirrored.
    pub flip_pairs: Vec<[usize; 2]>,
    /// For each keypoint the deviation of annotators as a share of the square root of the person's area (COCO's object
    /// keypoint similarity).
    pub sigmas: Vec<f64>,
}

impl Skeleton {
    /// The skeleton of [`SKELETONS`] called `name`; case, `-` and `_` make no difference.
    ///
    /// # Errors
    /// When there is none; the hint lists them.
    pub fn named(name: &str) -> Result<Self> {
        let plain = |name: &str| name.to_ascii_lowercase().replace('_', "-");
        SKELETONS.iter().find(|spec| spec.name == plain(name)).map(SkeletonSpec::skeleton).ok_or_else(|| {
            let known: Vec<&str> = SKELETONS.iter().map(|spec| spec.name).collect();
            Error::config(format!("unknown skeleton {name:?}")).hint(format!("use one of {}", known.join(", ")))
        })
    }

    /// A skeleton of named keypoints joined by `limbs`. Mirror images (`left_ankle` and `right_ankle`) and the sigmas of
    /// joints that COCO knows are found by the names; other keypoints have [`UNKNOWN_SIGMA`].
    ///
    /// # Errors
    /// As [`Self::validate`].
    pub fn custom(name: &str, keypoints: &[impl AsRef<str>], limbs: &[[usize; 2]]) -> Result<Self> {
        let keypoints: Vec<String> = keypoints.iter().map(|name| name.as_ref().to_owned()).collect();
        let sigmas = keypoints.iter().map(|name| names::sigma(name).unwrap_or(UNKNOWN_SIGMA)).collect();
        let flip_pairs = names::flip_pairs(&keypoints);
        let skeleton = Self { name: name.to_owned(), keypoints, limbs: limbs.to_vec(), flip_pairs, sigmas };
        skeleton.validate()?;
        Ok(skeleton)
    }

    /// The skeleton of a COCO category: the names in `keypoints` and the limbs in `skeleton`, which count from 1.
    ///
    /// # Errors
    /// As [`Self::validate`], and when a limb names keypoint 0.
    pub fn from_coco(name: &str, keypoints: &[impl AsRef<str>], skeleton: &[[usize; 2]]) -> Result<Self> {
        let from_zero = |&[a, b]: &[usize; 2]| match (a.checked_sub(1), b.checked_sub(1)) {
            (Some(a), Some(b)) => Ok([a, b]),
            _ => Err(Error::new(ErrorKind::Decode, "a limb of the category names keypoint 0")
                .at(format!("skeleton [{a}, {b}]"))
                .hint("COCO counts keypoints from 1: add 1 to every number in categories[].skeleton")),
        };
        let limbs: Vec<[usize; 2]> = skeleton.iter().map(from_zero).collect::<Result<_>>()?;
        Self::custom(name, keypoints, &limbs)
    }

    /// Number of keypoints.
    pub fn len(&self) -> usize {
        self.keypoints.len()
    }

    /// Whether it has no keypoint.
    pub fn is_empty(&self) -> bool {
        self.keypoints.is_empty()
    }

    /// The number of the keypoint called `name`, which may be spelled in another way (see [`canonical`]).
    pub fn index(&self, name: &str) -> Option<usize> {
        let exact = self.keypoints.iter().position(|own| own == name);
        exact.or_else(|| {
            let wanted = canonical(name);
            self.keypoints.iter().position(|own| canonical(own) == wanted)
        })
    }

    /// For each keypoint the one that stands in its place when the image is mirrored; itself where nothing changes.
    pub fn mirror_order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.len()).collect();
        for &[a, b] in &self.flip_pairs {
            order.swap(a, b);
        }
        order
    }

    /// For each limb the one that stands in its place when the image is mirrored, and whether that one is listed from its
    /// other end. `None` where a limb has no mirror image.
    pub fn mirrored_limbs(&self) -> Option<Vec<(usize, bool)>> {
        mirrored_edges(&self.limbs, &self.mirror_order())
    }

    /// Limbs that reach every keypoint from `root` once, each from the keypoint nearer to the root to the other, breadth
    /// first.
    ///
    /// # Errors
    /// When `root` does not exist or limbs do not lead to some keypoint.
    pub fn tree(&self, root: usize) -> Result<Vec<[usize; 2]>> {
        if root >= self.len() {
            return Err(Error::config(format!("keypoint {root} of {} cannot be the root", self.len())));
        }
        let (mut reached, mut edges, mut queue) = (vec![false; self.len()], Vec::new(), vec![root]);
        reached[root] = true;
        let mut next = 0;
        while let Some(&from) = queue.get(next) {
            next += 1;
            for limb in &self.limbs {
                let to = match *limb {
                    [a, b] if a == from => b,
                    [a, b] if b == from => a,
                    _ => continue,
                };
                if !std::mem::replace(&mut reached[to], true) {
                    edges.push([from, to]);
                    queue.push(to);
                }
            }
        }
        match reached.iter().position(|reached| !reached) {
            None => Ok(edges),
            Some(alone) => Err(Error::config(format!(
                "no limb of skeleton {:?} leads from {:?} to {:?}",
                self.name, self.keypoints[root], self.keypoints[alone]
            ))
            .hint("add limbs to the skeleton")),
        }
    }

    /// Checks that names are there and differ, limbs and pairs name keypoints, and sigmas are positive and equal for
    /// mirror images.
    ///
    /// # Errors
    /// Names what is wrong.
    pub fn validate(&self) -> Result<()> {
        let fail = |what: String| Err(Error::config(what).at(format!("skeleton {:?}", self.name)));
        if self.is_empty() {
            return fail("a skeleton needs at least one keypoint".to_owned());
        }
        for (index, name) in self.keypoints.iter().enumerate() {
            if name.trim().is_empty() {
                return fail(format!("keypoint {index} has no name"));
            }
            if self.keypoints[..index].contains(name) {
                return fail(format!("two keypoints are called {name:?}"));
            }
        }
        for (index, &[a, b]) in self.limbs.iter().enumerate() {
            if a.max(b) >= self.len() {
                return fail(format!("limb {index} joins keypoints {a} and {b} of {}", self.len()));
            }
            if a == b {
                return fail(format!("limb {index} joins keypoint {a} with itself"));
            }
            if self.limbs[..index].iter().any(|&[c, d]| [c, d] == [a, b] || [d, c] == [a, b]) {
                return fail(format!("two limbs join {:?} and {:?}", self.keypoints[a], self.keypoints[b]));
            }
        }
        let mut paired = vec![false; self.len()];
        for &[a, b] in &self.flip_pairs {
            if a.max(b) >= self.len() {
                return fail(format!("a flip pair names keypoints {a} and {b} of {}", self.len()));
            }
            if a == b || std::mem::replace(&mut paired[a], true) || std::mem::replace(&mut paired[b], true) {
                return fail(format!("a keypoint of the flip pair {a}, {b} has another mirror image"));
            }
        }
        if self.sigmas.len() != self.len() {
            return fail(format!("{} sigmas for {} keypoints", self.sigmas.len(), self.len()));
        }
        for (sigma, name) in self.sigmas.iter().zip(&self.keypoints) {
            if !(sigma.is_finite() && *sigma > 0.0) {
                return fail(format!("the sigma of {name:?} is {sigma}, not above 0"));
            }
        }
        match self.flip_pairs.iter().find(|&&[a, b]| self.sigmas[a] != self.sigmas[b]) {
            None => Ok(()),
            Some(&[a, b]) => fail(format!("{:?} and {:?} have different sigmas", self.keypoints[a], self.keypoints[b])),
        }
    }
}

/// For each of `edges` its mirror image among them when keypoint `k` becomes `order[k]`, and whether that is listed from
/// its other end.
pub fn mirrored_edges(edges: &[[usize; 2]], order: &[usize]) -> Option<Vec<(usize, bool)>> {
    let image = |&[a, b]: &[usize; 2]| {
        let (a, b) = (order[a], order[b]);
        let straight = edges.iter().position(|&edge| edge == [a, b]).map(|edge| (edge, false));
        straight.or_else(|| edges.iter().position(|&edge| edge == [b, a]).map(|edge| (edge, true)))
    };
    edges.iter().map(image).collect()
}

#[cfg(test)]
mod tests;
