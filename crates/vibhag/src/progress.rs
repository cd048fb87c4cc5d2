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

/// A bar over the frames of a video, with their number a second; a counter where nobody knows how many there are.
#[derive(Debug)]
pub struct FrameBar {
    bar: ProgressBar,
    name: String,
}

impl FrameBar {
    /// A bar over `total` frames of what is called `name`, hidden when `quiet`.
    pub fn new(total: Option<u64>, name: &str, quiet: bool) -> Self {
        let bar = match total {
            _ if quiet => ProgressBar::hidden(),
            Some(total) => ProgressBar::new(total),
            None => ProgressBar::no_length(),
        };
        let template =
            if total.is_some() { "{msg} [{wide_bar}] {pos}/{len}" } else { "{msg}, frame {pos} after {elapsed}" };
        styled(&bar, template);
        bar.set_message(name.to_owned());
        Self { bar, name: name.to_owned() }
    }

    /// Shows `progress`, whose time left follows from all frames and not from the last ones.
    pub fn show(&self, progress: &vibhag_video::Progress) {
        if let Some(total) = progress.total {
            self.bar.set_length(total);
        }
        self.bar.set_position(progress.done);
        let left = progress.left.map_or_else(String::new, |left| {
            let seconds = left.as_secs();
            format!(", ETA {}:{:02}", seconds / 60, seconds % 60)
        });
        self.bar.set_message(format!("{} {:.1} frames/s{left}", self.name, progress.frames_per_second));
    }

    /// Takes the bar off the screen.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
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

    #[test]
    fn the_bar_of_a_video_tells_speed_and_time_left() {
        let bar = FrameBar::new(Some(250), "clip.mp4", true);
        let left = Some(std::time::Duration::from_secs(75));
        bar.show(&vibhag_video::Progress { done: 100, total: Some(250), frames_per_second: 2.0, left });
        assert_eq!((bar.bar.position(), bar.bar.message().as_str()), (100, "clip.mp4 2.0 frames/s, ETA 1:15"));
    }
}
