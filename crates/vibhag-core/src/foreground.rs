//! Which mask values are the foreground, as people write it: `1..58`, or `3,7,20..`.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// A set of mask values that are one class together; every other value is background.
///
/// Written as values and ranges with commas between them. Both ends of a range belong to it, and a range without an end
/// holds every value from its start on.
///
/// ```
/// use vibhag_core::Foreground;
///
/// # fn main() -> vibhag_core::Result<()> {
/// let parts: Foreground = "2, 5..7".parse()?;
/// assert!(parts.contains(7) && !parts.contains(3));
/// assert_eq!(parts.to_string(), "2,5..7");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Foreground {
    /// First and last value of each range, rising, with a gap between any two.
    ranges: Vec<(u16, u16)>,
}

impl Foreground {
    /// Every value above 0.
    pub fn above_zero() -> Self {
        Self { ranges: vec![(1, u16::MAX)] }
    }

    /// The same values but `value`; nothing changes where it is the only one.
    #[must_use]
    pub fn without(mut self, value: u16) -> Self {
        let split = |(first, last): (u16, u16)| {
            let below = (first < value).then(|| (first, last.min(value.saturating_sub(1))));
            let above = (last > value).then(|| (first.max(value.saturating_add(1)), last));
            below.into_iter().chain(above).filter(|(first, last)| first <= last)
        };
        let ranges: Vec<(u16, u16)> = self.ranges.iter().copied().flat_map(split).collect();
        if !ranges.is_empty() {
            self.ranges = ranges;
        }
        self
    }

    /// The smallest of the values.
    pub fn first(&self) -> u16 {
        self.ranges.first().map_or(1, |range| range.0)
    }

    /// Whether `value` is foreground.
    pub fn contains(&self, value: u16) -> bool {
        self.ranges.iter().any(|&(first, last)| (first..=last).contains(&value))
    }
}

impl FromStr for Foreground {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = |part: &str, what: &str| {
            Err(Error::config(format!("{part:?} names no mask values: {what}"))
                .hint("write values and ranges with commas between them, such as 1..58 or 3,7,20.."))
        };
        let mut ranges = Vec::new();
        for part in text.split(',').map(str::trim) {
            let (first, last) = match part.split_once("..") {
                None => (part, Some(part)),
                Some((first, "")) => (first, None),
                // Both ends count either way.
                Some((first, last)) => (first, Some(last.strip_prefix('=').unwrap_or(last))),
            };
            let number = |text: &str| text.trim().parse::<u16>().ok();
            let (Some(first), Some(last)) = (number(first), last.map_or(Some(u16::MAX), number)) else {
                return wrong(part, "a value is a number from 0 to 65535");
            };
            if first > last {
                return wrong(part, "the range ends before it begins");
            }
            ranges.push((first, last));
        }
        ranges.sort_unstable();
        let mut merged: Vec<(u16, u16)> = Vec::new();
        for (first, last) in ranges {
            match merged.last_mut() {
                Some(before) if first <= before.1.saturating_add(1) => before.1 = before.1.max(last),
                _ => merged.push((first, last)),
            }
        }
        if merged == [(0, u16::MAX)] {
            return wrong(text, "they leave no background");
        }
        Ok(Self { ranges: merged })
    }
}

impl fmt::Display for Foreground {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, &(first, last)) in self.ranges.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            match (first, last) {
                (first, u16::MAX) if first < u16::MAX => write!(f, "{first}..")?,
                (first, last) if first == last => write!(f, "{first}")?,
                (first, last) => write!(f, "{first}..{last}")?,
            }
        }
        Ok(())
    }
}

impl TryFrom<String> for Foreground {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Foreground> for String {
    fn from(values: Foreground) -> Self {
        values.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn both_ends_of_a_range_belong_to_it() {
        let parts: Foreground = "1..58".parse().unwrap();
        let inside: Vec<u16> = [0, 1, 58, 59].into_iter().filter(|&value| parts.contains(value)).collect();
        assert_eq!(inside, [1, 58]);
        assert_eq!("1..=58".parse::<Foreground>().unwrap(), parts);
        assert_eq!("1..".parse::<Foreground>().unwrap(), Foreground::above_zero());
        assert_eq!("30..58, 1..29".parse::<Foreground>().unwrap(), parts);
    }

    #[test]
    fn a_value_is_taken_out() {
        let without = |text: &str, value| text.parse::<Foreground>().unwrap().without(value).to_string();
        assert_eq!(without("1..", 255), "1..254,256..");
        assert_eq!(without("1..3,7", 7), "1..3");
        assert_eq!(without("1..3,7", 1), "2..3,7");
        assert_eq!(without("1..3,7", 5), "1..3,7");
        assert_eq!(without("1..", 65535), "1..65534");
        assert_eq!(without("4", 4), "4");
    }

    #[test]
    fn what_names_no_values_is_refused_with_an_example() {
        for text in ["", "a", "5..2", "1,,3", "..5", "-1", "70000", "0..", "1...3"] {
            let error = text.parse::<Foreground>().unwrap_err().to_string();
            assert!(error.contains("1..58"), "{text:?}: {error}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(parts in prop::collection::vec((1_u16..200, 0_u16..20), 1..6)) {
            let text: Vec<String> = parts.iter().map(|(first, more)| format!("{first}..{}", first + more)).collect();
            let set: Foreground = text.join(",").parse().unwrap();
            prop_assert_eq!(&set.to_string().parse::<Foreground>().unwrap(), &set);
            for value in 0..230 {
                let expected = parts.iter().any(|&(first, more)| (first..=first + more).contains(&value));
                prop_assert_eq!(set.contains(value), expected);
            }
        }
    }
}
