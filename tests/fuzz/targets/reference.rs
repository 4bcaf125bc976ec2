//! Any text is a reference, or an error; a reference in its full form is the same reference again.
#![no_main]

use ctr_store::Reference;

libfuzzer_sys::fuzz_target!(|text: &str| {
    let Ok(reference) = Reference::parse(text) else { return };
    let full = reference.to_string();
    let again = Reference::parse(&full).expect("the full form parses");
    assert_eq!(again.to_string(), full, "{text:?}");
    // Its parts become parts of URLs and of paths.
    for part in [&reference.registry, &reference.repository] {
        assert!(!part.is_empty() && !part.contains("..") && !part.starts_with('/'), "{text:?}");
        assert!(part.bytes().all(|b| b.is_ascii_graphic() && b != b'?' && b != b'#' && b != b'%'), "{text:?}");
    }
});
