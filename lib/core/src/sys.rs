//! The raw system calls of this crate.

use rustix::mount::MountAttrFlags;
use std::{
    io,
    os::{
        fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
        unix::process::CommandExt,
    },
    process::Command,
    ptr,
};

/// pidfd_send_signal(2) with any number, real-time signals included, which the crates leave out.
///
/// # Errors
/// The kernel's: ESRCH where the process is gone.
pub fn pidfd_signal(pidfd: BorrowedFd<'_>, signal: i32) -> io::Result<()> {
    // SAFETY: passes a descriptor, numbers and a null siginfo, which asks for that of kill(2).
    let sent = unsafe {
        libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), signal, ptr::null::<libc::siginfo_t>(), 0)
    };
    if sent == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// The open descriptor `number` as our own, which a caller passed on; `None` where nothing is open under it.
pub fn take_fd(number: i32) -> Option<OwnedFd> {
    // SAFETY: F_GETFD passes no memory; it tells whether the number is open before it is owned.
    unsafe { (libc::fcntl(number, libc::F_GETFD) >= 0).then(|| OwnedFd::from_raw_fd(number)) }
}

/// Lets the command run in a session of its own from its first instruction: what ends the caller's process group, or hangs up
/// its terminal, is no matter of its. No signal is blocked or ignored there: both outlive execve(2), and a supervisor blocks
/// those that would end it.
pub fn in_own_session(command: &mut Command) -> &mut Command {
    let own = || {
        for signal in 1..=libc::SIGRTMAX() {
            // SAFETY: SIG_DFL is no function. What cannot be changed, as that of SIGKILL, is left.
            unsafe { libc::signal(signal, libc::SIG_DFL) };
        }
        nix::sys::signal::SigSet::empty().thread_set_mask()?;
        rustix::process::setsid().map(drop).map_err(io::Error::from)
    };
    // SAFETY: what runs between fork and exec are system calls, which touch nothing but the caller's stack.
    unsafe { command.pre_exec(own) }
}

/// mount_setattr(2) on the mount that `mount` is the root of.
///
/// `clear` may hold `MOUNT_ATTR__ATIME`, which must be cleared whole before one of its values is set.
/// `propagation` is one of `MS_SHARED`, `MS_SLAVE`, `MS_PRIVATE`, `MS_UNBINDABLE`, or 0.
///
/// # Errors
/// The kernel's.
pub fn mount_setattr(
    mount: BorrowedFd<'_>,
    recursive: bool,
    set: MountAttrFlags,
    clear: MountAttrFlags,
    propagation: u64,
) -> io::Result<()> {
    let attr = libc::mount_attr {
        attr_set: u64::from(set.bits()),
        attr_clr: u64::from(clear.bits()),
        propagation,
        userns_fd: 0,
    };
    set_attributes(mount, recursive, &attr)
}

/// The same for `MOUNT_ATTR_IDMAP`: the mount shows ids of its file system as those that they have in the parent of the user
/// namespace `user`.
///
/// # Errors
/// The kernel's: EPERM where the file system cannot.
pub fn mount_idmap(mount: BorrowedFd<'_>, recursive: bool, user: BorrowedFd<'_>) -> io::Result<()> {
    let attr = libc::mount_attr {
        attr_set: libc::MOUNT_ATTR_IDMAP,
        attr_clr: 0,
        propagation: 0,
        userns_fd: user.as_raw_fd() as u64,
    };
    set_attributes(mount, recursive, &attr)
}

fn set_attributes(mount: BorrowedFd<'_>, recursive: bool, attr: &libc::mount_attr) -> io::Result<()> {
    let flags = libc::AT_EMPTY_PATH | if recursive { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: path and structure outlive the call, and the size is the structure's.
    let set = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            flags,
            ptr::from_ref(attr),
            size_of::<libc::mount_attr>(),
        )
    };
    if set == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
