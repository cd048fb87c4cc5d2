//! A place for one value between two threads, so that neither gets ahead of the other.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::process::lock;

/// What a sender does when the value before has not been taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WhenFull {
    /// Waits until it is.
    Wait,
    /// Puts the new one in its place.
    Replace,
}

/// Why a value was not given or taken.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Missed {
    /// The other side has closed.
    Closed,
    /// Nothing happened within the time.
    Late,
}

/// One value at a time from one thread to another. Either side may close it, which wakes the other.
#[derive(Debug)]
pub(crate) struct Exchange<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

#[derive(Debug)]
struct State<T> {
    value: Option<T>,
    closed: bool,
}

impl<T> Exchange<T> {
    pub(crate) fn new() -> Self {
        Self { state: Mutex::new(State { value: None, closed: false }), changed: Condvar::new() }
    }

    /// Hands over `value`; without a `limit`, waits as long as the other side lives.
    pub(crate) fn give(&self, value: T, when_full: WhenFull, limit: Option<Duration>) -> Result<(), Missed> {
        let full = |state: &State<T>| !state.closed && when_full == WhenFull::Wait && state.value.is_some();
        let mut state = self.wait(limit, full)?;
        if state.closed {
            return Err(Missed::Closed);
        }
        state.value = Some(value);
        self.changed.notify_all();
        Ok(())
    }

    /// Takes the value, that of a side that has closed since too.
    pub(crate) fn take(&self, limit: Option<Duration>) -> Result<T, Missed> {
        let mut state = self.wait(limit, |state| !state.closed && state.value.is_none())?;
        self.changed.notify_all();
        state.value.take().ok_or(Missed::Closed)
    }

    pub(crate) fn close(&self) {
        lock(&self.state).closed = true;
        self.changed.notify_all();
    }

    fn wait(
        &self,
        limit: Option<Duration>,
        blocked: impl Fn(&State<T>) -> bool,
    ) -> Result<std::sync::MutexGuard<'_, State<T>>, Missed> {
        let start = Instant::now();
        let mut state = lock(&self.state);
        while blocked(&state) {
            // Without a limit in slices, which costs nothing and spares a second kind of wait.
            let left = limit.map_or(Duration::from_secs(1), |limit| limit.saturating_sub(start.elapsed()));
            if left.is_zero() {
                return Err(Missed::Late);
            }
            (state, _) = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner);
        }
        Ok(state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Option<Duration> = Some(Duration::from_millis(20));

    #[test]
    fn values_arrive_in_order_and_none_is_lost() {
        let exchange = Exchange::new();
        let taken: Vec<u32> = std::thread::scope(|scope| {
            scope.spawn(|| {
                (0..1000).for_each(|i| exchange.give(i, WhenFull::Wait, None).unwrap());
                exchange.close();
            });
            std::iter::from_fn(|| exchange.take(None).ok()).collect()
        });
        assert_eq!(taken, (0..1000).collect::<Vec<_>>());
    }

    #[test]
    fn waiting_ends_in_time_or_with_the_other_side() {
        let exchange = Exchange::new();
        assert_eq!(exchange.take(SHORT), Err(Missed::Late));
        exchange.give(1, WhenFull::Wait, SHORT).unwrap();
        assert_eq!(exchange.give(2, WhenFull::Wait, SHORT), Err(Missed::Late));
        exchange.give(3, WhenFull::Replace, SHORT).unwrap();
        exchange.close();
        assert_eq!(exchange.give(4, WhenFull::Replace, None), Err(Missed::Closed));
        assert_eq!((exchange.take(None), exchange.take(None)), (Ok(3), Err(Missed::Closed)));
    }
}
