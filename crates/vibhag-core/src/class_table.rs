//! The classes of a task: background is class 0 and counts.

use serde::{Deserialize, Serialize};

use crate::color::{Rgb, class_color};
use crate::error::{Error, Result};

/// One class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Class {
    /// What people call it.
    pub name: String,
    /// Its colour in overlays and palette masks.
    pub color: Rgb,
    /// Whether it has objects that can be counted (a thing), or only an extent (stuff, such as sky).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub thing: bool,
}

/// All classes of a task, by index, and the value of pixels that no metric or loss counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassTable {
    /// The classes; the index in this list is the label.
    pub classes: Vec<Class>,
    /// Label of pixels to leave out of losses and metrics (void).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ignore: Option<u16>,
}

impl ClassTable {
    /// Classes with default colours.
    pub fn from_names<S: Into<String>>(names: impl IntoIterator<Item = S>) -> Self {
        let classes = names
            .into_iter()
            .enumerate()
            .map(|(index, name)| Class { name: name.into(), color: class_color(index), thing: false })
            .collect();
        Self { classes, ignore: None }
    }

    /// Background and one foreground class.
    pub fn binary(foreground: &str) -> Self {
        Self::from_names(["background", foreground])
    }

    /// The same classes with `ignore` as the void label.
    #[must_use]
    pub fn with_ignore(mut self, ignore: Option<u16>) -> Self {
        self.ignore = ignore;
        self
    }

    /// The same classes with those that `is_thing` names by index as things.
    #[must_use]
    pub fn with_things(mut self, is_thing: impl Fn(usize) -> bool) -> Self {
        for (index, class) in self.classes.iter_mut().enumerate() {
            class.thing = is_thing(index);
        }
        self
    }

    /// Whether `class` exists and is a thing.
    pub fn is_thing(&self, class: u16) -> bool {
        self.classes.get(usize::from(class)).is_some_and(|class| class.thing)
    }

    /// The label of pixels that belong to no segment: the void where every pixel should have one, the background (class
    /// 0) otherwise.
    pub fn nothing(&self) -> u16 {
        self.ignore.unwrap_or(0)
    }

    /// The stuff classes in label order: all that are no things.
    pub fn stuff(&self) -> impl Iterator<Item = u16> + '_ {
        (0..self.len() as u16).filter(|&class| !self.is_thing(class))
    }

    /// Number of classes, background included, void excluded.
    pub fn len(&self) -> usize {
        self.classes.len()
    }

    /// Whether there is no class at all.
    pub fn is_empty(&self) -> bool {
        self.classes.is_empty()
    }

    /// Background and exactly one foreground class: the network has one output channel.
    pub fn is_binary(&self) -> bool {
        self.classes.len() == 2
    }

    /// Channels of the network's output: 1 for binary tasks, one per class otherwise.
    pub fn output_channels(&self) -> usize {
        if self.is_binary() { 1 } else { self.len() }
    }

    /// The class names in label order.
    pub fn names(&self) -> Vec<String> {
        self.classes.iter().map(|class| class.name.clone()).collect()
    }

    /// Checks that there are at least two classes and the void label is not one of them.
    ///
    /// # Errors
    /// A configuration error that names the offending label.
    pub fn validate(&self) -> Result<()> {
        if self.classes.len() < 2 {
            return Err(Error::config(format!("{} classes; a segmentation needs at least two", self.classes.len()))
                .hint("background counts as a class: list it first in classes.txt"));
        }
        if let Some(ignore) = self.ignore
            && usize::from(ignore) < self.classes.len()
        {
            return Err(Error::config(format!(
                "ignore index {ignore} is also class {:?}",
                self.classes[usize::from(ignore)].name
            ))
            .hint("choose an ignore index beyond the last class, such as 255"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_void_label_that_is_a_class_is_refused() {
        let table = ClassTable::binary("naevus").with_ignore(Some(1));
        assert!(table.validate().unwrap_err().to_string().contains("ignore index 1"));
        assert!(ClassTable::binary("naevus").with_ignore(Some(255)).validate().is_ok());
    }

    #[test]
    fn binary_tasks_have_one_output_channel() {
        assert_eq!(ClassTable::binary("cell").output_channels(), 1);
        assert_eq!(ClassTable::from_names(["a", "b", "c"]).output_channels(), 3);
    }
}
