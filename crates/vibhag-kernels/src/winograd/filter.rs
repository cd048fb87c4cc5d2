//! The transforms of F(4x4, 3x3) and F(2x2, 3x3), on eight tiles at a time.

use crate::lane::Lane;

/// Outputs a side of a tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tile {
    /// F(2x2, 3x3): 16 multiplications for 4 outputs.
    Two,
    /// F(4x4, 3x3): 36 multiplications for 16 outputs.
    Four,
}

impl Tile {
    /// Outputs a side.
    pub(crate) fn side(self) -> usize {
        match self {
            Self::Two => 2,
            Self::Four => 4,
        }
    }

    /// Transformed values of a tile, one product each.
    pub(crate) fn points(self) -> usize {
        (self.side() + 2).pow(2)
    }
}

/// One size of tile: `M` outputs a side, made of `R = M + 2` inputs a side.
pub(super) trait Filter<const M: usize, const R: usize> {
    /// The matrix that transforms kernels.
    const G: [[f32; 3]; R];
    /// Columns that eight tiles side by side read with whole loads.
    const SPAN: usize;
    /// `B^T d`.
    fn input<L: Lane>(d: [L; R]) -> [L; R];
    /// `A^T m`.
    fn output<L: Lane>(m: [L; R]) -> [L; M];
    /// `A y`.
    fn gradient<L: Lane>(y: [L; M]) -> [L; R];
    /// The `R` columns of eight tiles that start `M` apart: four in `low` and four in `high`, `SPAN - 4 * M` floats
    /// each.
    fn split<L: Lane>(low: &[f32], high: &[f32]) -> [L; R];
    /// Eight tiles of `M` columns, four side by side in `low` and four in `high`, `4 * M` floats each.
    fn join<L: Lane>(columns: [L; M], low: &mut [f32], high: &mut [f32]);
}

pub(super) struct Four;
pub(super) struct Two;

impl Filter<4, 6> for Four {
    const G: [[f32; 3]; 6] = [
        [0.25, 0.0, 0.0],
        [-1.0 / 6.0, -1.0 / 6.0, -1.0 / 6.0],
        [-1.0 / 6.0, 1.0 / 6.0, -1.0 / 6.0],
        [1.0 / 24.0, 1.0 / 12.0, 1.0 / 6.0],
        [1.0 / 24.0, -1.0 / 12.0, 1.0 / 6.0],
        [0.0, 0.0, 1.0],
    ];
    const SPAN: usize = 36;

    #[inline(always)]
    fn input<L: Lane>(d: [L; 6]) -> [L; 6] {
        let (p, q) = (d[3].sub(d[1]), d[4].sub(d[2]));
        let (a, b) = (d[2].scale_add(-4.0, d[4]), d[1].scale_add(-4.0, d[3]));
        [
            d[0].scale_add(4.0, d[2].scale_add(-5.0, d[4])),
            a.add(b),
            a.sub(b),
            p.scale_add(2.0, q),
            p.scale_add(-2.0, q),
            d[1].scale_add(4.0, d[3].scale_add(-5.0, d[5])),
        ]
    }

    #[inline(always)]
    fn output<L: Lane>(m: [L; 6]) -> [L; 4] {
        let (s1, d1) = (m[1].add(m[2]), m[1].sub(m[2]));
        let (s2, d2) = (m[3].add(m[4]), m[3].sub(m[4]));
        [m[0].add(s1.add(s2)), d2.scale_add(2.0, d1), s2.scale_add(4.0, s1), d2.scale_add(8.0, d1).add(m[5])]
    }

    #[inline(always)]
    fn gradient<L: Lane>(y: [L; 4]) -> [L; 6] {
        let (e, o) = (y[0].add(y[2]), y[1].add(y[3]));
        let (e2, o2) = (y[2].scale_add(4.0, y[0]), y[3].scale_add(8.0, y[1].add(y[1])));
        [y[0], e.add(o), e.sub(o), e2.add(o2), e2.sub(o2), y[3]]
    }

    #[inline(always)]
    fn split<L: Lane>(low: &[f32], high: &[f32]) -> [L; 6] {
        match (low.first_chunk(), high.first_chunk()) {
            (Some(low), Some(high)) => L::split4(low, high),
            _ => [L::zero(); 6],
        }
    }

    #[inline(always)]
    fn join<L: Lane>(columns: [L; 4], low: &mut [f32], high: &mut [f32]) {
        if let (Some(low), Some(high)) = (low.first_chunk_mut(), high.first_chunk_mut()) {
            L::join4(columns, low, high);
        }
    }
}

impl Filter<2, 4> for Two {
    const G: [[f32; 3]; 4] = [[1.0, 0.0, 0.0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0.0, 0.0, 1.0]];
    const SPAN: usize = 18;

    #[inline(always)]
    fn input<L: Lane>(d: [L; 4]) -> [L; 4] {
        [d[0].sub(d[2]), d[1].add(d[2]), d[2].sub(d[1]), d[1].sub(d[3])]
    }

    #[inline(always)]
    fn output<L: Lane>(m: [L; 4]) -> [L; 2] {
        [m[0].add(m[1].add(m[2])), m[1].sub(m[2].add(m[3]))]
    }

    #[inline(always)]
    fn gradient<L: Lane>(y: [L; 2]) -> [L; 4] {
        [y[0], y[0].add(y[1]), y[0].sub(y[1]), L::zero().sub(y[1])]
    }

    #[inline(always)]
    fn split<L: Lane>(low: &[f32], high: &[f32]) -> [L; 4] {
        match (low.first_chunk(), high.first_chunk()) {
            (Some(low), Some(high)) => L::split2(low, high),
            _ => [L::zero(); 4],
        }
    }

    #[inline(always)]
    fn join<L: Lane>(columns: [L; 2], low: &mut [f32], high: &mut [f32]) {
        if let (Some(low), Some(high)) = (low.first_chunk_mut(), high.first_chunk_mut()) {
            L::join2(columns, low, high);
        }
    }
}

/// A function for the running CPU and the tile's size, from a body generic over the lane and the filter.
macro_rules! dispatch {
    ($(#[$meta:meta])* fn $name:ident($($arg:ident : $ty:ty),* $(,)?) = $body:ident) => {
        $(#[$meta])*
        #[allow(unsafe_code, clippy::too_many_arguments)]
        pub(super) unsafe fn $name(tile: $crate::winograd::filter::Tile, $($arg: $ty),*) {
            use $crate::{lane, winograd::filter::{Four, Tile, Two}};
            #[cfg(target_arch = "x86_64")]
            {
                use $crate::winograd::filter::Filter;
                #[target_feature(enable = "avx2,fma")]
                unsafe fn wide<F: Filter<M, R>, const M: usize, const R: usize>($($arg: $ty),*) {
                    // SAFETY: passed on.
                    unsafe { $body::<lane::Avx2, F, M, R>($($arg),*) }
                }
                if $crate::simd::has_avx2() {
                    // SAFETY: the features were just detected; the rest is passed on.
                    return unsafe {
                        match tile {
                            Tile::Four => wide::<Four, 4, 6>($($arg),*),
                            Tile::Two => wide::<Two, 2, 4>($($arg),*),
                        }
                    };
                }
            }
            // SAFETY: passed on.
            unsafe {
                match tile {
                    Tile::Four => $body::<lane::Portable, Four, 4, 6>($($arg),*),
                    Tile::Two => $body::<lane::Portable, Two, 2, 4>($($arg),*),
                }
            }
        }
    };
}
pub(super) use dispatch;
