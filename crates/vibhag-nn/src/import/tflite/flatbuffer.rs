//! FlatBuffers as far as model files need them. Every read is checked against the end of the file, and nothing is
//! followed deeper than the caller asks, so that a damaged file is an error whatever it holds.

use vibhag_core::{Error, ErrorKind, Result};

/// A table: fields by number, each of which may be absent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Table<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Where the positions of the fields are listed, and where the list ends.
    list: [usize; 2],
}

impl<'a> Table<'a> {
    /// The root of a file with this identifier.
    pub(super) fn root(bytes: &'a [u8], identifier: [u8; 4]) -> Result<Self> {
        if bytes.get(4..8) != Some(identifier.as_slice()) {
            return Err(Error::new(ErrorKind::Decode, "not a TensorFlow Lite model")
                .hint("name a .tflite file whose bytes 5 to 8 are TFL3"));
        }
        Self::behind(bytes, 0)
    }

    /// The table to which the offset at `at` leads.
    fn behind(bytes: &'a [u8], at: usize) -> Result<Self> {
        let at = follow(bytes, at)?;
        let back = i64::from(i32::from_le_bytes(read(bytes, at)?));
        let start = usize::try_from(at as i64 - back).map_err(|_| damaged(at))?;
        let len = usize::from(u16::from_le_bytes(read(bytes, start)?));
        let end = start.checked_add(len).filter(|&end| len >= 4 && end <= bytes.len()).ok_or_else(|| damaged(start))?;
        Ok(Self { bytes, at, list: [start + 4, end] })
    }

    /// Where field `number` lies.
    fn field(&self, number: usize) -> Result<Option<usize>> {
        let [start, end] = self.list;
        let slot = start + 2 * number;
        if slot + 2 > end {
            return Ok(None);
        }
        let offset = usize::from(u16::from_le_bytes(read(self.bytes, slot)?));
        Ok((offset > 0).then_some(self.at + offset))
    }

    fn scalar<const N: usize>(&self, number: usize) -> Result<Option<[u8; N]>> {
        self.field(number)?.map(|at| read(self.bytes, at)).transpose()
    }

    /// A byte, zero where it is absent.
    pub(super) fn byte(&self, number: usize) -> Result<u8> {
        Ok(self.scalar(number)?.map_or(0, u8::from_le_bytes))
    }

    /// A whole number of four bytes.
    pub(super) fn integer(&self, number: usize, absent: i32) -> Result<i32> {
        Ok(self.scalar(number)?.map_or(absent, i32::from_le_bytes))
    }

    /// A table.
    pub(super) fn table(&self, number: usize) -> Result<Option<Self>> {
        self.field(number)?.map(|at| Self::behind(self.bytes, at)).transpose()
    }

    /// Tables; none where the field is absent.
    pub(super) fn tables(&self, number: usize) -> Result<Vec<Self>> {
        let (start, count) = self.vector(number, 4)?;
        (0..count).map(|index| Self::behind(self.bytes, start + 4 * index)).collect()
    }

    /// Whole numbers of four bytes; none where the field is absent.
    pub(super) fn integers(&self, number: usize) -> Result<Vec<i32>> {
        let (start, count) = self.vector(number, 4)?;
        (0..count).map(|index| Ok(i32::from_le_bytes(read(self.bytes, start + 4 * index)?))).collect()
    }

    /// Bytes; none where the field is absent.
    pub(super) fn bytes(&self, number: usize) -> Result<&'a [u8]> {
        let (start, count) = self.vector(number, 1)?;
        Ok(&self.bytes[start..start + count])
    }

    /// Text; empty where the field is absent.
    pub(super) fn text(&self, number: usize) -> Result<String> {
        Ok(String::from_utf8_lossy(self.bytes(number)?).into_owned())
    }

    /// Where a vector of elements of `size` bytes begins, and how many there are, all within the file.
    fn vector(&self, number: usize, size: usize) -> Result<(usize, usize)> {
        let Some(at) = self.field(number)? else { return Ok((0, 0)) };
        let at = follow(self.bytes, at)?;
        let count = u32::from_le_bytes(read(self.bytes, at)?) as usize;
        let start = at + 4;
        let end = count.checked_mul(size).and_then(|len| start.checked_add(len));
        if end.is_none_or(|end| end > self.bytes.len()) {
            return Err(damaged(at));
        }
        Ok((start, count))
    }
}

/// Where the offset at `at` leads.
fn follow(bytes: &[u8], at: usize) -> Result<usize> {
    let offset = u32::from_le_bytes(read(bytes, at)?) as usize;
    at.checked_add(offset).ok_or_else(|| damaged(at))
}

fn read<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N]> {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).copied().ok_or_else(|| damaged(at))
}

fn damaged(at: usize) -> Error {
    Error::new(ErrorKind::Decode, "the model's file leads beyond its end")
        .at(format!("byte {at}"))
        .hint("the file is damaged or incomplete")
}
