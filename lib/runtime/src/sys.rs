//! The only raw system calls of the runtime: what no crate wraps, each as a safe function.

pub use ctr_core::{mount_idmap, mount_setattr};
use std::{
    ffi::{CStr, CString, c_char, c_int, c_long, c_uint, c_ulong},
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
    ptr,
};

/// `CLONE_INTO_CGROUP` of `<linux/sched.h>`; libc's constant overflows its type.
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// What [`clone`] gave: we are the new process, or the old one that made it.
pub enum Cloned {
    /// This is the new process.
    Child,
    /// This is the old one.
    Parent {
        /// The new process, as our pid namespace numbers it.
        pid: i32,
        /// The same by descriptor, where it was asked for.
        pidfd: Option<OwnedFd>,
    },
}

/// clone3(2) without sharing: a fork with `flags` (`CLONE_NEW*`, `CLONE_PARENT`, `CLONE_PIDFD`), into `cgroup` if given.
///
/// The caller has one thread: the child sees a copy of the memory, and a lock that another thread held
/// would stay locked in it. The page tables are copied, so a small heap makes a fast clone; sharing
/// them (`CLONE_VM`) would stop the parent (`CLONE_VFORK`), who has id maps and groups to write meanwhile.
pub fn clone(flags: u64, cgroup: Option<BorrowedFd<'_>>) -> io::Result<Cloned> {
    let mut pidfd: c_int = -1;
    // SAFETY: an all-zero `clone_args` is valid: it asks for nothing.
    let mut args: libc::clone_args = unsafe { std::mem::zeroed() };
    args.flags = flags;
    args.pidfd = ptr::from_mut(&mut pidfd) as u64;
    if flags & libc::CLONE_PARENT as u64 == 0 {
        args.exit_signal = libc::SIGCHLD as u64; // with CLONE_PARENT it is the caller's own
    }
    if let Some(group) = cgroup {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = group.as_raw_fd() as u64;
    }
    // SAFETY: no memory is shared (no CLONE_VM), the stack is the copied one, `pidfd` outlives the call.
    let pid = cvt(unsafe { libc::syscall(libc::SYS_clone3, ptr::from_mut(&mut args), size_of::<libc::clone_args>()) })?;
    if pid == 0 {
        return Ok(Cloned::Child);
    }
    // SAFETY: the kernel made this descriptor for us, and nobody else knows it.
    let pidfd = (pidfd >= 0).then(|| unsafe { OwnedFd::from_raw_fd(pidfd) });
    Ok(Cloned::Parent { pid: pid as i32, pidfd })
}

/// fork(2) by the old system call, for the init inside: docker's seccomp profile answers clone3 with ENOSYS.
/// Gives 0 in the child. One thread only, as [`clone`].
pub fn fork() -> io::Result<i32> {
    // SAFETY: the process has one thread, so no lock is held by another at the moment of the copy.
    cvt(c_long::from(unsafe { libc::fork() })).map(|pid| pid as i32)
}

/// Ends this process at once: no destructors, no buffers of the parent's written twice.
pub fn exit(status: u8) -> ! {
    // SAFETY: never returns and touches no memory.
    unsafe { libc::_exit(i32::from(status)) }
}

/// unshare(2) for namespaces (`CLONE_NEW*`): none of them shares or moves memory or descriptors.
pub fn unshare(namespaces: u64) -> io::Result<()> {
    // SAFETY: only namespace flags are passed, so descriptor table, memory and file system state stay as they are.
    cvt(c_long::from(unsafe { libc::unshare(namespaces as c_int) })).map(drop)
}

/// Marks every descriptor from 3 up close-on-exec: whatever was inherited or forgotten ends at execve(2).
pub fn cloexec_from_3() -> io::Result<()> {
    // SAFETY: only flags of descriptors change; none is closed under its owner.
    cvt(unsafe { libc::syscall(libc::SYS_close_range, 3, c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC) }).map(drop)
}

/// Closes every descriptor from 3 up but those of `keep`: what was inherited or forgotten.
pub fn close_all_but(keep: [BorrowedFd<'_>; 2]) -> io::Result<()> {
    let mut keep = keep.map(|fd| fd.as_raw_fd() as c_uint);
    keep.sort_unstable();
    let [low, high] = keep;
    for (first, last) in [(3, low - 1), (low + 1, high - 1), (high + 1, c_uint::MAX)] {
        if first <= last {
            // SAFETY: descriptors are closed under their owners: the next thing this process does is execve(2) or
            // exit, and it opens nothing before that which an owner could close.
            cvt(unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) })?;
        }
    }
    Ok(())
}

/// Loads a system call filter (seccomp(2)) for this thread and what it becomes.
pub fn seccomp(filter: &[libc::sock_filter], flags: u32) -> io::Result<()> {
    let len = u16::try_from(filter.len()).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
    let program = libc::sock_fprog { len, filter: filter.as_ptr().cast_mut() };
    // SAFETY: the kernel copies `len` instructions out of the slice and writes nothing.
    cvt(unsafe {
        libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, c_ulong::from(flags), ptr::from_ref(&program))
    })
    .map(drop)
}

/// Joins a new, empty session keyring (keyctl(2)): keys of the caller's session are out of reach.
pub fn new_session_keyring() -> io::Result<()> {
    // SAFETY: a null name asks for an anonymous keyring; no memory is passed.
    cvt(unsafe { libc::syscall(libc::SYS_keyctl, libc::KEYCTL_JOIN_SESSION_KEYRING, ptr::null::<c_char>()) }).map(drop)
}

/// Gives every signal its default back. Rust ignores SIGPIPE, and ignored signals stay so over execve(2).
///
/// By the kernel's own call: the C library keeps signals 32 and 33 from its callers, and its posix_spawn(3) starts
/// programs with 32 ignored.
pub fn default_signals() {
    /// `struct sigaction` of the kernel: handler (SIG_DFL is 0), flags, restorer, a mask of 64 signals.
    static DEFAULT: [u64; 4] = [0; 4];
    for signal in 1..=64 {
        // SAFETY: the kernel reads one action of the size it has on 64-bit machines and writes nothing; SIG_DFL is no
        // code of ours. SIGKILL and SIGSTOP are refused, and need none.
        unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, &raw const DEFAULT, ptr::null::<u64>(), 8) };
    }
}

/// Whether `signal` is ignored, as nohup(1) leaves it.
pub fn is_ignored(signal: c_int) -> bool {
    // SAFETY: an all-zero `sigaction` is valid, and a null new action only reads the old one into it.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        libc::sigaction(signal, ptr::null(), &raw mut action) == 0 && action.sa_sigaction == libc::SIG_IGN
    }
}

/// kill(2) with any number.
pub fn kill(pid: i32, signal: c_int) -> io::Result<()> {
    // SAFETY: passes two numbers.
    cvt(c_long::from(unsafe { libc::kill(pid, signal) })).map(drop)
}

/// Brings `lo` up in the network namespace of this process; the kernel adds 127.0.0.1 and ::1 itself.
pub fn loopback_up() -> io::Result<()> {
    // SAFETY: makes a descriptor, checked before it is owned.
    let socket = unsafe {
        let fd = libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0);
        cvt(c_long::from(fd))?;
        OwnedFd::from_raw_fd(fd)
    };
    // SAFETY: an all-zero `ifreq` is valid.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    request.ifr_name[0] = b'l' as c_char;
    request.ifr_name[1] = b'o' as c_char;
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as i16;
    // SAFETY: SIOCSIFFLAGS reads one `ifreq`, which outlives the call.
    cvt(c_long::from(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, ptr::from_ref(&request)) })).map(drop)
}

/// execve(2); returns only to say why it could not.
pub fn execve(path: &CStr, argv: &[CString], envp: &[CString]) -> io::Error {
    let (argv, envp) = (pointers(argv), pointers(envp));
    // SAFETY: path and both arrays, each ended by a null pointer, outlive the call.
    unsafe { libc::execve(path.as_ptr(), argv.as_ptr(), envp.as_ptr()) };
    io::Error::last_os_error()
}

/// Executes the file behind a descriptor (execveat(2), `AT_EMPTY_PATH`); returns only to say why it could not.
pub fn fexecve(file: BorrowedFd<'_>, argv: &[CString], envp: &[CString]) -> io::Error {
    let (argv, envp) = (pointers(argv), pointers(envp));
    // SAFETY: path and both arrays, each ended by a null pointer, outlive the call.
    unsafe {
        libc::syscall(
            libc::SYS_execveat,
            file.as_raw_fd(),
            c"".as_ptr(),
            argv.as_ptr(),
            envp.as_ptr(),
            libc::AT_EMPTY_PATH,
        )
    };
    io::Error::last_os_error()
}

fn pointers(strings: &[CString]) -> Vec<*const c_char> {
    strings.iter().map(|s| s.as_ptr()).chain([ptr::null()]).collect()
}

/// A copy of the caller's open descriptor `number` that no child inherits; `None` where nothing is open under it.
pub fn copy_fd(number: c_int) -> Option<OwnedFd> {
    // SAFETY: F_DUPFD_CLOEXEC passes no memory; the copy is new, so nobody else owns it.
    unsafe {
        let copy = libc::fcntl(number, libc::F_DUPFD_CLOEXEC, 3);
        (copy >= 0).then(|| OwnedFd::from_raw_fd(copy))
    }
}

/// Moves `fd` to the number 3 without close-on-exec: how the init inside finds it.
pub fn pass_as_3(fd: &OwnedFd) -> io::Result<()> {
    let raw = fd.as_fd().as_raw_fd();
    if raw == 3 {
        return Ok(rustix::io::fcntl_setfd(fd, rustix::io::FdFlags::empty())?);
    }
    // SAFETY: what was open as 3 is lost to its owner; the next thing this process does is execve(2) or exit.
    cvt(c_long::from(unsafe { libc::dup2(raw, 3) })).map(drop)
}

fn cvt(result: c_long) -> io::Result<c_long> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
