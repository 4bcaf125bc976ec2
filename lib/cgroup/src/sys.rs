//! The raw system calls of this crate: bpf(2), and what a child does before it executes a command.

use std::{
    fs::File,
    io::{self, Write},
    mem::size_of,
    os::{
        fd::{AsFd, AsRawFd, FromRawFd, OwnedFd},
        unix::process::CommandExt,
    },
    process::{Child, Command},
};

// linux/bpf.h.
const PROG_LOAD: i64 = 5;
const PROG_ATTACH: i64 = 8;
const PROG_DETACH: i64 = 9;
const PROG_GET_FD_BY_ID: i64 = 13;
const OBJ_GET_INFO_BY_FD: i64 = 15;
const PROG_QUERY: i64 = 16;
const TYPE_CGROUP_DEVICE: u32 = 15;
const ATTACH_CGROUP_DEVICE: u32 = 6;
const ALLOW_MULTI: u32 = 2;

/// One instruction (`struct bpf_insn`).
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// What to do.
    pub code: u8,
    /// With which registers: the low four bits the one that changes, the high four the other.
    pub registers: u8,
    /// How far, from where.
    pub offset: i16,
    /// With which number.
    pub value: i32,
}

impl Instruction {
    /// An instruction.
    pub fn new(code: u8, to: u8, from: u8, offset: i16, value: i32) -> Self {
        Self { code, registers: to | from << 4, offset, value }
    }

    /// Whether it jumps (`BPF_JMP`), and does not end the program.
    pub fn is_jump(self) -> bool {
        self.code & 7 == 5 && self.code & 0xf0 != 0x90
    }

    /// Says how far a jump goes.
    pub fn jump(&mut self, instructions: i16) {
        self.offset = instructions;
    }
}

/// Calls bpf(2). `A` is the part of `union bpf_attr` that the command reads.
fn bpf<A>(command: i64, attributes: &mut A) -> io::Result<i32> {
    // SAFETY: the kernel reads and writes `attributes` within its size, and behind the addresses in it what the
    // callers below keep alive over the call.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, std::ptr::from_mut(attributes), size_of::<A>()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result as i32) }
}

fn own(number: i32) -> OwnedFd {
    // SAFETY: bpf(2) just gave this descriptor, which it opens close-on-exec, to us alone.
    unsafe { OwnedFd::from_raw_fd(number) }
}

/// Loads a program that decides about devices.
///
/// # Errors
/// EPERM without CAP_BPF or CAP_SYS_ADMIN; EINVAL on a kernel without such programs.
pub fn load(program: &[Instruction]) -> io::Result<OwnedFd> {
    #[repr(C)]
    struct Attributes {
        kind: u32,
        count: u32,
        instructions: u64,
        license: u64,
    }
    let license = c"Apache-2.0";
    let mut attributes = Attributes {
        kind: TYPE_CGROUP_DEVICE,
        count: program.len() as u32,
        instructions: program.as_ptr() as u64,
        license: license.as_ptr() as u64,
    };
    bpf(PROG_LOAD, &mut attributes).map(own)
}

#[repr(C)]
struct Attach {
    target: u32,
    program: u32,
    kind: u32,
    flags: u32,
}

/// Puts a program to work in the group whose directory is open, beside others.
///
/// # Errors
/// The kernel's: EPERM where a group above lets none beside its own.
pub fn attach(group: impl AsFd, program: impl AsFd) -> io::Result<()> {
    let (target, program) = (raw(group), raw(program));
    bpf(PROG_ATTACH, &mut Attach { target, program, kind: ATTACH_CGROUP_DEVICE, flags: ALLOW_MULTI }).map(drop)
}

/// Takes a program away again.
///
/// # Errors
/// The kernel's: ENOENT where it is not there.
pub fn detach(group: impl AsFd, program: impl AsFd) -> io::Result<()> {
    let (target, program) = (raw(group), raw(program));
    bpf(PROG_DETACH, &mut Attach { target, program, kind: ATTACH_CGROUP_DEVICE, flags: 0 }).map(drop)
}

fn raw(fd: impl AsFd) -> u32 {
    fd.as_fd().as_raw_fd() as u32
}

/// The numbers of the programs about devices that a group has itself.
///
/// # Errors
/// EPERM without CAP_SYS_ADMIN or CAP_NET_ADMIN.
pub fn attached(group: impl AsFd) -> io::Result<Vec<u32>> {
    /// As many as a group can have (`BPF_CGROUP_MAX_PROGS`).
    const MOST: usize = 64;
    #[repr(C)]
    struct Attributes {
        target: u32,
        kind: u32,
        query: u32,
        attach: u32,
        ids: u64,
        count: u32,
        padding: u32,
    }
    let mut ids = vec![0u32; MOST];
    let mut attributes = Attributes {
        target: raw(group),
        kind: ATTACH_CGROUP_DEVICE,
        query: 0,
        attach: 0,
        ids: ids.as_mut_ptr() as u64,
        count: MOST as u32,
        padding: 0,
    };
    bpf(PROG_QUERY, &mut attributes)?;
    ids.truncate(attributes.count as usize);
    Ok(ids)
}

/// The program of that number; none where it is gone.
///
/// # Errors
/// EPERM without CAP_SYS_ADMIN.
pub fn program(id: u32) -> io::Result<Option<OwnedFd>> {
    #[repr(C)]
    struct Attributes {
        id: u32,
        next: u32,
        flags: u32,
    }
    match bpf(PROG_GET_FD_BY_ID, &mut Attributes { id, next: 0, flags: 0 }) {
        Err(e) if e.raw_os_error() == Some(libc::ENOENT) => Ok(None),
        other => other.map(own).map(Some),
    }
}

/// A digest of a program's instructions.
///
/// # Errors
/// The kernel's.
pub fn tag(program: impl AsFd) -> io::Result<[u8; 8]> {
    #[repr(C)]
    #[derive(Default)]
    struct Information {
        kind: u32,
        id: u32,
        tag: [u8; 8],
    }
    #[repr(C)]
    struct Attributes {
        program: u32,
        length: u32,
        information: u64,
    }
    let mut information = Information::default();
    let mut attributes = Attributes {
        program: raw(program),
        length: size_of::<Information>() as u32,
        information: std::ptr::from_mut(&mut information) as u64,
    };
    bpf(OBJ_GET_INFO_BY_FD, &mut attributes)?;
    Ok(information.tag)
}

/// Starts a command whose process joins groups by their doors ([`crate::Groups::every_door`]) before it is the command, and
/// has none of the signals blocked that this one has. Whose parent ignored SIGCHLD would have it ignored too, and never learn
/// how a child ended (wait(2)): that is set back first.
///
/// # Errors
/// Those of fork(2), of write(2) to a door, of execve(2).
pub fn spawn_in(command: &mut Command, doors: Vec<File>) -> io::Result<Child> {
    let begin = move || {
        // SAFETY: an empty set is written before it is read.
        unsafe {
            let mut none = std::mem::zeroed();
            libc::sigemptyset(&raw mut none);
            libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
        }
        doors.iter().try_for_each(|mut door| door.write_all(b"0"))
    };
    // SAFETY: it sets no handler.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
    // SAFETY: between fork and exec it only calls sigprocmask(2) and write(2).
    unsafe { command.pre_exec(begin) }.spawn()
}
