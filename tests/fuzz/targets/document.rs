//! Any bytes are a document, or an error: no panic, and what is a document goes out as it came in.
#![no_main]

use ctr_core::{Document, Image, Rootfs, State, Value};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(value) = serde_json_value(bytes) else { return };
    let Ok(doc) = Document::from_value(value.clone()) else { return };
    let _ = doc.steps();
    let _ = doc.section::<Image>("image");
    let _ = doc.section::<Rootfs>("rootfs");
    let _ = doc.section::<State>("state");
    let _ = (doc.error_exit(), doc.is_partial(), doc.str("id"));
    let again: Value = doc.to_line().parse().expect("what goes out is JSON");
    assert_eq!(again, value);
});

fn serde_json_value(bytes: &[u8]) -> Result<Value, ()> {
    std::str::from_utf8(bytes).map_err(drop)?.parse().map_err(drop)
}
