//! Any bytes as a tar: extraction ends, and what it makes is beneath its directory and nowhere else.
//!
//! Most mutations break a header's checksum, so those are made right first: the walk is the one of the
//! format, header by header. `seeds.sh` makes tars to start from.

#![no_main]

use ctr_layer::{Stop, extract};
use ctr_store::Hasher;
use libfuzzer_sys::fuzz_target;
use rustix::fs::{Mode, OFlags, open};
use std::{fs, io::Cursor, os::unix::fs::MetadataExt, path::PathBuf, sync::LazyLock};

const BLOCK: usize = 512;

/// A directory with a witness beside the one that is extracted to.
static PLACE: LazyLock<PathBuf> = LazyLock::new(|| {
    let place = std::env::temp_dir().join(format!("ctr-fuzz-{}", std::process::id()));
    fs::create_dir_all(&place).expect("make a directory");
    fs::write(place.join("witness"), "untouched").expect("write the witness");
    place
});

fuzz_target!(|data: &[u8]| {
    let mut tar = data.to_vec();
    mend(&mut tar);
    let root = PLACE.join("root");
    fs::create_dir(&root).expect("make the root");
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let fd = open(&root, flags, Mode::empty()).expect("open the root");
    let result = extract(Box::new(Cursor::new(tar)), Hasher::sha256(), fd, &Stop::new(false));
    if let Err(e) = &result {
        let text = e.to_string();
        assert!(!text.chars().any(char::is_control), "not one line: {text:?}");
    }
    let beside: Vec<_> = fs::read_dir(&*PLACE).expect("look").flatten().map(|e| e.file_name()).collect();
    assert_eq!(beside.len(), 2, "something is beside the tree: {beside:?}");
    let witness = PLACE.join("witness");
    assert_eq!(fs::read(&witness).expect("read the witness"), b"untouched");
    assert_eq!(fs::metadata(&witness).expect("look at the witness").nlink(), 1, "linked into the tree");
    ctr_core::files::remove_tree(&root).expect("remove the tree");
});

/// Gives every header its checksum.
fn mend(tar: &mut [u8]) {
    let mut at = 0;
    while let Some(block) = tar.get_mut(at..at + BLOCK) {
        if block.iter().all(|b| *b == 0) {
            at += BLOCK;
            continue;
        }
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|b| u32::from(*b)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        let digits = block[124..136].iter().take_while(|b| matches!(b, b'0'..=b'7'));
        let size = digits.fold(0_usize, |n, b| n.saturating_mul(8).saturating_add(usize::from(b - b'0')));
        // Links, devices and directories have no data whatever their size says.
        let blocks = if matches!(block[156], b'1'..=b'6') { 0 } else { size.div_ceil(BLOCK) };
        at = at.saturating_add(BLOCK).saturating_add(blocks.saturating_mul(BLOCK));
    }
}
