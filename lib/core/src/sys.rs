//! The one raw system call of this crate.

use std::{
    io,
    os::fd::{AsRawFd, BorrowedFd},
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
