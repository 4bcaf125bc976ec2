//! Actions and flags of a profile as the kernel's numbers.

use ctr_core::{Code, Error, Result};
use libc::{
    EPERM, SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO, SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_KILL_THREAD, SECCOMP_RET_LOG,
    SECCOMP_RET_TRACE, SECCOMP_RET_TRAP,
};
use oci_spec::runtime::{LinuxSeccompAction, LinuxSeccompFilterFlag};

/// What a call of an architecture gets that the profile does not cover: libseccomp's choice.
pub const BAD_ARCHITECTURE: u32 = SECCOMP_RET_KILL_THREAD;

/// "There is no such call", which makes a C library fall back to an older one.
pub const NO_SUCH_CALL: u32 = SECCOMP_RET_ERRNO | libc::ENOSYS as u32;

/// The return value of a filter for `action`; `errno` is the profile's `errnoRet`, by default EPERM.
///
/// # Errors
/// `unsupported` for SCMP_ACT_NOTIFY, which needs an agent; `invalid` for an errno that the kernel would change.
pub fn value(action: LinuxSeccompAction, errno: Option<u32>) -> Result<u32> {
    use LinuxSeccompAction as A;
    Ok(match action {
        A::ScmpActKill | A::ScmpActKillThread => SECCOMP_RET_KILL_THREAD,
        A::ScmpActKillProcess => SECCOMP_RET_KILL_PROCESS,
        A::ScmpActTrap => SECCOMP_RET_TRAP,
        A::ScmpActErrno => SECCOMP_RET_ERRNO | data(errno, 4095)?,
        A::ScmpActTrace => SECCOMP_RET_TRACE | data(errno, 0xffff)?,
        A::ScmpActLog => SECCOMP_RET_LOG,
        A::ScmpActAllow => SECCOMP_RET_ALLOW,
        A::ScmpActNotify => {
            return Err(Error::new(
                Code::Unsupported,
                "seccomp profile: SCMP_ACT_NOTIFY needs an agent, and there is none",
            ));
        }
    })
}

fn data(errno: Option<u32>, most: u32) -> Result<u32> {
    match errno.unwrap_or(EPERM as u32) {
        errno if errno <= most => Ok(errno),
        errno => Err(Error::new(Code::Invalid, format!("seccomp profile: errnoRet {errno} is over {most}"))),
    }
}

/// Whether calls go through under `action`, so that a call newer than the profile does as well.
pub fn lets_through(action: u32) -> bool {
    matches!(action & libc::SECCOMP_RET_ACTION_FULL, SECCOMP_RET_ALLOW | SECCOMP_RET_LOG | SECCOMP_RET_TRACE)
}

/// Whether `a` is harsher than `b`, in the kernel's order of precedence (seccomp(2)).
pub fn harsher(a: u32, b: u32) -> bool {
    let rank = |action: u32| (action & libc::SECCOMP_RET_ACTION_FULL) as i32;
    rank(a) < rank(b)
}

/// The flags of seccomp(2) that a profile asks for.
///
/// TSYNC is left out: whoever loads the filter goes on to execve(2), which ends every other thread.
///
/// # Errors
/// `unsupported` for what only SCMP_ACT_NOTIFY has a use for.
pub fn flags(flags: &[LinuxSeccompFilterFlag]) -> Result<u32> {
    let mut bits = 0;
    for flag in flags {
        bits |= match flag {
            LinuxSeccompFilterFlag::SeccompFilterFlagLog => libc::SECCOMP_FILTER_FLAG_LOG as u32,
            LinuxSeccompFilterFlag::SeccompFilterFlagSpecAllow => libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW as u32,
            LinuxSeccompFilterFlag::SeccompFilterFlagTsync => 0,
            LinuxSeccompFilterFlag::SeccompFilterFlagWaitKillableRecv => {
                return Err(Error::new(
                    Code::Unsupported,
                    format!("seccomp profile: flag {flag} goes with SCMP_ACT_NOTIFY"),
                ));
            }
        };
    }
    Ok(bits)
}
