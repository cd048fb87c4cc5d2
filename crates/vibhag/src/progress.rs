//! Progress on the terminal.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar that counts `length` quick items, hidden when `quiet`.
pub fn counter(length: usize, what: &'static str, quiet: bool) -> ProgressBar {
    let bar = if quiet { ProgressBar::hidden() } else { ProgressBar::new(length as u64) };
    styled(&bar, "{msg} [{wide_bar}] {pos}/{len} ETA {eta}");
    bar.set_message(what);
    bar
}

fn styled(bar: &ProgressBar, template: &str) {
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
}

/// Marks on the bar per item.
const MARKS: u64 = 1000;

/// A bar over items that also moves within an item, so that the ETA of one huge image is known.
#[derive(Debug)]
pub struct ItemBar {
    bar: ProgressBar,
    items: usize,
    done: usize,
    what: &'static str,
}

impl ItemBar {
    /// A bar over `items`, hidden when `quiet`.
    pub fn new(items: usize, what: &'static str, quiet: bool) -> Self {
        let bar = if quiet { ProgressBar::hidden() } else { ProgressBar::new(items as u64 * MARKS) };
        styled(&bar, "{msg} [{wide_bar}] ETA {eta}");
        let bar = Self { bar, items, done: 0, what };
        bar.say();
        bar
    }

    /// The share of the current item that is done, 0..=1.
    pub fn share(&self, share: f64) {
        self.bar.set_position(self.done as u64 * MARKS + (share.clamp(0.0, 1.0) * MARKS as f64) as u64);
    }

    /// The current item is done.
    pub fn next(&mut self) {
        self.done += 1;
        self.share(0.0);
        self.say();
    }

    /// Takes the bar off the screen.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn say(&self) {
        self.bar.set_message(format!("{} {}/{}", self.what, self.done, self.items));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_moves_within_an_item_and_on_to_the_next() {
        let mut bar = ItemBar::new(3, "predicting", true);
        bar.bar.set_length(3 * MARKS);
        bar.share(0.5);
        assert_eq!(bar.bar.position(), 500);
        bar.next();
        assert_eq!((bar.bar.position(), bar.bar.message().as_str()), (1000, "predicting 1/3"));
        bar.share(2.0);
        assert_eq!(bar.bar.position(), 2000);
    }
}
