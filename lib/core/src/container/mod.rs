//! The record: the document saved under the container's directory is the container.
//!
//! `containers/<id>/` is the container, `names/<name>` a symbolic link whose text is the id.
//! How its last process ended is `exit.json` beside the record. What only the running kernel knows (`state` while
//! the process runs) lies in the run directory and is lost by a reboot; the record then reads as stopped.

mod claim;
mod descendants;
mod find;
mod hold;
mod record;
mod remove;
mod signal;
mod state;

pub use crate::sys::pidfd_signal;
pub use claim::{
    begin, checked_id, claim, claim_unless_there, disown, holder, is_being_made, is_orphan, labels, recorded_name,
    rename, step_id,
};
pub use descendants::{adopt_orphans, end_descendants, pid_of, reap_orphans};
pub use find::{directories, find, ids, is_gone, namespace, of_process};
pub use hold::{Kept, are_limits_held, hold, hold_ended, hold_limits, join, keep, try_hold_limits};
pub use record::{
    attach_socket, dir, execs_dir, exists, is_complete, is_provisional, is_volatile, load, log_file, record_file,
    recorded, recorded_as, save, save_for_now, whole,
};
pub use remove::{gc, hold_to_remove, remove, remove_begun, remove_locked};
pub use signal::{Handle, kill, parse_signal};
pub use state::{
    forget_exit, forget_state, halt, has_state, is_alive, is_halted, is_running, last_exit, last_state, live_state,
    process_start, save_exit, save_state, unhalt, update_state,
};
