//! What no crate wraps of quotas: the project of a directory, and what a project may hold.

use rustix::fd::{AsRawFd, BorrowedFd};
use std::{
    ffi::c_int,
    io,
    mem::{size_of, zeroed},
    ptr,
};

/// `PRJQUOTA` of `<linux/quota.h>`.
const PRJQUOTA: c_int = 2;
/// `Q_XGETQSTAT` of `<linux/dqblk_xfs.h>`: answered for ext4 too.
const Q_XGETQSTAT: c_int = (b'X' as c_int) << 8 | 5;
/// `FS_QUOTA_PDQ_ENFD` there.
const ENFORCED: u16 = 1 << 5;

/// `struct fsxattr` of `<linux/fs.h>`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Attributes {
    flags: u32,
    extent_size: u32,
    extents: u32,
    project: u32,
    copy_extent_size: u32,
    unused: [u8; 8],
}

/// `FS_XFLAG_PROJINHERIT`: what is made in the directory is of its project, and nothing of another is moved into it.
const INHERIT: u32 = 0x200;
const FS_IOC_FSGETXATTR: u64 = 0x801c_581f;
const FS_IOC_FSSETXATTR: u64 = 0x401c_5820;

/// The project of an open directory, if what is made in it is of that project too.
pub fn project(dir: BorrowedFd<'_>) -> io::Result<Option<u32>> {
    let attributes = attributes(dir)?;
    Ok((attributes.flags & INHERIT != 0).then_some(attributes.project))
}

/// Makes an open directory, an empty one, of that project, and with it what will be made in it.
pub fn set_project(dir: BorrowedFd<'_>, project: u32) -> io::Result<()> {
    let old = attributes(dir)?;
    let new = Attributes { flags: old.flags | INHERIT, project, ..old };
    // SAFETY: the request reads a `struct fsxattr`, which outlives the call.
    cvt(unsafe { libc::ioctl(dir.as_raw_fd(), FS_IOC_FSSETXATTR, ptr::from_ref(&new)) }.into())
}

fn attributes(dir: BorrowedFd<'_>) -> io::Result<Attributes> {
    let mut all = Attributes { flags: 0, extent_size: 0, extents: 0, project: 0, copy_extent_size: 0, unused: [0; 8] };
    // SAFETY: the request writes a `struct fsxattr`, which `all` is.
    cvt(unsafe { libc::ioctl(dir.as_raw_fd(), FS_IOC_FSGETXATTR, ptr::from_mut(&mut all)) }.into())?;
    Ok(all)
}

/// Whether the file system of `dir` holds projects to their limits.
pub fn is_enforced(dir: BorrowedFd<'_>) -> bool {
    // `struct fs_quota_stat` begins with its version, one byte, and its flags, at the second two; it has 80.
    let mut state = [0_u64; 16];
    let done = quotactl(dir, Q_XGETQSTAT, 0, ptr::from_mut(&mut state).cast());
    let bytes = state[0].to_ne_bytes();
    done.is_ok() && u16::from_ne_bytes([bytes[2], bytes[3]]) & ENFORCED != 0
}

/// What a project has and may have.
#[derive(Clone, Copy)]
pub struct Quota {
    /// Bytes that it has.
    pub bytes: u64,
    /// Files that it has: 0 where not even a directory is of it.
    pub files: u64,
    /// Bytes that it may have, whole KiB; 0 for any.
    pub limit: u64,
}

/// That of a project: nothing of one that nobody has named yet.
pub fn quota(dir: BorrowedFd<'_>, project: u32) -> io::Result<Quota> {
    // SAFETY: all fields are numbers.
    let mut block: libc::dqblk = unsafe { zeroed() };
    match quotactl(dir, libc::Q_GETQUOTA, project, ptr::from_mut(&mut block).cast()) {
        // XFS keeps none of it.
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(Quota { bytes: block.dqb_curspace, files: block.dqb_curinodes, limit: block.dqb_bhardlimit << 10 }),
    }
}

/// Lets a project have so many bytes and no more, rounded up to whole KiB, and a file for every 4 KiB, as mkfs.ext4(8) makes
/// small file systems; 0 for any.
pub fn set_limit(dir: BorrowedFd<'_>, project: u32, bytes: u64) -> io::Result<()> {
    // SAFETY: all fields are numbers.
    let mut block: libc::dqblk = unsafe { zeroed() };
    block.dqb_bhardlimit = bytes.div_ceil(1 << 10);
    block.dqb_ihardlimit = bytes.div_ceil(4 << 10);
    block.dqb_valid = libc::QIF_LIMITS;
    quotactl(dir, libc::Q_SETQUOTA, project, ptr::from_mut(&mut block).cast())
}

/// quotactl_fd(2) about projects of the file system that `dir` is on.
fn quotactl(dir: BorrowedFd<'_>, command: c_int, id: u32, address: *mut libc::c_void) -> io::Result<()> {
    let command = (command << 8) | PRJQUOTA;
    // SAFETY: `address` is of a structure at least as large as what the command writes or reads: see the callers.
    cvt(unsafe { libc::syscall(libc::SYS_quotactl_fd, dir.as_raw_fd(), command, id, address) })
}

fn cvt(result: i64) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

const _: () = assert!(size_of::<Attributes>() == 28);
