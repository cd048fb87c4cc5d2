//! Detects JPEG files that were cut off.
//!
//! The JPEG decoder fills what is missing with grey and reports success, which would train a
//! network on half-grey photographs.

/// Whether the JPEG stream in `bytes` reaches its end-of-image marker.
///
/// Segments are walked rather than searched, because a thumbnail inside the EXIF segment has an
/// end-of-image marker of its own.
pub(crate) fn is_complete(bytes: &[u8]) -> bool {
    let mut at = 2;
    while let Some(marker) = next_marker(bytes, &mut at) {
        match marker {
            0xD9 => return true,
            // Markers without a length: TEM and the restarts.
            0x01 | 0xD0..=0xD8 => {}
            _ => {
                let Some(length) = bytes.get(at..at + 2).map(|b| usize::from(u16::from_be_bytes([b[0], b[1]]))) else {
                    return false;
                };
                at += length.max(2);
            }
        }
    }
    false
}

/// Skips to the byte after the next marker code, over entropy-coded data (stuffed `FF 00`
/// included), and returns the code.
fn next_marker(bytes: &[u8], at: &mut usize) -> Option<u8> {
    loop {
        let pair = bytes.get(*at..*at + 2)?;
        if pair[0] == 0xFF && pair[1] != 0x00 && pair[1] != 0xFF {
            *at += 2;
            return Some(pair[1]);
        }
        *at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded() -> Vec<u8> {
        let pixels = image::RgbImage::from_fn(40, 30, |x, y| image::Rgb([x as u8 * 6, y as u8 * 8, (x * y) as u8]));
        let mut bytes = Vec::new();
        pixels.write_to(&mut std::io::Cursor::new(&mut bytes), image::ImageFormat::Jpeg).unwrap();
        bytes
    }

    #[test]
    fn every_proper_prefix_is_incomplete() {
        let bytes = encoded();
        assert!(is_complete(&bytes));
        for length in 0..bytes.len() {
            assert!(!is_complete(&bytes[..length]), "prefix of {length}");
        }
    }

    #[test]
    fn bytes_after_the_end_do_no_harm() {
        let mut bytes = encoded();
        bytes.extend_from_slice(b"maker notes");
        assert!(is_complete(&bytes));
    }

    #[test]
    fn a_thumbnail_does_not_end_the_photo() {
        let bytes = encoded();
        let mut with_thumbnail = bytes[..2].to_vec();
        with_thumbnail.extend_from_slice(&[0xFF, 0xE1, 0x00, 0x06, 0xFF, 0xD8, 0xFF, 0xD9]);
        with_thumbnail.extend_from_slice(&bytes[2..bytes.len() - 2]);
        assert!(!is_complete(&with_thumbnail));
    }
}
