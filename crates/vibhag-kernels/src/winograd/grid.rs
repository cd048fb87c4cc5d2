//! Where tiles lie in the planes, and their transformed values in memory.

use super::filter::Tile;
use crate::product::PANEL;

/// Where the transformed values of a block of tiles lie.
#[derive(Clone, Copy)]
pub(super) struct Layout {
    pub(super) channels: usize,
    /// Tiles of the block, a multiple of [`PANEL`].
    pub(super) count: usize,
    /// Channels of one panel, or tiles of one panel.
    pub(super) width: usize,
    /// The first of the channels among all of an image, and their number.
    pub(super) of: [usize; 2],
}

impl Layout {
    /// `[points][tiles / 16][channels][16]`.
    pub(super) fn panels([channels, count]: [usize; 2]) -> Self {
        Self { channels, count, width: PANEL, of: [0, channels] }
    }

    /// The same for channels that begin at `first` of `total`.
    pub(super) fn part(self, first: usize, total: usize) -> Self {
        Self { of: [first, total], ..self }
    }

    /// `[points][channels / width][tiles][width]`, with zeros for the channels that are missing.
    pub(super) fn columns([channels, count]: [usize; 2], width: usize) -> Self {
        Self { channels, count, width, of: [0, channels] }
    }
}

/// The tiles of a convolution: `side x side` outputs, which read two rows and columns more.
#[derive(Clone, Copy)]
pub(super) struct Grid {
    pub(super) tile: Tile,
    pub(super) n: usize,
    pub(super) input: [usize; 2],
    pub(super) output: [usize; 2],
    /// Zero rows above and zero columns left of the input.
    pub(super) before: [usize; 2],
}

impl Grid {
    fn rows(&self) -> usize {
        self.output[0].div_ceil(self.tile.side())
    }

    fn columns(&self) -> usize {
        self.output[1].div_ceil(self.tile.side())
    }

    pub(super) fn tiles(&self) -> usize {
        self.n * self.rows() * self.columns()
    }

    /// Image, first output row and first output column of a tile.
    #[inline(always)]
    pub(super) fn place(&self, t: usize) -> [usize; 3] {
        let (rows, columns, side) = (self.rows(), self.columns(), self.tile.side());
        [t / (rows * columns), t / columns % rows * side, t % columns * side]
    }

    /// Whether tiles `t..t + count` exist and lie side by side.
    #[inline(always)]
    pub(super) fn in_a_row(&self, t: usize, count: usize) -> bool {
        t + count <= self.tiles() && t % self.columns() + count <= self.columns()
    }
}
