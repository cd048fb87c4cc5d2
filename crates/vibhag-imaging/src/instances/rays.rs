//! The directions of the rays of a star.

use std::f64::consts::TAU;

use vibhag_core::RAYS;

/// Unit vectors (right, down): ray `k` points at `2 pi k / RAYS` from the right, turning down. Rays that are mirror
/// images of each other are so to the last bit.
pub(super) fn directions() -> [[f32; 2]; RAYS] {
    const QUARTER: usize = RAYS / 4;
    let cosine = |ray: usize| {
        let angle = |ray: usize| TAU * ray as f64 / RAYS as f64;
        (if 2 * ray <= QUARTER { angle(ray).cos() } else { angle(QUARTER - ray).sin() }) as f32
    };
    std::array::from_fn(|ray| {
        let within = ray % QUARTER;
        let (cos, sin) = (cosine(within), cosine(QUARTER - within));
        match ray / QUARTER {
            0 => [cos, sin],
            1 => [-sin, cos],
            2 => [-cos, -sin],
            _ => [sin, -cos],
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rays_are_evenly_spaced_and_exactly_symmetric() {
        let rays = directions();
        for (ray, [x, y]) in rays.into_iter().enumerate() {
            let angle = TAU * ray as f64 / RAYS as f64;
            assert!((f64::from(x) - angle.cos()).abs() < 1e-6 && (f64::from(y) - angle.sin()).abs() < 1e-6, "{ray}");
            assert_eq!(rays[(RAYS - ray) % RAYS], [x, -y]);
            assert_eq!(rays[(RAYS + RAYS / 2 - ray) % RAYS], [-x, y]);
        }
    }
}
