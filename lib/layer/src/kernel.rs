//! File systems whose files are the kernel talking: nothing is copied out of them, nothing is ever written to them.

use rustix::{fd::AsFd, fs::fstatfs};

/// Their numbers (`linux/magic.h`).
const MAGIC: [u64; 17] = [
    0x9fa0,      // proc
    0x6265_6572, // sysfs
    0x27_e0eb,   // cgroup
    0x6367_7270, // cgroup2
    0x1cd1,      // devpts
    0x1980_0202, // mqueue
    0x6462_6720, // debugfs
    0x7472_6163, // tracefs
    0x7363_6673, // securityfs
    0x6265_6570, // configfs
    0xcafe_4a11, // bpf
    0x6165_676c, // pstore
    0xde5e_81e4, // efivarfs
    0xf97c_ff8c, // selinuxfs
    0x6e73_6673, // nsfs
    0x6573_5543, // fusectl
    0x4249_4e4d, // binfmt_misc
];

/// Whether what `fd` holds lies on one of them.
pub fn is_of_kernel(fd: impl AsFd) -> rustix::io::Result<bool> {
    let magic = fstatfs(fd)?.f_type as u64 & 0xffff_ffff;
    Ok(MAGIC.contains(&magic))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::fs::File;

    #[test]
    fn procfs_is_and_the_source_is_not() {
        assert!(is_of_kernel(File::open("/proc/self/status").unwrap()).unwrap());
        assert!(!is_of_kernel(File::open(env!("CARGO_MANIFEST_DIR")).unwrap()).unwrap());
    }
}
