//! Any bytes, in any pieces: what a JSON parser reads is what was written.

use super::*;
use crate::Stream;
use proptest::{collection::vec, prelude::*, sample::select};

/// Bytes among which newlines, escapes and parts of characters are frequent.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let frequent =
        select(vec![&b"\n"[..], b"\"", b"\\", b"\x00", b"\xf0\x9f\xa6", b"\x80", "漢".as_bytes(), b"plain text"]);
    let piece = prop_oneof![3 => frequent.prop_map(<[u8]>::to_vec), 1 => vec(any::<u8>(), 0..20)];
    vec(piece, 0..30).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn nothing_is_lost_or_changed(pieces in vec((any::<bool>(), bytes()), 0..12), max_size in 100_u64..2000) {
        let dir = Dir::new();
        let mut log = dir.writer(max_size, u32::MAX);
        let mut written = [Vec::new(), Vec::new()];
        for (second, bytes) in &pieces {
            log.write(if *second { Stream::Stderr } else { Stream::Stdout }, bytes);
            written[usize::from(*second)].extend_from_slice(bytes);
        }
        log.flush();
        let records = dir.records();
        for (stream, bytes) in [Stream::Stdout, Stream::Stderr].into_iter().zip(&written) {
            let read: String = records.iter().filter(|r| r.stream == stream).map(|r| &*r.log).collect();
            prop_assert_eq!(read, String::from_utf8_lossy(bytes));
        }
        // A record is a line, but for the last of a stream.
        prop_assert!(records.iter().filter(|r| !r.log.ends_with('\n')).count() <= 2);
        prop_assert!(records.iter().all(|r| !r.log.trim_end_matches('\n').contains('\n')));
    }
}
