//! A running container from outside: what becomes of it is watched, it is told to end, it is frozen and thawed.

mod end;
pub mod freezer;
mod noted;
mod stop;
mod watch;

pub use end::{await_end, await_record, is_held, keeper};
pub use noted::{Noted, noted};
pub use stop::{give_up, stop_signal};
pub use watch::Watch;
