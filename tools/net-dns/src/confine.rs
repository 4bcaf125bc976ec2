//! Away from whoever started it, and with no more rights than it needs: those of the files' owner.

use ctr_core::{Cannot, Result, take_fd};
use rustix::{
    process::{Resource, Rlimit, getrlimit, setrlimit},
    thread::{CapabilitySet, CapabilitySets, set_capabilities, set_no_new_privs},
};
use std::fs;

/// Descriptors that forwarding may need: `MAX_PENDING` times three, late ones, connections times four, and a few.
const DESCRIPTORS: u64 = 8192;

/// Closes what the caller's caller had open: descriptors beside the three.
///
/// # Errors
/// `denied`.
pub fn close_others() -> Result<()> {
    let open = fs::read_dir("/proc/self/fd").cannot(|| "list own descriptors")?;
    let open: Vec<i32> = open.flatten().filter_map(|e| e.file_name().to_str()?.parse().ok()).collect();
    // The listing's own is gone by now. 0 to 2 are taken.
    open.into_iter().filter(|fd| *fd > 2).for_each(|fd| drop(take_fd(fd)));
    Ok(())
}

/// Gives up every capability: records and states are read as their owner, sockets are bound by now.
///
/// # Errors
/// `denied`.
pub fn confine() -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.map_or(DESCRIPTORS, |max| max.min(DESCRIPTORS));
    if limit.current.is_some_and(|now| now < most) {
        let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(most), maximum: limit.maximum });
    }
    set_no_new_privs(true).cannot(|| "give up new privileges")?;
    let none = CapabilitySet::empty();
    let sets = CapabilitySets { effective: none, permitted: none, inheritable: none };
    set_capabilities(None, sets).cannot(|| "give up capabilities")
}
