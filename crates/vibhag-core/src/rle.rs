//! Run-length masks as COCO defines them: runs down the columns, background first.
//!
//! The compressed text is COCO's: each count, from the fourth on as its difference to the count two before, in groups
//! of five bits with a continuation bit and a sign, offset by 48 (`cocoapi/common/maskApi.c`, `rleToString`).

use crate::error::{Error, ErrorKind, Result};
use crate::label_map::BinaryMask;

/// A mask as runs, down one column after the other: background, foreground, background, ...
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Rle {
    width: usize,
    height: usize,
    counts: Vec<u32>,
}

impl Rle {
    /// A mask from its runs.
    ///
    /// # Errors
    /// When the runs do not add up to `width * height`.
    pub fn new(width: usize, height: usize, counts: Vec<u32>) -> Result<Self> {
        let total: u64 = counts.iter().map(|&count| u64::from(count)).sum();
        if total != (width * height) as u64 {
            return Err(Error::new(
                ErrorKind::Decode,
                format!("run lengths add up to {total}, a {width}x{height} mask has {} pixels", width * height),
            )
            .hint("the mask's size and its counts do not belong together"));
        }
        Ok(Self { width, height, counts })
    }

    /// The runs of a mask whose foreground is where `inside(x, y)` holds.
    pub fn from_fn(width: usize, height: usize, inside: impl Fn(usize, usize) -> bool) -> Self {
        let mut counts = Vec::new();
        let (mut run, mut value) = (0u32, false);
        for x in 0..width {
            for y in 0..height {
                if inside(x, y) != value {
                    counts.push(run);
                    (run, value) = (0, !value);
                }
                run += 1;
            }
        }
        counts.push(run);
        Self { width, height, counts }
    }

    /// The runs of `mask`.
    pub fn from_mask(mask: &BinaryMask) -> Self {
        let (pixels, width) = (mask.pixels(), mask.width());
        Self::from_fn(width, mask.height(), |x, y| pixels[y * width + x])
    }

    /// The runs of a mask of foreground pixels inside the box at (`left`, `top`), row-major over `box_width` columns.
    ///
    /// Costs as much as the box, not as the image.
    pub fn from_box(
        (width, height): (usize, usize),
        (left, top): (usize, usize),
        box_width: usize,
        pixels: &[bool],
    ) -> Self {
        let box_height = pixels.len() / box_width.max(1);
        let mut ends = Vec::new();
        let mut value = false;
        for x in 0..box_width {
            let start = (left + x) * height + top;
            for y in 0..box_height {
                if pixels[y * box_width + x] != value {
                    ends.push(start + y);
                    value = !value;
                }
            }
            // The next column's box begins below background, unless the box is as high as the mask.
            if value && box_height < height {
                ends.push(start + box_height);
                value = false;
            }
        }
        if value {
            ends.push((left + box_width) * height);
        }
        Self::from_ends(width, height, ends)
    }

    /// From the rising positions (column-major) at which the value changes.
    pub(crate) fn from_ends(width: usize, height: usize, ends: Vec<usize>) -> Self {
        let mut counts = Vec::with_capacity(ends.len() + 1);
        let mut last = 0;
        for end in ends.into_iter().chain([width * height]) {
            counts.push((end - last) as u32);
            last = end;
        }
        // A change at the very end leaves an empty last run.
        if counts.len() > 1 && counts.last() == Some(&0) {
            counts.pop();
        }
        Self { width, height, counts }
    }

    /// Width of the mask in pixels.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Height of the mask in pixels.
    pub fn height(&self) -> usize {
        self.height
    }

    /// The runs, background first.
    pub fn counts(&self) -> &[u32] {
        &self.counts
    }

    /// Foreground pixels.
    pub fn area(&self) -> u64 {
        self.counts.iter().skip(1).step_by(2).map(|&count| u64::from(count)).sum()
    }

    /// The foreground runs as (column-major start, length).
    pub fn runs(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        let mut position = 0;
        self.counts.iter().enumerate().filter_map(move |(index, &count)| {
            let start = position;
            position += count as usize;
            (index % 2 == 1 && count > 0).then_some((start, count as usize))
        })
    }

    /// Calls `visit(x, y)` for every foreground pixel, column by column.
    pub fn for_each(&self, mut visit: impl FnMut(usize, usize)) {
        for (start, length) in self.runs() {
            for position in start..start + length {
                visit(position / self.height, position % self.height);
            }
        }
    }

    /// Left, top, width and height of the foreground; `None` without any.
    pub fn bounds(&self) -> Option<[usize; 4]> {
        let (mut left, mut right, mut top, mut bottom) = (usize::MAX, 0, usize::MAX, 0);
        for (start, length) in self.runs() {
            let last = start + length - 1;
            let (first_column, last_column) = (start / self.height, last / self.height);
            left = left.min(first_column);
            right = right.max(last_column);
            if first_column == last_column {
                top = top.min(start % self.height);
                bottom = bottom.max(last % self.height);
            } else {
                (top, bottom) = (0, self.height - 1);
            }
        }
        (left != usize::MAX).then(|| [left, top, right - left + 1, bottom - top + 1])
    }

    /// The mask, row-major.
    ///
    /// # Errors
    /// When a side is zero.
    pub fn to_mask(&self) -> Result<BinaryMask> {
        let mut pixels = vec![false; self.width * self.height];
        self.for_each(|x, y| pixels[y * self.width + x] = true);
        BinaryMask::new(self.width, self.height, pixels)
    }

    /// Pixels that are foreground in both; 0 for masks of different sizes.
    pub fn intersection(&self, other: &Self) -> u64 {
        if (self.width, self.height) != (other.width, other.height) {
            return 0;
        }
        let (mut ours, mut theirs) = (self.runs().peekable(), other.runs().peekable());
        let mut total = 0;
        while let (Some(&(a, a_len)), Some(&(b, b_len))) = (ours.peek(), theirs.peek()) {
            let (a_end, b_end) = (a + a_len, b + b_len);
            total += a_end.min(b_end).saturating_sub(a.max(b)) as u64;
            if a_end <= b_end {
                ours.next();
            } else {
                theirs.next();
            }
        }
        total
    }

    /// Intersection over union; against a crowd, intersection over our own area (COCO's rule). 0 where both are empty.
    pub fn iou(&self, other: &Self, crowd: bool) -> f64 {
        let intersection = self.intersection(other);
        let whole = if crowd { self.area() } else { self.area() + other.area() - intersection };
        if whole == 0 { 0.0 } else { intersection as f64 / whole as f64 }
    }

    /// The pixels that are foreground in any of `masks`, which have one size; `None` of nothing.
    pub fn union(masks: &[Self]) -> Option<Self> {
        let first = masks.first()?;
        let mut runs: Vec<(usize, usize)> = masks.iter().flat_map(Self::runs).collect();
        runs.sort_unstable();
        let mut ends: Vec<usize> = Vec::new();
        for (start, length) in runs {
            match ends.last().copied() {
                Some(end) if start <= end => {
                    if let Some(last) = ends.last_mut() {
                        *last = end.max(start + length);
                    }
                }
                _ => ends.extend([start, start + length]),
            }
        }
        Some(Self::from_ends(first.width, first.height, ends))
    }

    /// COCO's compressed text.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for (index, &count) in self.counts.iter().enumerate() {
            let mut rest = i64::from(count);
            if index > 2 {
                rest -= i64::from(self.counts[index - 2]);
            }
            loop {
                let low = (rest & 0x1f) as u8;
                rest >>= 5;
                // The sign bit of the last group must agree with what is left.
                let more = if low & 0x10 == 0 { rest != 0 } else { rest != -1 };
                text.push(char::from(low + 48 + if more { 0x20 } else { 0 }));
                if !more {
                    break;
                }
            }
        }
        text
    }

    /// Reads COCO's compressed text.
    ///
    /// # Errors
    /// When a character is none of the code's, a number is torn, negative or too large, or the runs do not add up to
    /// `width * height`.
    pub fn from_text(width: usize, height: usize, text: &str) -> Result<Self> {
        let bad = |at: usize, what: &str| {
            Error::new(ErrorKind::Decode, format!("compressed run lengths: {what}")).at(format!("character {at}"))
        };
        let mut counts: Vec<u32> = Vec::new();
        let (mut value, mut shift) = (0i64, 0u32);
        for (at, byte) in text.bytes().enumerate() {
            if !(48..112).contains(&byte) {
                return Err(bad(at, "a character that the code does not have"));
            }
            let group = byte - 48;
            if shift > 55 {
                return Err(bad(at, "a number of too many digits"));
            }
            value |= i64::from(group & 0x1f) << shift;
            shift += 5;
            if group & 0x20 != 0 {
                continue;
            }
            if group & 0x10 != 0 {
                value |= -1 << shift;
            }
            if counts.len() > 2 {
                value += i64::from(counts[counts.len() - 2]);
            }
            counts.push(u32::try_from(value).map_err(|_| bad(at, "a negative or too large run"))?);
            (value, shift) = (0, 0);
        }
        if shift > 0 {
            return Err(bad(text.len(), "the text ends within a number"));
        }
        Self::new(width, height, counts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask(rows: &[&str]) -> BinaryMask {
        let pixels = rows.iter().flat_map(|row| row.bytes().map(|byte| byte == b'#')).collect();
        BinaryMask::new(rows[0].len(), rows.len(), pixels).unwrap()
    }

    #[test]
    fn runs_go_down_the_columns() {
        let rle = Rle::from_mask(&mask(&["#..", "##.", ".##"]));
        assert_eq!(rle.counts(), [0, 2, 2, 2, 2, 1]);
        assert_eq!((rle.area(), rle.bounds()), (5, Some([0, 0, 3, 3])));
        assert_eq!(rle.to_mask().unwrap(), mask(&["#..", "##.", ".##"]));
    }

    #[test]
    fn the_text_is_that_of_pycocotools() {
        // pycocotools.mask.frPyObjects({"size": [9, 10], "counts": [6, 1, 40, 4, 5, 4, 5, 4, 21]}, 9, 10)
        let rle = Rle::new(10, 9, vec![6, 1, 40, 4, 5, 4, 5, 4, 21]).unwrap();
        assert_eq!(rle.to_text(), "61X13mN000`0");
        assert_eq!(Rle::from_text(10, 9, "61X13mN000`0").unwrap(), rle);
    }

    #[test]
    fn broken_texts_are_errors() {
        for text in ["61X13mN000", "61X13mN000`", "6 1", "61X13mN000`0é", "PPPPPPPPPPPPPPPPPPPP0", "l0"] {
            assert!(Rle::from_text(10, 9, text).is_err(), "{text}");
        }
        assert!(Rle::new(10, 9, vec![6, 1, 40]).is_err());
    }

    #[test]
    fn sets_are_counted() {
        let (a, b) = (mask(&["##.", "##.", "..."]), mask(&["...", ".##", ".##"]));
        let (a, b) = (Rle::from_mask(&a), Rle::from_mask(&b));
        assert_eq!((a.intersection(&b), a.iou(&b, false), a.iou(&b, true)), (1, 1.0 / 7.0, 0.25));
        let both = Rle::union(&[a, b]).unwrap();
        assert_eq!(both.to_mask().unwrap(), mask(&["##.", "###", ".##"]));
    }

    #[test]
    fn a_box_is_the_mask_around_it() {
        let whole = mask(&[".....", "..#..", ".###.", "..##."]);
        let inside = mask(&[".#.", "###", ".##"]);
        assert_eq!(Rle::from_box((5, 4), (1, 1), 3, inside.pixels()), Rle::from_mask(&whole));
        // As high as the mask, and foreground down to its last row.
        let high = mask(&["..#.", ".##."]);
        assert_eq!(Rle::from_box((4, 2), (1, 0), 2, mask(&[".#", "##"]).pixels()), Rle::from_mask(&high));
    }
}
