//! Rows of COCO files, instances and panoptic alike: read with any field missing or of the wrong type, and written.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use vibhag_core::{Error, ErrorKind, Result, Rgb};

use super::super::Category;
use super::super::json::Value;

/// A row of `images` as it stands in a file.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct RawImage {
    pub(crate) id: Value,
    pub(crate) file_name: Value,
    pub(crate) width: Value,
    pub(crate) height: Value,
}

impl RawImage {
    /// Width and height where both are stated.
    pub(crate) fn size(&self) -> Option<(usize, usize)> {
        let side = |value: &Value| value.whole().and_then(|side| usize::try_from(side).ok()).filter(|&side| side > 0);
        side(&self.width).zip(side(&self.height))
    }
}

/// A row of `categories` as it stands in a file.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in super::super) struct RawCategory {
    id: Value,
    name: Value,
    supercategory: Value,
    isthing: Value,
    color: Value,
}

impl RawCategory {
    /// The category, if it is one and `known` has none of its id.
    ///
    /// # Errors
    /// When id or name is missing, or the id is taken.
    pub(in super::super) fn category(&self, known: &[Category]) -> Result<Category> {
        let id = self.id.whole().and_then(|id| u32::try_from(id).ok());
        let (Some(id), Some(name)) = (id, self.name.text()) else {
            let what = format!("a category without a number from 0 to {} as id or without name", u32::MAX);
            return Err(Error::new(ErrorKind::Decode, what).hint("give every category both"));
        };
        if let Some(first) = known.iter().find(|category| category.id == id) {
            let what = format!("the category id {id} stands for {:?} and again for {name:?}", first.name);
            return Err(Error::new(ErrorKind::Decode, what).hint("give every category its own id"));
        }
        let color = self.color.numbers().and_then(|values| <[f64; 3]>::try_from(values).ok());
        Ok(Category {
            id,
            name: name.to_owned(),
            supercategory: self.supercategory.text().filter(|text| !text.is_empty()).map(str::to_owned),
            thing: self.isthing.whole() != Some(0),
            color: color.map(|color| color.map(|value| value as u8)),
        })
    }
}

/// A row of `images` to be written.
#[derive(Serialize)]
pub(in super::super) struct ImageRow<'a> {
    pub(in super::super) id: u64,
    pub(in super::super) width: usize,
    pub(in super::super) height: usize,
    pub(in super::super) file_name: &'a str,
}

#[derive(Serialize)]
struct CategoryRow<'a> {
    id: u64,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    supercategory: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    isthing: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    color: Option<Rgb>,
}

/// The JSON list of categories, each with its id; `with_things` also says which are things.
///
/// # Errors
/// Never for categories of readable text.
pub(in super::super) fn category_rows<'a>(
    categories: impl Iterator<Item = (u64, &'a Category)>,
    with_things: bool,
) -> Result<Vec<u8>> {
    let row = |(id, category): (u64, &Category)| {
        json_text(&CategoryRow {
            id,
            name: &category.name,
            supercategory: category.supercategory.as_deref(),
            isthing: with_things.then_some(u8::from(category.thing)),
            color: category.color,
        })
    };
    let rows = categories.map(row).collect::<Result<Vec<String>>>()?;
    Ok(format!("[\n{}]", rows.join(",\n")).into_bytes())
}

/// `row` as JSON.
///
/// # Errors
/// Never for rows of numbers and readable text.
pub(in super::super) fn json_text(row: &impl Serialize) -> Result<String> {
    serde_json::to_string(row).map_err(|error| Error::config(format!("cannot write as JSON: {error}")).because(error))
}

/// Ids as they are wished for, where they are free.
#[derive(Default)]
pub(in super::super) struct Ids {
    pub(in super::super) taken: HashSet<u64>,
    last: u64,
    /// How many wishes were refused.
    pub(in super::super) refused: usize,
}

impl Ids {
    /// An id of its own: `wish` if it is free.
    pub(in super::super) fn take(&mut self, wish: Option<u64>) -> u64 {
        if let Some(wish) = wish {
            if self.taken.insert(wish) {
                return wish;
            }
            self.refused += 1;
        }
        loop {
            self.last += 1;
            if self.taken.insert(self.last) {
                return self.last;
            }
        }
    }
}
