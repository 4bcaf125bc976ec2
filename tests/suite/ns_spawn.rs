//! ns-spawn: what flags, image and document make of the spec, and what becomes of the process and its record.

mod flags;
mod life;
mod spec;

use ctr_tests::*;

pub fn tests() -> Vec<Test> {
    [flags::tests(), life::tests(), spec::tests()].into_iter().flatten().collect()
}

/// A document of a container of `image` that is mounted and ready to run; also in the file `doc`.
fn container(host: &Host, image: &str) -> Value {
    host.load(image);
    let doc = host.sh(&format!("img-pull --pull missing {image} | img-unpack | overlay-mount")).ok().json();
    std::fs::write(host.dir().join("doc"), format!("{doc}\n")).unwrap();
    doc
}

fn record(host: &Host, doc: &Value) -> Value {
    let path = host.record(doc["id"].as_str().unwrap());
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}
