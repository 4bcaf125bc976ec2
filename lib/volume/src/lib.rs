//! Volumes: files that outlive the containers that use them, each a directory of `CTR_ROOT/volumes`.
//!
//! A volume is there when its directory is: that comes and goes by one rename. Who uses it nobody notes: containers do, whose
//! record mounts what lies in it.

pub mod bounded;
mod local;
pub mod project;
mod remove;
mod sys;
mod undo;
mod users;
mod volume;

pub use local::{let_go, ready};
pub use remove::{gc, remove};
pub use undo::{is_own, keep_anonymous, undo};
pub use users::{of as used_by, users};
pub use volume::{Volume, all, check_name, create, create_with, data, dir, exists, load, lock, new_name};
