//! Small numbers on pictures, in a font of our own: digits 5 pixels wide and 7 high.

use vibhag_core::Rgb;

use crate::picture::Picture;

const WIDTH: usize = 5;
const HEIGHT: usize = 7;

/// Rows of each digit from top to bottom; the highest of five bits is the left pixel.
const DIGITS: [[u8; HEIGHT]; 10] = [
    [0b01110, 0b10001, 0b10001, 0b10001, 0b10001, 0b10001, 0b01110],
    [0b00100, 0b01100, 0b00100, 0b00100, 0b00100, 0b00100, 0b01110],
    [0b01110, 0b10001, 0b00001, 0b00010, 0b00100, 0b01000, 0b11111],
    [0b01110, 0b10001, 0b00001, 0b00110, 0b00001, 0b10001, 0b01110],
    [0b00010, 0b00110, 0b01010, 0b10010, 0b11111, 0b00010, 0b00010],
    [0b11111, 0b10000, 0b11110, 0b00001, 0b00001, 0b10001, 0b01110],
    [0b00110, 0b01000, 0b10000, 0b11110, 0b10001, 0b10001, 0b01110],
    [0b11111, 0b00001, 0b00010, 0b00010, 0b00100, 0b00100, 0b00100],
    [0b01110, 0b10001, 0b10001, 0b01110, 0b10001, 0b10001, 0b01110],
    [0b01110, 0b10001, 0b10001, 0b01111, 0b00001, 0b00010, 0b01100],
];

/// Width and height in pixels of `number` with the dark rim around it; `scale` is the side of a dot.
pub(crate) fn size(number: u32, scale: usize) -> (usize, usize) {
    let digits = number.checked_ilog10().map_or(1, |power| power as usize + 1);
    ((digits * (WIDTH + 1) - 1) * scale + 2, HEIGHT * scale + 2)
}

/// Writes `number` in white with a dark rim, its middle at (`x`, `y`); what is outside of the picture is cut off.
pub(crate) fn draw(picture: &mut Picture, number: u32, x: usize, y: usize, scale: usize) {
    let (width, height) = size(number, scale);
    let (left, top) = (x as i64 - width as i64 / 2 + 1, y as i64 - height as i64 / 2 + 1);
    let mut dots = Vec::new();
    for (place, digit) in number.to_string().bytes().enumerate() {
        for (row, bits) in DIGITS[usize::from(digit - b'0')].iter().enumerate() {
            for column in (0..WIDTH).filter(|column| bits >> (WIDTH - 1 - column) & 1 == 1) {
                let (dx, dy) = ((place * (WIDTH + 1) + column) * scale, row * scale);
                dots.push((left + dx as i64, top + dy as i64));
            }
        }
    }
    let mut fill = |rim: i64, color: Rgb| {
        for &(x, y) in &dots {
            for y in y - rim..y + scale as i64 + rim {
                for x in x - rim..x + scale as i64 + rim {
                    if let (Ok(x), Ok(y)) = (usize::try_from(x), usize::try_from(y)) {
                        picture.set(x, y, color);
                    }
                }
            }
        }
    };
    fill(1, [16; 3]);
    fill(0, [255; 3]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(picture: &Picture) -> Vec<String> {
        (0..picture.height())
            .map(|y| {
                (0..picture.width()).map(|x| if picture.get(x, y) == Some([255; 3]) { '#' } else { '.' }).collect()
            })
            .collect()
    }

    #[test]
    fn a_number_is_centred_and_has_a_rim() {
        assert_eq!((size(0, 1), size(10, 1), size(999, 2)), ((7, 9), (13, 9), (36, 16)));
        let mut picture = Picture::filled(15, 11, [100; 3]).unwrap();
        draw(&mut picture, 42, 7, 5, 1);
        assert_eq!(
            rows(&picture)[2..9],
            [
                ".....#...###...",
                "....##..#...#..",
                "...#.#......#..",
                "..#..#.....#...",
                "..#####...#....",
                ".....#...#.....",
                ".....#..#####..",
            ]
        );
        assert_eq!(picture.get(5, 1), Some([16; 3]));
        assert_eq!(picture.get(0, 0), Some([100; 3]));
    }

    #[test]
    fn a_number_at_the_edge_is_cut_off() {
        let mut picture = Picture::filled(4, 4, [0; 3]).unwrap();
        draw(&mut picture, 88, 0, 0, 3);
        draw(&mut picture, u32::MAX, 3, 3, 1);
    }

    #[test]
    fn digits_differ() {
        for (index, digit) in DIGITS.iter().enumerate() {
            assert!(DIGITS[..index].iter().all(|other| other != digit));
        }
    }
}
