//! Shapes of objects as signed distances.

use std::f32::consts::{PI, TAU};

use vibhag_core::Rng;

/// The thing classes, in the order of their labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Disc,
    Square,
    Triangle,
    Star,
    Ring,
    Bar,
}

impl Kind {
    pub(super) const ALL: [Self; super::THINGS.len()] =
        [Self::Disc, Self::Square, Self::Triangle, Self::Star, Self::Ring, Self::Bar];
}

/// An outline in image coordinates.
#[derive(Debug)]
pub(super) struct Shape {
    pub(super) center: [f32; 2],
    /// No point is farther from the centre.
    pub(super) radius: f32,
    outline: Outline,
}

#[derive(Debug)]
enum Outline {
    /// Corners relative to the centre.
    Polygon(Vec<[f32; 2]>),
    /// All points at `middle` +- `half` from the centre, measured after a stretch along `axis`.
    Round { middle: f32, half: f32, axis: [f32; 2], stretch: f32 },
}

impl Shape {
    /// A shape of `kind`, turned at random and a little foreshortened, as if seen from aside.
    pub(super) fn draw(kind: Kind, center: [f32; 2], radius: f32, rng: &mut Rng) -> Self {
        let turn = rng.uniform(0.0, TAU);
        let tilt = rng.uniform(0.0, TAU);
        let squeeze = rng.uniform(0.8, 1.0);
        let axis = [tilt.cos(), tilt.sin()];
        let round = |middle: f32, half: f32| Outline::Round { middle, half, axis, stretch: 1.0 / squeeze };
        // Corners by angle and share of the radius.
        let polygon = |corners: &[(f32, f32)]| {
            let place = |&(angle, share): &(f32, f32)| {
                let (sin, cos) = (angle + turn).sin_cos();
                let along = (cos * axis[0] + sin * axis[1]) * (squeeze - 1.0);
                [radius * share * (cos + along * axis[0]), radius * share * (sin + along * axis[1])]
            };
            Outline::Polygon(corners.iter().map(place).collect())
        };
        let outline = match kind {
            Kind::Disc => round(0.0, radius),
            Kind::Ring => {
                let inner = rng.uniform(0.45, 0.65) * radius;
                round(0.5 * (radius + inner), 0.5 * (radius - inner))
            }
            Kind::Square => polygon(&[0.0, 0.25, 0.5, 0.75].map(|share| (share * TAU, 1.0))),
            Kind::Triangle => {
                polygon(&[0.0, 1.0, 2.0].map(|corner| ((corner + rng.uniform(-0.12, 0.12)) * TAU / 3.0, 1.0)))
            }
            Kind::Star => {
                let inner = rng.uniform(0.4, 0.5);
                let corner =
                    |index: u8| (f32::from(index) * PI / 5.0, if index.is_multiple_of(2) { 1.0 } else { inner });
                polygon(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map(corner))
            }
            Kind::Bar => {
                let angle = (1.0 / rng.uniform(3.5, 6.0)).atan();
                polygon(&[angle, PI - angle, PI + angle, -angle].map(|angle| (angle, 1.0)))
            }
        };
        Self { center, radius, outline }
    }

    /// The distance from (`x`, `y`) to the outline, negative inside; that of a foreshortened round shape is right near
    /// the outline only.
    pub(super) fn distance(&self, x: f32, y: f32) -> f32 {
        let point = [x - self.center[0], y - self.center[1]];
        match &self.outline {
            Outline::Polygon(corners) => polygon_distance(corners, point),
            Outline::Round { middle, half, axis, stretch } => {
                let along = (point[0] * axis[0] + point[1] * axis[1]) * (stretch - 1.0);
                let stretched = [point[0] + along * axis[0], point[1] + along * axis[1]];
                let length = stretched[0].hypot(stretched[1]);
                // The stretch is symmetric, so the gradient of the length is the stretch of its direction.
                let along = (stretched[0] * axis[0] + stretched[1] * axis[1]) * (stretch - 1.0);
                let steepness = (stretched[0] + along * axis[0]).hypot(stretched[1] + along * axis[1]);
                ((length - middle).abs() - half) * if steepness > 0.0 { length / steepness } else { 1.0 }
            }
        }
    }
}

/// Distance to the nearest edge; inside is where a ray to the right crosses an odd number of edges.
fn polygon_distance(corners: &[[f32; 2]], [x, y]: [f32; 2]) -> f32 {
    let mut square = f32::INFINITY;
    let mut inside = false;
    let ends = corners.iter().zip(corners.iter().cycle().skip(1));
    for (a, b) in ends {
        let edge = [b[0] - a[0], b[1] - a[1]];
        let from = [x - a[0], y - a[1]];
        let length = edge[0] * edge[0] + edge[1] * edge[1];
        let share = ((from[0] * edge[0] + from[1] * edge[1]) / length.max(f32::MIN_POSITIVE)).clamp(0.0, 1.0);
        let (dx, dy) = (from[0] - share * edge[0], from[1] - share * edge[1]);
        square = square.min(dx * dx + dy * dy);
        if (a[1] > y) != (b[1] > y) && from[0] < from[1] * edge[0] / edge[1] {
            inside = !inside;
        }
    }
    if inside { -square.sqrt() } else { square.sqrt() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vibhag_core::Purpose;

    #[test]
    fn no_point_lies_beyond_the_radius_and_the_distance_is_one() {
        for (index, kind) in (0..).zip(Kind::ALL.repeat(8)) {
            let mut rng = Rng::new(3, 0, index, Purpose::Synthesis);
            let shape = Shape::draw(kind, [40.0, 50.0], 25.0, &mut rng);
            let mut inside = 0;
            for at in 0..100 * 100 {
                let (x, y) = ((at % 100) as f32, (at / 100) as f32);
                let distance = shape.distance(x, y);
                let from_center = (x - 40.0).hypot(y - 50.0);
                inside += usize::from(distance < 0.0);
                assert!(distance > 0.0 || from_center < 25.01, "{kind:?} at {x}, {y}");
                // A distance changes by no more than the way.
                let step = (shape.distance(x + 0.01, y) - distance).abs() / 0.01;
                assert!(step < 1.02 || from_center < 20.0, "{kind:?} at {x}, {y}: {step}");
            }
            assert!((200..1965).contains(&inside), "{kind:?} of {inside} pixels");
        }
    }

    #[test]
    fn a_ring_has_a_hole() {
        let ring = Shape::draw(Kind::Ring, [0.0, 0.0], 20.0, &mut Rng::new(1, 0, 0, Purpose::Synthesis));
        assert!(ring.distance(0.0, 0.0) > 4.0 && ring.distance(0.0, 14.5) < 0.0);
    }
}
