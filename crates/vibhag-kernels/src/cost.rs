//! What the algorithms cost: a model with measured rates.

use crate::conv::Algorithm;
use crate::shape::ConvShape;
use crate::winograd;

/// Per multiplication of a matrix product that gathers its input.
const GATHERED: f64 = 0.02;
/// Per value gathered.
const GATHER: f64 = 0.18;
/// Per multiplication of a product of Winograd's transforms.
const MULTIPLY: f64 = 0.025;
/// Per transformed value of a tile.
const TRANSFORM: f64 = 0.6;
/// Per transformed value of a kernel: written and read, or read alone where that was done before.
const KERNEL: [f64; 2] = [0.8, 0.2];

impl Algorithm {
    /// Nanoseconds of one core for a forward pass, with weights that were prepared before or not. Only the order of
    /// algorithms that compute the same shape matters. The rates are constants, measured once
    /// (`cargo run --release -p vibhag-kernels --example algorithms`), so that the choice, and with it every bit of a
    /// result, depends neither on the machine nor on what else runs there.
    pub fn cost(self, s: &ConvShape, prepared: bool) -> f64 {
        let (ho, wo) = s.out();
        let [c, k, pixels] = [s.cin, s.cout, s.n * ho * wo].map(|v| v as f64);
        match self {
            // Never slower than the general one, and without a rival of another kind.
            Self::Pointwise | Self::Depthwise => 0.0,
            Self::General => {
                let inner = c * (s.kernel[0] * s.kernel[1]) as f64;
                pixels * inner * (k * GATHERED + GATHER)
            }
            Self::Winograd(tile) => {
                let (tiles, filled) = winograd::tiles(s, tile);
                let [points, tiles, filled] = [tile.points(), tiles, filled].map(|v| v as f64);
                points
                    * (filled * c * k * MULTIPLY + tiles * (c + k) * TRANSFORM + c * k * KERNEL[usize::from(prepared)])
            }
        }
    }
}
