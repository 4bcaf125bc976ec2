//! A PID 1 that will not hear the stop signal.

use ctr_core::trace;
use nix::sys::signal::Signal;
use std::fs;

/// Says at once that the wait will be in vain.
pub fn warn(word: &str, pid: i32, signal: i32, seconds: i64) {
    if seconds == 0 || !is_deaf(pid, signal) {
        return;
    }
    let signal = Signal::try_from(signal).map_or_else(|_| format!("signal {signal}"), |s| s.to_string());
    let then = if seconds < 0 { "it goes on".to_owned() } else { format!("it will be killed after {seconds} s") };
    trace::warn(&format!(
        "container {word}: its PID 1 has no handler for {signal}, so the kernel drops it: {then} (run it with --init)"
    ));
}

/// Whether the kernel drops `signal`: the first process of a PID namespace gets only those that it has a handler for
/// (pid_namespaces(7)), or that it blocks, for then it may take them by signalfd(2) or sigwait(3). KILL and STOP
/// always reach it.
fn is_deaf(pid: i32, signal: i32) -> bool {
    let read = |file: &str| fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
    // In sigwait(3) what it waits for does not show as blocked.
    let waits = |syscall: &str| syscall.split(' ').next() == Some(&libc::SYS_rt_sigtimedwait.to_string());
    drops(&read("status"), signal) && !waits(&read("syscall")) && drops(&read("status"), signal)
}

/// The same by proc_pid_status(5).
fn drops(status: &str, signal: i32) -> bool {
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name));
    let has = |name: &str| {
        let mask = field(name).and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
        mask.is_none_or(|mask| mask >> (signal - 1) & 1 == 1)
    };
    let numbers: Vec<&str> = field("NSpid:").unwrap_or_default().split_whitespace().collect();
    let is_first = numbers.len() > 1 && numbers.last() == Some(&"1");
    let always = [Signal::SIGKILL as i32, Signal::SIGSTOP as i32].contains(&signal);
    is_first && !always && !has("SigCgt:") && !has("SigBlk:")
}

#[cfg(test)]
mod tests {
    use super::drops;

    #[test]
    fn only_the_first_process_drops_and_only_to_what_it_does_not_handle() {
        let status = |pids: &str, blocked: &str, caught: &str| {
            format!("Name:\tsh\nNSpid:\t{pids}\nSigBlk:\t{blocked}\nSigIgn:\t0000000000000000\nSigCgt:\t{caught}\n")
        };
        let (none, term) = ("0000000000000000", "0000000000004000");
        assert!(drops(&status("4242\t1", none, none), 15));
        assert!(drops(&status("4242\t1", none, term), 2));
        assert!(!drops(&status("4242\t1", none, none), 9));
        assert!(!drops(&status("4242\t1", none, term), 15));
        assert!(!drops(&status("4242\t1", term, none), 15));
        assert!(!drops(&status("4242\t7", none, none), 15));
        assert!(!drops(&status("1", none, none), 15));
        assert!(!drops("", 64));
    }
}
