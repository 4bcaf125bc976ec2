//! The only `unsafe` of the tests: what a child process does between fork and exec.

use nix::sched::{CloneFlags, setns};
use std::{fs::File, io, os::unix::process::CommandExt, process::Command, sync::Arc};

/// Lets the child enter the network namespace `net` before it runs.
pub fn enter_net(command: &mut Command, net: Arc<File>) {
    // SAFETY: setns(2) is a bare system call: no allocation, no lock.
    unsafe {
        command.pre_exec(move || setns(&*net, CloneFlags::CLONE_NEWNET).map_err(io::Error::from));
    }
}

/// Makes the child a session leader whose terminal is its stdin.
pub fn take_terminal(command: &mut Command) {
    // SAFETY: setsid(2) and ioctl(2) are bare system calls: no allocation, no lock.
    unsafe {
        command.pre_exec(|| {
            nix::unistd::setsid()?;
            match nix::libc::ioctl(0, nix::libc::TIOCSCTTY, 0) {
                0 => Ok(()),
                _ => Err(io::Error::last_os_error()),
            }
        });
    }
}

/// Sets the size of the terminal whose either end is `fd`.
pub fn set_size(fd: &impl std::os::fd::AsRawFd, rows: u16, columns: u16) {
    let size = nix::pty::Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: TIOCSWINSZ reads one winsize, which lives through the call.
    let result = unsafe { nix::libc::ioctl(fd.as_raw_fd(), nix::libc::TIOCSWINSZ, &raw const size) };
    assert_eq!(result, 0, "TIOCSWINSZ: {}", io::Error::last_os_error());
}

/// Gives this process, and so its children, the default of the signals that a shell has its background jobs ignore.
pub fn default_interrupts() {
    use nix::sys::signal::{SigHandler, Signal, signal};
    for number in [Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT] {
        // SAFETY: SIG_DFL is no code of ours.
        unsafe { signal(number, SigHandler::SigDfl) }.unwrap();
    }
}
