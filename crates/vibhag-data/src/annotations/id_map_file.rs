//! Label maps as files: a number for every pixel, 0 where there is no object.
//!
//! PNG holds 8 or 16 bits a pixel, TIFF also 32 bits, as integers or (as ImageJ and MATLAB write them) as floating
//! point numbers that are whole.

use std::fs::File;
use std::io::{BufWriter, Cursor, Write};
use std::path::Path;

use tiff::TiffError;
use tiff::decoder::{Decoder, DecodingResult, Limits};
use tiff::encoder::{Compression, DeflateLevel, TiffEncoder, colortype};
use vibhag_core::{Error, ErrorKind, IdMap, Result};

use crate::decode::{MAX_BYTES, check_size, read_bytes};
use crate::encode::{write_gray8_png, write_gray16_png};
use crate::mask::{MaskPixels, RawMask, decode_mask};

/// How a label map is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Storage {
    /// More than 8 bits a pixel.
    pub(super) deep: bool,
    /// Numbers are indices into a palette.
    pub(super) palette: bool,
}

/// Reads the label map at `path`.
///
/// # Errors
/// When the file cannot be read, went through JPEG, holds colours, several pages, or a value that is no number of an
/// object: negative, fractional, NaN, or above 4294967295.
pub(crate) fn read_ids(path: &Path) -> Result<(IdMap, Storage)> {
    let bytes = read_bytes(path)?;
    if bytes.starts_with(b"II") || bytes.starts_with(b"MM") {
        match read_tiff(&bytes, path)? {
            Some(map) => return Ok(map),
            // Fewer than 8 bits a pixel.
            None => return from_mask(decode_mask(&bytes, path)?, path),
        }
    }
    from_mask(decode_mask(&bytes, path)?, path)
}

fn from_mask(mask: RawMask, path: &Path) -> Result<(IdMap, Storage)> {
    let unsupported = |what: &str, hint: &str| Err(Error::new(ErrorKind::Unsupported, what).at_path(path).hint(hint));
    if mask.lossy {
        return unsupported("a label map in JPEG, which changes its numbers", "export label maps as PNG or TIFF");
    }
    let MaskPixels::Values(values) = mask.pixels else {
        return unsupported("a label map in colours", "export the numbers of the objects as 16-bit grey PNG or TIFF");
    };
    let storage = Storage { deep: mask.deep, palette: mask.palette.is_some() };
    let ids = values.into_iter().map(u32::from).collect();
    IdMap::new(mask.width, mask.height, ids).map(|map| (map, storage)).map_err(|error| error.at_path(path))
}

/// A TIFF of one grey channel of at least 8 bits; `None` for one of fewer.
fn read_tiff(bytes: &[u8], path: &Path) -> Result<Option<(IdMap, Storage)>> {
    let failed = |error: TiffError| {
        let hint = match error {
            TiffError::UnsupportedError(_) => "save it without compression, or as 16-bit PNG",
            _ => "the file is damaged or truncated: export the label map again, or delete it",
        };
        Error::new(ErrorKind::Decode, format!("cannot decode: {error}")).at_path(path).hint(hint).because(error)
    };
    let mut limits = Limits::default();
    limits.decoding_buffer_size = MAX_BYTES as usize;
    limits.intermediate_buffer_size = MAX_BYTES as usize;
    let mut decoder = Decoder::new(Cursor::new(bytes)).map_err(failed)?.with_limits(limits);
    let (width, height) = decoder.dimensions().map_err(failed)?;
    let bits = match decoder.colortype().map_err(failed)? {
        tiff::ColorType::Gray(bits) if bits < 8 => return Ok(None),
        tiff::ColorType::Gray(bits) => bits,
        other => {
            return Err(Error::new(ErrorKind::Unsupported, format!("a label map of {other:?} pixels"))
                .at_path(path)
                .hint("export the numbers of the objects as one grey channel"));
        }
    };
    check_size(u64::from(width), u64::from(height), u64::from(width) * u64::from(height) * u64::from(bits) / 8, path)?;
    if decoder.more_images() {
        return Err(Error::new(ErrorKind::Unsupported, "a TIFF of several pages").at_path(path).hint(
            "save each page as a file of its own beside the image that it belongs to; volumes are not supported",
        ));
    }
    let values = match decoder.read_image().map_err(failed)? {
        DecodingResult::U8(values) => Ok(values.into_iter().map(u32::from).collect()),
        DecodingResult::U16(values) => Ok(values.into_iter().map(u32::from).collect()),
        DecodingResult::U32(values) => Ok(values),
        DecodingResult::U64(values) => ids_of(values),
        DecodingResult::I8(values) => ids_of(values),
        DecodingResult::I16(values) => ids_of(values),
        DecodingResult::I32(values) => ids_of(values),
        DecodingResult::I64(values) => ids_of(values),
        DecodingResult::F32(values) => whole(values.into_iter().map(f64::from)),
        DecodingResult::F64(values) => whole(values.into_iter()),
        DecodingResult::F16(values) => whole(values.into_iter().map(f64::from)),
    };
    let ids = values.map_err(|(at, value)| {
        let (x, y) = (at % width as usize, at / width as usize);
        Error::new(ErrorKind::MaskValue, format!("{value} is not the number of an object"))
            .at_path(path)
            .at(format!("first at column {x}, row {y}"))
            .hint("a label map holds whole numbers from 0 to 4294967295")
    })?;
    let map = IdMap::new(width as usize, height as usize, ids).map_err(|error| error.at_path(path))?;
    Ok(Some((map, Storage { deep: bits > 8, palette: false })))
}

/// Integers as ids; the place and value of the first that is none.
fn ids_of<T: Copy + TryInto<u32> + ToString>(values: Vec<T>) -> Result<Vec<u32>, (usize, String)> {
    let id = |(at, value): (usize, T)| value.try_into().map_err(|_| (at, value.to_string()));
    values.into_iter().enumerate().map(id).collect()
}

/// Whole floating point numbers as ids; the place and value of the first that is none.
fn whole(values: impl Iterator<Item = f64>) -> Result<Vec<u32>, (usize, String)> {
    let id = |(at, value): (usize, f64)| {
        let fits = (0.0..=f64::from(u32::MAX)).contains(&value) && value.fract() == 0.0;
        if fits { Ok(value as u32) } else { Err((at, value.to_string())) }
    };
    values.enumerate().map(id).collect()
}

/// The ending of the file that [`write_ids`] makes of `map`: `png` up to 65535, `tif` above.
pub(crate) fn extension_for(map: &IdMap) -> &'static str {
    if u16::try_from(largest(map)).is_err() { "tif" } else { "png" }
}

/// The largest id of `map`; 0 without any object.
pub(super) fn largest(map: &IdMap) -> u32 {
    map.ids().iter().copied().max().unwrap_or(0)
}

/// Writes `map` as 16-bit PNG, or as 32-bit TIFF where the path ends so. With `narrow`, numbers up to 255 go into 8 bits.
///
/// # Errors
/// When the file cannot be written.
pub(crate) fn write_ids(path: &Path, map: &IdMap, narrow: bool) -> Result<()> {
    let (width, height) = (map.width(), map.height());
    if path.extension().is_some_and(|extension| extension == "tif") {
        return write_tiff32(path, map);
    }
    if narrow && u8::try_from(largest(map)).is_ok() {
        let values: Vec<u8> = map.ids().iter().map(|&id| id as u8).collect();
        return write_gray8_png(path, width, height, &values);
    }
    let values: Vec<u16> = map.ids().iter().map(|&id| id as u16).collect();
    write_gray16_png(path, width, height, &values)
}

fn write_tiff32(path: &Path, map: &IdMap) -> Result<()> {
    let failed = |error: TiffError| match error {
        TiffError::IoError(error) => Error::io(path, error).hint("check free space and permissions"),
        other => Error::new(ErrorKind::Io, format!("cannot write the TIFF: {other}")).at_path(path).because(other),
    };
    let file = File::create(path).map_err(|error| Error::io(path, error).hint("check free space and permissions"))?;
    let mut file = BufWriter::new(file);
    TiffEncoder::new(&mut file)
        .map_err(failed)?
        .with_compression(Compression::Deflate(DeflateLevel::Balanced))
        .write_image::<colortype::Gray32>(map.width() as u32, map.height() as u32, map.ids())
        .map_err(failed)?;
    // Dropping the writer would swallow a full disk.
    file.flush().map_err(|error| Error::io(path, error).hint("check free space and permissions"))
}
