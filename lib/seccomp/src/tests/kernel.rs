//! The filter in the kernel: loaded in a child, where calls of each ABI are made.

use super::{DOCKER, oci};
use crate::{Program, compile, default_profile};
use libc::{ENOSYS, EPERM, SIGSYS, c_long};
use serde_json::json;
use std::arch::asm;

/// Runs `calls` in a child under the filter; its exit status, or 128 and the signal that ended it.
/// In the child only system calls are made: the tests run in threads, so it must not touch the heap.
fn under(program: &Program, calls: fn() -> i32) -> i32 {
    let filter = libc::sock_fprog { len: program.filter().len() as u16, filter: program.filter().as_ptr().cast_mut() };
    // SAFETY: the child makes system calls only, with memory that it has a copy of, and ends by _exit.
    unsafe {
        let pid = libc::fork();
        if pid == 0 {
            let status = if libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 {
                101
            } else if libc::syscall(
                libc::SYS_seccomp,
                libc::SECCOMP_SET_MODE_FILTER,
                program.flags(),
                &raw const filter,
            ) != 0
            {
                102
            } else {
                calls()
            };
            libc::_exit(status);
        }
        assert!(pid > 0);
        let mut status = 0;
        assert_eq!(libc::waitpid(pid, &raw mut status, 0), pid);
        if libc::WIFSIGNALED(status) { 128 + libc::WTERMSIG(status) } else { libc::WEXITSTATUS(status) }
    }
}

/// The errno of a call of the native ABI; 0 where it succeeds.
fn errno(number: c_long, first: c_long) -> i32 {
    // SAFETY: the calls that the tests make take numbers, or fail before they look at memory.
    unsafe {
        let result = libc::syscall(number, first, 0, 0, 0, 0, 0);
        if result == -1 { *libc::__errno_location() } else { 0 }
    }
}

/// The result of a call of i386 without arguments.
fn i386(number: i32) -> i32 {
    let result: i32;
    // SAFETY: the call takes no memory of ours; int 0x80 keeps all registers but eax (and r8 to r11 on old kernels).
    unsafe {
        asm!("int 0x80", inout("eax") number => result, out("r8") _, out("r9") _, out("r10") _, out("r11") _);
    }
    result
}

#[test]
fn docker_profile() {
    let program = compile(&default_profile(&DOCKER)).unwrap();
    let failed = under(&program, || {
        let wanted = [
            errno(libc::SYS_getpid, 0) == 0,
            errno(libc::SYS_mount, 0) == EPERM,
            errno(libc::SYS_unshare, 0) == EPERM,
            errno(libc::SYS_keyctl, 0) == EPERM,
            errno(libc::SYS_clone3, 0) == ENOSYS,
            errno(libc::SYS_clone, libc::CLONE_NEWUSER.into()) == EPERM,
            errno(libc::SYS_socket, libc::AF_VSOCK.into()) == EPERM,
            errno(libc::SYS_socket, 38) == EPERM,
            errno(libc::SYS_socket, libc::AF_UNIX.into()) != EPERM,
            errno(libc::SYS_personality, 0xffff_ffff) == 0,
            errno(libc::SYS_personality, 0x0004_0000) == EPERM,
            // open_tree_attr, which this kernel may have: newer than the profile
            errno(467, 0) == ENOSYS,
            errno(9999, 0) == ENOSYS,
            // getpid of x32: allowed; most kernels are built without x32 then
            matches!(errno(0x4000_0000 + libc::SYS_getpid, 0), 0 | ENOSYS),
            errno(0x4000_0000 + libc::SYS_mount, 0) == EPERM,
        ];
        wanted.iter().position(|ok| !ok).map_or(0, |i| i as i32 + 1)
    });
    assert_eq!(failed, 0, "the first call that got another verdict, from 1");
}

#[test]
fn docker_profile_on_32_bits() {
    let open = compile(&oci(json!({"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86"]}))).unwrap();
    // A kernel without 32-bit emulation says SIGSEGV, filter or not.
    let unfiltered = under(&open, || i32::from(i386(20) <= 0));
    let program = compile(&default_profile(&DOCKER)).unwrap();
    let failed = under(&program, || {
        let wanted =
            [i386(20) > 0, i386(21) == -EPERM, i386(310) == -EPERM, i386(435) == -ENOSYS, i386(900) == -ENOSYS];
        wanted.iter().position(|ok| !ok).map_or(0, |i| i as i32 + 1)
    });
    assert_eq!(failed, unfiltered, "the first call that got another verdict, from 1");
}

#[test]
fn other_abis_are_killed_where_not_covered() {
    let program = compile(&oci(json!({"defaultAction": "SCMP_ACT_ALLOW"}))).unwrap();
    assert_eq!(under(&program, || errno(0x4000_0000 + libc::SYS_getpid, 0)), 128 + SIGSYS);
    assert_eq!(under(&program, || errno(libc::SYS_getpid, 0)), 0);
}
