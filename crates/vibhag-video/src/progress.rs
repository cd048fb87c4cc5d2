//! How far a video is.

use std::time::{Duration, Instant};

/// A state of the work.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// Frames done.
    pub done: u64,
    /// Frames in all, estimated from the file's length; unknown for a webcam.
    pub total: Option<u64>,
    /// Frames a second, from the first frame on.
    pub frames_per_second: f64,
    /// Time left, where the total and the speed are known.
    pub left: Option<Duration>,
}

/// Counts frames and takes the time.
#[derive(Debug, Clone)]
pub struct Meter {
    total: Option<u64>,
    done: u64,
    start: Option<Instant>,
    last: Option<Instant>,
}

impl Meter {
    /// Nothing done of `total` frames.
    pub fn new(total: Option<u64>) -> Self {
        Self { total, done: 0, start: None, last: None }
    }

    /// One more frame is done.
    pub fn add(&mut self) {
        let now = Instant::now();
        self.start.get_or_insert(now);
        self.last = Some(now);
        self.done += 1;
    }

    /// The state now.
    pub fn progress(&self) -> Progress {
        // The first frame starts the clock, so there is one interval less than there are frames.
        let seconds = self.start.zip(self.last).map_or(0.0, |(start, last)| (last - start).as_secs_f64());
        let intervals = self.done.saturating_sub(1) as f64;
        let frames_per_second = if seconds > 0.0 { intervals / seconds } else { 0.0 };
        // A file may hold more than its header says.
        let total = self.total.map(|total| total.max(self.done));
        let left = total
            .filter(|_| frames_per_second > 0.0)
            .and_then(|total| Duration::try_from_secs_f64((total - self.done) as f64 / frames_per_second).ok());
        Progress { done: self.done, total, frames_per_second, left }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speed_and_time_left_follow_from_the_frames() {
        let mut meter = Meter::new(Some(10));
        assert_eq!(meter.progress(), Progress { done: 0, total: Some(10), frames_per_second: 0.0, left: None });
        let start = Instant::now();
        meter = Meter { total: Some(10), done: 5, start: Some(start), last: Some(start + Duration::from_secs(2)) };
        let progress = meter.progress();
        assert_eq!(progress.frames_per_second, 2.0);
        assert_eq!(progress.left, Some(Duration::from_millis(2500)));
        (0..7).for_each(|_| meter.add());
        assert_eq!(meter.progress().total, Some(12));
    }
}
