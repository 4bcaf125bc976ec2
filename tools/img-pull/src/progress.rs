//! Progress on stderr: bars for people, JSON lines for scripts, nothing for pipes.

use clap::ValueEnum;
use ctr_core::json;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::{
    io::{self, IsTerminal, Write},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// Between two JSON lines of one layer.
const INTERVAL: Duration = Duration::from_millis(200);

/// How progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Style {
    /// Bars for a terminal.
    Bar,
    /// JSON lines.
    Json,
    /// Not at all.
    None,
}

impl Style {
    /// Bars where stderr is a terminal.
    pub fn for_stderr() -> Self {
        if io::stderr().is_terminal() { Self::Bar } else { Self::None }
    }
}

/// The progress of one pull; its threads share it.
pub(crate) enum Progress {
    None,
    Json,
    Bars(Bars),
}

/// A bar for each layer under way and one for the whole. Layers that are done leave no bar:
/// an image of 300 layers must not scroll the screen.
pub(crate) struct Bars {
    multi: MultiProgress,
    whole: Mutex<Option<ProgressBar>>,
}

impl Progress {
    pub fn new(style: Style) -> Self {
        match style {
            Style::None => Self::None,
            Style::Json => Self::Json,
            Style::Bar => Self::Bars(Bars {
                multi: MultiProgress::with_draw_target(ProgressDrawTarget::stderr()),
                whole: Mutex::new(None),
            }),
        }
    }

    /// What is to be fetched is known: `bytes` in all.
    pub fn plan(&self, name: &str, bytes: u64) {
        if let Self::Bars(bars) = self {
            let bar = bars.multi.add(ProgressBar::new(bytes));
            bar.set_style(style("{prefix} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec}"));
            bar.set_prefix(name.to_owned());
            *bars.whole.lock().unwrap_or_else(PoisonError::into_inner) = Some(bar);
        }
    }

    /// A layer is being fetched.
    pub fn layer(&self, digest: &str, size: u64) -> Meter<'_> {
        let bar = match self {
            Self::Bars(bars) => {
                let bar = bars.multi.insert(0, ProgressBar::new(size));
                bar.set_style(style("  {prefix} {wide_bar} {bytes}/{total_bytes}"));
                let hex = digest.split_once(':').map_or(digest, |(_, hex)| hex);
                bar.set_prefix(hex.get(..12).unwrap_or(hex).to_owned());
                Some(bar)
            }
            _ => None,
        };
        Meter { progress: self, digest: digest.to_owned(), size, bar, at: AtomicU64::new(0), told: Mutex::new(None) }
    }

    /// A layer that the store has.
    pub fn present(&self, digest: &str, size: u64) {
        self.line("present", digest, size, size);
    }

    /// Says in one line what went wrong and will be tried again; only where progress is shown.
    pub fn notice(&self, text: &str) {
        match self {
            Self::None => {}
            Self::Json => print(&json!({"tool": "img-pull", "status": "retry", "message": text})),
            Self::Bars(bars) => {
                let _ = bars.multi.println(format!("img-pull: {text}"));
            }
        }
    }

    /// Takes the bars off the screen, for good: what comes now is the result or an error.
    pub fn close(&self) {
        if let Self::Bars(bars) = self {
            let _ = bars.multi.clear();
            // Threads that are still at work draw no more.
            bars.multi.set_draw_target(ProgressDrawTarget::hidden());
        }
    }

    fn line(&self, status: &str, digest: &str, current: u64, total: u64) {
        if matches!(self, Self::Json) {
            print(&json!({"tool": "img-pull", "status": status, "digest": digest, "current": current, "total": total}));
        }
    }

    fn advance(&self, from: u64, to: u64) {
        if let Self::Bars(bars) = self
            && let Some(bar) = &*bars.whole.lock().unwrap_or_else(PoisonError::into_inner)
        {
            // A layer that begins anew goes back.
            if to >= from { bar.inc(to - from) } else { bar.dec(from - to) }
        }
    }
}

/// The progress of one layer.
pub(crate) struct Meter<'a> {
    progress: &'a Progress,
    digest: String,
    size: u64,
    bar: Option<ProgressBar>,
    at: AtomicU64,
    told: Mutex<Option<Instant>>,
}

impl Meter<'_> {
    /// So many bytes of the layer are there.
    pub fn moved(&self, at: u64) {
        self.progress.advance(self.at.swap(at, Ordering::Relaxed), at);
        if let Some(bar) = &self.bar {
            bar.set_position(at);
        }
        if matches!(self.progress, Progress::Json) {
            let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            if told.is_none_or(|t| t.elapsed() >= INTERVAL) {
                *told = Some(Instant::now());
                self.progress.line("fetching", &self.digest, at, self.size);
            }
        }
    }

    /// The layer is in the store.
    pub fn done(self) {
        self.moved_to_end();
        self.progress.line("done", &self.digest, self.size, self.size);
    }

    fn moved_to_end(&self) {
        self.progress.advance(self.at.swap(self.size, Ordering::Relaxed), self.size);
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> ")
}

fn print(line: &ctr_core::Value) {
    // One write a line, for the stages of a pipe share stderr.
    let _ = io::stderr().write_all(format!("{line}\n").as_bytes());
}
