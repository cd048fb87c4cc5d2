//! People from displacements along a tree of keypoints (Papandreou et al., "PersonLab: Person Pose Estimation and Instance
//! Segmentation with a Bottom-Up, Part-Based, Geometric Embedding Model", ECCV 2018), as PoseNet decodes them.

use vibhag_core::skeleton::mirrored_edges;
use vibhag_core::{DisplacementDecoding, Error, Keypoint, Pose, Result, Skeleton};

use super::{Grid, PoseDecoder, check_planes, sort_by_score};
use crate::maxima::local_maxima;

/// PoseNet's tree over the keypoints of COCO-17, each edge from the keypoint nearer to the nose to the other.
#[rustfmt::skip]
pub const POSENET_TREE: [[usize; 2]; 16] = [
    [0, 1], [1, 3], [0, 2], [2, 4], [0, 5], [5, 7], [7, 9], [5, 11], [11, 13], [13, 15], [0, 6], [6, 8], [8, 10],
    [6, 12], [12, 14], [14, 16],
];

/// Reads people from displacements.
///
/// Planes, with K keypoints and E edges: the probability of each keypoint (K); the offsets from a cell to the keypoint
/// near it, down (K), then right (K); the displacements from the first keypoint of each edge to the second, down (E), then
/// right (E); those from the second to the first, down (E), then right (E). Lengths are in pixels.
///
/// A person begins at the most probable keypoint that is none of another person's. From there the edges lead to all other
/// keypoints; where one leads is corrected by the offset at the cell there.
#[derive(Debug, Clone)]
pub struct DisplacementDecoder {
    skeleton: Skeleton,
    edges: Vec<[usize; 2]>,
    parameters: DisplacementDecoding,
}

/// A keypoint in the making, in pixels.
#[derive(Debug, Clone, Copy)]
struct Place {
    x: f32,
    y: f32,
    score: f32,
}

impl DisplacementDecoder {
    /// A decoder of people of `skeleton`, whose keypoints the tree of `edges` joins; an edge follows those that lead to
    /// its first keypoint from the root.
    ///
    /// # Errors
    /// When the skeleton has a fault, the edges are no such tree, or a parameter is out of range.
    pub fn new(skeleton: &Skeleton, edges: &[[usize; 2]], parameters: DisplacementDecoding) -> Result<Self> {
        skeleton.validate()?;
        parameters.validate()?;
        let fail = |what: String| {
            Err(Error::config(what).at(format!("skeleton {:?}", skeleton.name)).hint("take the skeleton's own tree"))
        };
        if edges.len() + 1 != skeleton.len() {
            return fail(format!("{} edges are no tree of {} keypoints", edges.len(), skeleton.len()));
        }
        let mut reached = vec![false; skeleton.len()];
        if let Some(&[root, _]) = edges.first()
            && let Some(root) = reached.get_mut(root)
        {
            *root = true;
        }
        for (index, &[parent, child]) in edges.iter().enumerate() {
            let is_new = reached.get(parent) == Some(&true) && reached.get(child) == Some(&false);
            if !is_new {
                return fail(format!("edge {index} from keypoint {parent} to {child} does not make the tree larger"));
            }
            reached[child] = true;
        }
        Ok(Self { skeleton: skeleton.clone(), edges: edges.to_vec(), parameters })
    }

    /// A decoder of PoseNet's maps of COCO-17.
    ///
    /// # Errors
    /// When a parameter is out of range.
    pub fn posenet(parameters: DisplacementDecoding) -> Result<Self> {
        Self::new(&Skeleton::named("coco-17")?, &POSENET_TREE, parameters)
    }

    /// The keypoints at which a person may begin (keypoint, cell), the most probable first.
    fn roots(&self, maps: &Maps<'_>) -> Vec<(usize, usize)> {
        let DisplacementDecoding { local_maximum_radius: reach, score_threshold, .. } = self.parameters;
        let mut roots: Vec<(usize, usize)> = (0..self.skeleton.len())
            .flat_map(|k| {
                local_maxima(maps.plane(k), maps.grid.width, reach, score_threshold)
                    .into_iter()
                    .map(move |cell| (k, cell))
            })
            .filter(|&(k, cell)| maps.plane(k)[cell].is_finite())
            .collect();
        // Stable: equal ones stay in the order of keypoints and cells.
        roots.sort_by(|a, b| maps.plane(b.0)[b.1].total_cmp(&maps.plane(a.0)[a.1]));
        roots
    }

    /// All keypoints of the person that begins at `root`.
    fn person(&self, maps: &Maps<'_>, keypoint: usize, root: Place) -> Vec<Place> {
        let keypoints = self.skeleton.len();
        let mut places: Vec<Option<Place>> = vec![None; keypoints];
        places[keypoint] = Some(root);
        let (forward, backward) = (3 * keypoints, 3 * keypoints + 2 * self.edges.len());
        // Up to the root of the tree, then down to all that is left.
        for (edge, &[parent, child]) in self.edges.iter().enumerate().rev() {
            if let (Some(from), None) = (places[child], places[parent]) {
                places[parent] = Some(self.follow(maps, backward + edge, from, parent));
            }
        }
        for (edge, &[parent, child]) in self.edges.iter().enumerate() {
            if let (Some(from), None) = (places[parent], places[child]) {
                places[child] = Some(self.follow(maps, forward + edge, from, child));
            }
        }
        // The edges reach every keypoint.
        places.into_iter().flatten().collect()
    }

    /// The keypoint `target` to which the displacement (planes `plane` and `plane` + E) leads from a place.
    fn follow(&self, maps: &Maps<'_>, plane: usize, from: Place, target: usize) -> Place {
        let cell = maps.cell_near(from.x, from.y);
        let mut x = from.x + maps.plane(plane + self.edges.len())[cell];
        let mut y = from.y + maps.plane(plane)[cell];
        for _ in 0..self.parameters.refine_steps {
            let near = maps.corrected(maps.cell_near(x, y), target, self.skeleton.len());
            (x, y) = (near.x, near.y);
        }
        Place { x, y, score: maps.plane(target)[maps.cell_near(x, y)] }
    }

    /// Whether a keypoint lies within the radius of the same one of another person.
    fn is_taken(&self, people: &[Vec<Place>], keypoint: usize, place: Place) -> bool {
        let square = self.parameters.nms_radius.powi(2);
        people.iter().any(|person| {
            let other = person[keypoint];
            (other.x - place.x).powi(2) + (other.y - place.y).powi(2) <= square
        })
    }

    fn pose(&self, places: &[Place], score: f32) -> Pose {
        let keypoint = |place: &Place| {
            let known = place.x.is_finite() && place.y.is_finite() && place.score >= self.parameters.min_keypoint_score;
            if known { Keypoint::found(f64::from(place.x), f64::from(place.y), place.score) } else { Keypoint::ABSENT }
        };
        Pose { keypoints: places.iter().map(keypoint).collect(), score, id: None }
    }
}

impl PoseDecoder for DisplacementDecoder {
    fn planes(&self) -> usize {
        3 * self.skeleton.len() + 4 * self.edges.len()
    }

    fn mirrored(&self) -> Result<Vec<(usize, f32)>> {
        let order = self.skeleton.mirror_order();
        let Some(edges) = mirrored_edges(&self.edges, &order) else {
            return Err(Error::config(format!("an edge of the tree of {:?} has no mirror image", self.skeleton.name)));
        };
        let (k, e) = (order.len(), edges.len());
        let mut planes: Vec<(usize, f32)> = order.iter().map(|&source| (source, 1.0)).collect();
        planes.extend(order.iter().map(|&source| (k + source, 1.0)));
        planes.extend(order.iter().map(|&source| (2 * k + source, -1.0)));
        for backward in [false, true] {
            for (axis, sign) in [(0, 1.0), (1, -1.0)] {
                planes.extend(edges.iter().map(|&(image, reversed)| {
                    // Listed from its other end, what leads forward there leads backward here.
                    let block = 2 * usize::from(backward != reversed) + axis;
                    (3 * k + block * e + image, sign)
                }));
            }
        }
        Ok(planes)
    }

    fn decode(&self, planes: &[f32], grid: &Grid) -> Result<Vec<Pose>> {
        check_planes(planes, self.planes(), grid)?;
        let maps = Maps { planes, grid };
        let keypoints = self.skeleton.len();
        let (mut people, mut poses): (Vec<Vec<Place>>, Vec<Pose>) = (Vec::new(), Vec::new());
        for (keypoint, cell) in self.roots(&maps) {
            if poses.len() == self.parameters.max_people {
                break;
            }
            let root = maps.corrected(cell, keypoint, keypoints);
            if !(root.x.is_finite() && root.y.is_finite()) || self.is_taken(&people, keypoint, root) {
                continue;
            }
            let places = self.person(&maps, keypoint, root);
            let own = places.iter().enumerate().filter(|&(k, &place)| !self.is_taken(&people, k, place));
            let score = own
                .map(|(_, place)| place.score)
                .filter(|score| !score.is_nan())
                .map(|score| score.clamp(0.0, 1.0))
                .sum::<f32>();
            let pose = self.pose(&places, score / keypoints as f32);
            people.push(places);
            if pose.score >= self.parameters.min_score {
                poses.push(pose);
            }
        }
        sort_by_score(&mut poses);
        Ok(poses)
    }
}

#[derive(Debug, Clone, Copy)]
struct Maps<'a> {
    planes: &'a [f32],
    grid: &'a Grid,
}

impl<'a> Maps<'a> {
    fn plane(&self, index: usize) -> &'a [f32] {
        &self.planes[index * self.grid.cells()..][..self.grid.cells()]
    }

    /// The cell nearest to a pixel position; what is not a number is taken for 0.
    fn cell_near(&self, x: f32, y: f32) -> usize {
        // The cast brings what is negative, and NaN, to 0.
        let near = |pixel: f32, cells: usize| (self.grid.cell(f64::from(pixel)).round() as usize).min(cells - 1);
        near(y, self.grid.height) * self.grid.width + near(x, self.grid.width)
    }

    /// The place of a keypoint near a cell, by its offset there.
    fn corrected(&self, cell: usize, keypoint: usize, keypoints: usize) -> Place {
        let (column, row) = (cell % self.grid.width, cell / self.grid.width);
        let down = self.plane(keypoints + keypoint)[cell];
        let right = self.plane(2 * keypoints + keypoint)[cell];
        let pixel = |cell: usize| self.grid.pixel(cell as f64) as f32;
        Place { x: pixel(column) + right, y: pixel(row) + down, score: self.plane(keypoint)[cell] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_trees_are_taken() {
        let skeleton = Skeleton::named("coco-17").unwrap();
        let new = |edges: &[[usize; 2]]| DisplacementDecoder::new(&skeleton, edges, DisplacementDecoding::default());
        assert!(new(&POSENET_TREE).is_ok() && new(&skeleton.tree(0).unwrap()).is_ok());
        assert!(new(&POSENET_TREE[1..]).unwrap_err().to_string().contains("15 edges"));
        let mut ring = POSENET_TREE;
        ring[15] = [14, 0];
        assert!(new(&ring).unwrap_err().to_string().contains("edge 15"));
        ring[15] = [14, 99];
        assert!(new(&ring).is_err());
    }
}
