//! The brush masks of Label Studio: the red, green, blue and alpha values of all pixels, row by row, packed by
//! rle-pack (github.com/thi-ng/umbrella).
//!
//! All numbers are written in bits, the highest first: 32 bits for the count of values, 5 for the bits of a value less
//! one, and four times 4 for the bits of a length less one. Then blocks follow: a bit that says whether one value is
//! repeated, 2 bits that choose among the four, a length less one, and the value, or each of the values.

use vibhag_core::{Error, ErrorKind, Result, Rle};

/// A pixel belongs to the mask if it is covered by half or more.
const COVERED: u32 = 128;

/// Bits of a length, as Label Studio chooses them.
const SIZES: [u32; 4] = [3, 4, 8, 16];

/// The mask that `bytes` hold for an image of `width` x `height`.
///
/// # Errors
/// When the bytes end too early or hold another number of values than the image has.
pub(super) fn decode(bytes: &[u8], width: usize, height: usize) -> Result<Rle> {
    const HINT: &str = "draw the region again, or delete it";
    let bad = |what: String| Error::new(ErrorKind::Decode, what).hint(HINT);
    let ends = || bad("the mask's code ends in the middle".into());
    let mut bits = Bits { bytes, at: 0 };
    let count = bits.read(32).ok_or_else(ends)? as usize;
    if count != 4 * width * height {
        return Err(bad(format!("a mask of {count} values, the image of {width}x{height} has {}", 4 * width * height)));
    }
    let word = bits.read(5).ok_or_else(ends)? + 1;
    let mut sizes = [0; 4];
    for size in &mut sizes {
        *size = bits.read(4).ok_or_else(ends)? + 1;
    }
    let mut pixels = vec![false; width * height];
    let mut at = 0;
    while at < count {
        let repeated = bits.read(1).ok_or_else(ends)? == 1;
        let size = sizes[bits.read(2).ok_or_else(ends)? as usize];
        let end = at + bits.read(size).ok_or_else(ends)? as usize + 1;
        if end > count {
            return Err(bad(format!("the mask's runs are longer than its {count} values")));
        }
        if repeated {
            let covered = bits.read(word).ok_or_else(ends)? >= COVERED;
            // Value 4 p + 3 is the alpha of pixel p.
            pixels[at / 4..end / 4].fill(covered);
        } else {
            for value in at..end {
                let covered = bits.read(word).ok_or_else(ends)? >= COVERED;
                if value % 4 == 3 {
                    pixels[value / 4] = covered;
                }
            }
        }
        at = end;
    }
    Ok(Rle::from_fn(width, height, |x, y| pixels[y * width + x]))
}

/// Reads numbers of up to 32 bits.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn read(&mut self, count: u32) -> Option<u32> {
        if self.at + count as usize > 8 * self.bytes.len() {
            return None;
        }
        let mut value = 0;
        for _ in 0..count {
            let bit = self.bytes[self.at / 8] >> (7 - self.at % 8) & 1;
            value = value << 1 | u32::from(bit);
            self.at += 1;
        }
        Some(value)
    }
}

/// The code of `mask`, in which covered pixels are white and opaque. `None` where it has more pixels than the code can
/// count.
pub(super) fn encode(mask: &Rle) -> Option<Vec<u8>> {
    let (width, height) = (mask.width(), mask.height());
    let count = u32::try_from(4 * width * height).ok()?;
    let mut pixels = vec![false; width * height];
    mask.for_each(|x, y| pixels[y * width + x] = true);
    let mut out = Writer::default();
    out.write(count, 32);
    out.write(8 - 1, 5);
    for size in SIZES {
        out.write(size - 1, 4);
    }
    for run in pixels.chunk_by(bool::eq) {
        let mut left = 4 * run.len();
        while left > 0 {
            let choice = SIZES.iter().position(|&size| left <= 1 << size).unwrap_or(SIZES.len() - 1);
            let length = left.min(1 << SIZES[choice]);
            out.write(1, 1);
            out.write(choice as u32, 2);
            out.write(length as u32 - 1, SIZES[choice]);
            out.write(if run[0] { 255 } else { 0 }, 8);
            left -= length;
        }
    }
    Some(out.bytes)
}

#[derive(Default)]
struct Writer {
    bytes: Vec<u8>,
    /// Bits used in the last byte; 0 where a new one is needed.
    used: u32,
}

impl Writer {
    fn write(&mut self, value: u32, count: u32) {
        for shift in (0..count).rev() {
            if self.used == 0 {
                self.bytes.push(0);
            }
            if let Some(last) = self.bytes.last_mut() {
                *last |= ((value >> shift & 1) as u8) << (7 - self.used);
            }
            self.used = (self.used + 1) % 8;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_code_is_as_written_down_by_hand() {
        // Two pixels, the first covered: 8 values; words of 8 bits (7); lengths of 3, 4, 8 and 16 bits (2, 3, 7, 15);
        // repeated, choice 0, length 4 (3), 255; repeated, choice 0, length 4 (3), 0.
        let bits = [
            "00000000000000000000000000001000",
            "00111",
            "0010",
            "0011",
            "0111",
            "1111",
            "1",
            "00",
            "011",
            "11111111",
            "1",
            "00",
            "011",
            "00000000",
        ]
        .concat();
        let bytes: Vec<u8> = bits
            .as_bytes()
            .chunks(8)
            .map(|chunk| chunk.iter().enumerate().map(|(at, bit)| (bit - b'0') << (7 - at)).sum())
            .collect();
        let mask = Rle::from_fn(2, 1, |x, _| x == 0);
        assert_eq!(encode(&mask).unwrap(), bytes);
        assert_eq!(decode(&bytes, 2, 1).unwrap(), mask);
    }

    #[test]
    fn single_values_are_read() {
        // One pixel as four single values of 8 bits: not repeated, choice 0, length 4; only alpha counts.
        let mut out = Writer::default();
        for (value, count) in [(4, 32), (7, 5), (2, 4), (3, 4), (7, 4), (15, 4), (0, 1), (0, 2), (3, 3)] {
            out.write(value, count);
        }
        for value in [0, 0, 0, 200] {
            out.write(value, 8);
        }
        assert_eq!(decode(&out.bytes, 1, 1).unwrap().area(), 1);
    }

    #[test]
    fn broken_codes_are_errors() {
        let bytes = encode(&Rle::from_fn(5, 4, |x, y| x > y)).unwrap();
        for end in 0..bytes.len() - 1 {
            assert!(decode(&bytes[..end], 5, 4).is_err(), "{end}");
        }
        assert!(decode(&bytes, 4, 4).unwrap_err().to_string().contains("80 values"));
    }

    proptest! {
        #[test]
        fn masks_come_back(width in 1usize..40, bits in proptest::collection::vec(any::<bool>(), 1..200)) {
            let height = bits.len().div_ceil(width);
            let mask = Rle::from_fn(width, height, |x, y| bits.get(y * width + x).is_some_and(|&bit| bit));
            prop_assert_eq!(decode(&encode(&mask).unwrap(), width, height).unwrap(), mask);
        }

        #[test]
        fn any_bytes_are_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = decode(&bytes, 3, 3);
            let mut right = vec![0, 0, 0, 36];
            right.extend(bytes);
            let _ = decode(&right, 3, 3);
        }
    }
}
