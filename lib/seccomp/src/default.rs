//! The default profile: docker's allowlist, by subject.
//!
//! What is not listed gets EPERM. What a capability opens is allowed with that capability, for the kernel
//! checks it anyway; what no capability guards, or what has had holes, stays shut. One call that docker allows is
//! not: `socketcall`.

use crate::abi;
use oci_spec::runtime::{
    LinuxSeccomp, LinuxSeccompAction as Action, LinuxSeccompArgBuilder, LinuxSeccompOperator as Op, LinuxSyscall,
};

/// Allowed in every container.
const ALWAYS: [(&str, &str); 20] = [
    (
        "open and close",
        "open openat openat2 creat close close_range dup dup2 dup3 name_to_handle_at memfd_create memfd_secret",
    ),
    (
        "read and write",
        "read readv pread64 preadv preadv2 write writev pwrite64 pwritev pwritev2 lseek _llseek readahead
         sendfile sendfile64 splice tee vmsplice copy_file_range pipe pipe2 fcntl fcntl64 ioctl flock
         fadvise64 fadvise64_64 fallocate truncate truncate64 ftruncate ftruncate64
         sync syncfs fsync fdatasync sync_file_range cachestat",
    ),
    (
        "names and directories",
        "access faccessat faccessat2 link linkat symlink symlinkat readlink readlinkat unlink unlinkat
         rename renameat renameat2 mkdir mkdirat rmdir mknod mknodat getdents getdents64
         chdir fchdir getcwd umask",
    ),
    (
        "status and mode",
        "stat stat64 lstat lstat64 fstat fstat64 fstatat64 newfstatat statx statfs statfs64 fstatfs fstatfs64
         statmount listmount chmod fchmod fchmodat fchmodat2 chown chown32 lchown lchown32 fchown fchown32 fchownat
         utime utimes futimesat utimensat utimensat_time64",
    ),
    (
        "extended attributes",
        "getxattr lgetxattr fgetxattr getxattrat setxattr lsetxattr fsetxattr setxattrat
         listxattr llistxattr flistxattr listxattrat removexattr lremovexattr fremovexattr removexattrat",
    ),
    (
        "readiness and events",
        "select _newselect pselect6 pselect6_time64 poll ppoll ppoll_time64 epoll_create epoll_create1 epoll_ctl
         epoll_ctl_old epoll_wait epoll_wait_old epoll_pwait epoll_pwait2 eventfd eventfd2 fanotify_mark
         inotify_init inotify_init1 inotify_add_watch inotify_rm_watch",
    ),
    (
        "asynchronous reads and writes",
        "io_setup io_destroy io_submit io_cancel io_getevents io_pgetevents io_pgetevents_time64",
    ),
    (
        "memory",
        "brk mmap mmap2 munmap mremap mprotect madvise mincore msync remap_file_pages mseal map_shadow_stack
         mlock mlock2 mlockall munlock munlockall pkey_alloc pkey_free pkey_mprotect membarrier process_mrelease",
    ),
    (
        "processes",
        "fork vfork execve execveat exit exit_group wait4 waitid waitpid pidfd_open getpid getppid gettid
         getpgid getpgrp setpgid getsid setsid set_tid_address prctl
         get_thread_area set_thread_area rseq uretprobe restart_syscall",
    ),
    ("futexes", "futex futex_time64 futex_wait futex_wake futex_requeue futex_waitv get_robust_list set_robust_list"),
    (
        "signals",
        "kill tkill tgkill pidfd_send_signal pause sigaltstack sigprocmask sigreturn signalfd signalfd4
         rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend
         rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo",
    ),
    (
        "users and groups",
        "getuid getuid32 geteuid geteuid32 getgid getgid32 getegid getegid32 getresuid getresuid32 getresgid
         getresgid32 getgroups getgroups32 setuid setuid32 setgid setgid32 setreuid setreuid32 setregid setregid32
         setresuid setresuid32 setresgid setresgid32 setfsuid setfsuid32 setfsgid setfsgid32 setgroups setgroups32
         capget capset",
    ),
    (
        "scheduling",
        "sched_yield sched_getaffinity sched_setaffinity sched_getattr sched_setattr sched_getparam sched_setparam
         sched_getscheduler sched_setscheduler sched_get_priority_max sched_get_priority_min
         sched_rr_get_interval sched_rr_get_interval_time64 getpriority setpriority ioprio_get ioprio_set getcpu",
    ),
    ("limits and usage", "getrlimit ugetrlimit setrlimit prlimit64 getrusage times sysinfo uname"),
    (
        "clocks and sleep",
        "time gettimeofday clock_gettime clock_gettime64 clock_getres clock_getres_time64 clock_nanosleep
         clock_nanosleep_time64 nanosleep adjtimex clock_adjtime clock_adjtime64",
    ),
    (
        "timers",
        "alarm getitimer setitimer timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64
         timer_settime timer_settime64 timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime
         timerfd_settime64",
    ),
    (
        "sockets, but for their making",
        "socketpair bind connect listen accept accept4 getsockname getpeername getsockopt setsockopt shutdown
         send sendto sendmsg sendmmsg recv recvfrom recvmsg recvmmsg recvmmsg_time64",
    ),
    (
        "System V IPC",
        "ipc msgctl msgget msgrcv msgsnd semctl semget semop semtimedop semtimedop_time64 shmat shmctl shmdt shmget",
    ),
    (
        "POSIX message queues",
        "mq_open mq_unlink mq_getsetattr mq_notify mq_timedreceive mq_timedreceive_time64 mq_timedsend
         mq_timedsend_time64",
    ),
    (
        "confining oneself further, and randomness",
        "seccomp landlock_create_ruleset landlock_add_rule landlock_restrict_self getrandom",
    ),
];

/// Allowed on this machine for its architecture.
const MACHINE: &str = if cfg!(target_arch = "x86_64") {
    "arch_prctl modify_ldt"
} else {
    "arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls"
};

/// Allowed with a capability.
const BY_CAPABILITY: [(&str, &str); 14] = [
    ("CAP_DAC_READ_SEARCH", "open_by_handle_at"),
    (
        "CAP_SYS_ADMIN",
        "mount umount umount2 mount_setattr move_mount open_tree fsopen fspick fsconfig fsmount
         clone clone3 unshare setns sethostname setdomainname bpf perf_event_open fanotify_init
         lookup_dcookie lsm_get_self_attr lsm_set_self_attr lsm_list_modules quotactl quotactl_fd syslog",
    ),
    ("CAP_SYS_BOOT", "reboot"),
    ("CAP_SYS_CHROOT", "chroot"),
    ("CAP_SYS_MODULE", "delete_module init_module finit_module"),
    ("CAP_SYS_PACCT", "acct"),
    ("CAP_SYS_PTRACE", "kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev ptrace"),
    ("CAP_SYS_RAWIO", "iopl ioperm"),
    ("CAP_SYS_TIME", "settimeofday stime clock_settime clock_settime64"),
    ("CAP_SYS_TTY_CONFIG", "vhangup"),
    ("CAP_SYS_NICE", "get_mempolicy mbind set_mempolicy set_mempolicy_home_node"),
    ("CAP_SYSLOG", "syslog"),
    ("CAP_BPF", "bpf"),
    ("CAP_PERFMON", "perf_event_open"),
];

/// From Linux 4.8 on a tracer cannot get round a filter (ptrace stops come before seccomp).
const TRACING: &str = "process_vm_readv process_vm_writev ptrace";
const TRACING_SINCE: (u32, u32) = (4, 8);

/// Address families below this one can all be had: AF_UNIX to AF_ROSE.
const SOCKETS_BELOW: u64 = 12;

/// i386's old way to sockets, with all arguments behind a pointer: through it every address family could be had. Linux 4.3
/// brought calls of their own, which musl uses where it can; glibc does only if built for no older kernel, which Debian's
/// is not, and Go never. What knows no other way has no sockets: that is the price, for nothing else here stops it.
const OLD_SOCKETS: &str = "socketcall";

/// The address families above that can be had.
///
/// Not: AF_ALG (38), the kernel's cryptography, of little use and with a history of holes; AF_VSOCK (40), which
/// reaches the hypervisor and other machines past the network namespace; and those that Linux has dropped,
/// DECnet (12), Econet (19), ATM SVC (20), IrDA (23), WANPIPE (25), ISDN (34) and CAIF (37).
const SOCKETS: [u64; 25] =
    [13, 14, 15, 16, 17, 18, 21, 22, 24, 26, 27, 28, 29, 30, 31, 32, 33, 35, 36, 39, 41, 42, 43, 44, 45];

/// The personalities that can be set: PER_LINUX and PER_LINUX32, each also with UNAME26; all ones asks for the present one.
const PERSONALITIES: [u64; 5] = [0x0, 0x8, 0x2_0000, 0x2_0008, 0xffff_ffff];

/// The flags of clone(2) that make namespaces: cgroup, mount, UTS, IPC, user, PID, network.
const NAMESPACES: u64 = 0x0200_0000 | 0x0002_0000 | 0x0400_0000 | 0x0800_0000 | 0x1000_0000 | 0x2000_0000 | 0x4000_0000;

/// Docker's default profile for a container with `capabilities` (`CAP_…`) in its bounding set, on this machine
/// and the kernel that runs.
pub fn default_profile(capabilities: &[&str]) -> LinuxSeccomp {
    build(capabilities, crate::file::kernel())
}

/// The same for a kernel of that version.
pub fn build(capabilities: &[&str], kernel: (u32, u32)) -> LinuxSeccomp {
    let has = |capability| capabilities.contains(&capability);
    let always = ALWAYS.iter().map(|(_, names)| *names).chain([MACHINE]);
    let mut rules = vec![allow(always)];
    if kernel >= TRACING_SINCE {
        rules.push(allow([TRACING]));
    }
    rules.push(no_such_call(OLD_SOCKETS));
    rules.push(allow_if("socket", first(Op::ScmpCmpLt, SOCKETS_BELOW)));
    rules.extend(SOCKETS.map(|family| allow_if("socket", first(Op::ScmpCmpEq, family))));
    rules.extend(PERSONALITIES.map(|value| allow_if("personality", first(Op::ScmpCmpEq, value))));
    rules.extend(BY_CAPABILITY.iter().filter(|(c, _)| has(*c)).map(|(_, names)| allow([*names])));
    if !has("CAP_SYS_ADMIN") {
        // Threads and processes, but no namespaces: a user namespace gives every capability over the rest.
        rules.push(allow_if("clone", first(Op::ScmpCmpMaskedEq, NAMESPACES).value_two(0u64)));
        // Its flags lie behind a pointer. ENOSYS sends C libraries back to clone.
        rules.push(no_such_call("clone3"));
    }
    let mut profile = LinuxSeccomp::default();
    profile
        .set_default_action(Action::ScmpActErrno)
        .set_default_errno_ret(Some(libc::EPERM as u32))
        .set_architectures(Some(abi::ARCHITECTURES.to_vec()))
        .set_syscalls(Some(rules));
    profile
}

fn allow<'a>(names: impl IntoIterator<Item = &'a str>) -> LinuxSyscall {
    let mut rule = LinuxSyscall::default();
    rule.set_action(Action::ScmpActAllow);
    rule.set_names(names.into_iter().flat_map(str::split_ascii_whitespace).map(str::to_owned).collect());
    rule
}

/// A call that a C library goes round where a kernel does not have it.
fn no_such_call(name: &str) -> LinuxSyscall {
    let mut rule = allow([name]);
    rule.set_action(Action::ScmpActErrno).set_errno_ret(Some(libc::ENOSYS as u32));
    rule
}

fn allow_if(name: &str, condition: LinuxSeccompArgBuilder) -> LinuxSyscall {
    let mut rule = allow([name]);
    // Every field has a value, so building does not fail; if it did, the rule must not become wider.
    rule.set_args(Some(vec![condition.build().unwrap_or_default()]));
    rule
}

/// A condition on the first argument.
fn first(op: Op, value: u64) -> LinuxSeccompArgBuilder {
    LinuxSeccompArgBuilder::default().index(0_usize).op(op).value(value)
}
