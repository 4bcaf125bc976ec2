//! Trying again: exponential back-off with jitter, bounded in number and in time.

use crate::failure::{Failure, Retry};
use ctr_core::{Error, Result};
use std::time::Duration;

/// Failures in a row that are borne, without a byte of progress between them.
const TRIES: u32 = 5;
/// The first pause.
const FIRST: Duration = Duration::from_millis(250);
/// The longest pause, of ours or asked for by a server.
const LONGEST: Duration = Duration::from_mins(1);

/// Counts failures in a row.
pub(crate) struct Backoff<'a> {
    failures: u32,
    notice: &'a (dyn Fn(&str) + Send + Sync),
}

impl<'a> Backoff<'a> {
    /// `notice` is told why and how long we wait.
    pub fn new(notice: &'a (dyn Fn(&str) + Send + Sync)) -> Self {
        Self { failures: 0, notice }
    }

    /// There was progress: the count begins anew.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// Sleeps before the next try.
    ///
    /// # Errors
    /// The failure itself where no further try is due.
    pub fn wait(&mut self, failure: Failure) -> Result<()> {
        self.failures += 1;
        match pause(self.failures, failure.retry, jitter()) {
            Some(pause) => {
                (self.notice)(&format!("{}; trying again in {:.1} s", failure.error.message, pause.as_secs_f32()));
                std::thread::sleep(pause);
                Ok(())
            }
            None => Err(given_up(failure, self.failures)),
        }
    }
}

/// Runs `f` until it succeeds or no further try is due.
pub(crate) fn retrying<T>(
    notice: &(dyn Fn(&str) + Send + Sync),
    mut f: impl FnMut() -> Result<T, Failure>,
) -> Result<T> {
    let mut backoff = Backoff::new(notice);
    loop {
        match f() {
            Ok(value) => return Ok(value),
            Err(failure) => backoff.wait(failure)?,
        }
    }
}

/// How long to wait after the `failures`-th failure in a row; `jitter` is in 0..1.
fn pause(failures: u32, retry: Retry, jitter: f32) -> Option<Duration> {
    if failures >= TRIES {
        return None;
    }
    let own = FIRST * 2u32.pow(failures - 1);
    // Half to all of it: many clients that failed together do not come back together.
    let own = own.mul_f32(0.5 + jitter / 2.0).min(LONGEST);
    match retry {
        Retry::Never | Retry::IfKnown => None,
        Retry::Soon => Some(own),
        Retry::After(asked) if asked > LONGEST => None,
        Retry::After(asked) => Some(asked.max(own)),
    }
}

fn given_up(failure: Failure, failures: u32) -> Error {
    let mut error = failure.error;
    if failures > 1 {
        error.message = format!("{}, after {failures} tries", error.message);
    }
    if let Retry::After(asked) = failure.retry
        && asked > LONGEST
    {
        error = error.hint(format!("it says to come back in {} s", asked.as_secs()));
    }
    error
}

fn jitter() -> f32 {
    let mut byte = [0u8];
    let _ = rustix::rand::getrandom(&mut byte, rustix::rand::GetRandomFlags::empty());
    f32::from(byte[0]) / 256.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_end() {
        let ms = |n| pause(n, Retry::Soon, 1.0).map(|d| d.as_millis());
        assert_eq!((1..=5).map(ms).collect::<Vec<_>>(), [Some(250), Some(500), Some(1000), Some(2000), None]);
        assert_eq!(pause(1, Retry::Soon, 0.0), Some(FIRST / 2));
        assert_eq!(pause(1, Retry::Never, 0.0), None);
    }

    #[test]
    fn a_server_may_ask_for_a_minute_and_no_more() {
        assert_eq!(pause(1, Retry::After(Duration::from_mins(1)), 0.0), Some(Duration::from_mins(1)));
        assert_eq!(pause(1, Retry::After(Duration::from_secs(61)), 0.0), None);
        assert_eq!(pause(2, Retry::After(Duration::ZERO), 1.0), Some(FIRST * 2));
    }
}
