//! How long a filter takes, printed: `cargo test --release -p ctr-seccomp speed -- --ignored --nocapture`.

use super::{DOCKER, bpf};
use crate::{compile, default_profile};
use std::{hint::black_box, time::Instant};

#[test]
#[ignore = "prints times"]
fn speed() {
    const RUNS: u32 = 2000;
    let mut times: Vec<_> = (0..RUNS)
        .map(|_| {
            let start = Instant::now();
            let profile = black_box(default_profile(black_box(&DOCKER)));
            let built = start.elapsed();
            let program = black_box(compile(&profile).unwrap());
            (start.elapsed(), built, program.filter().len())
        })
        .collect();
    let first = times[0];
    times.sort();
    let median = times[times.len() / 2];
    eprintln!(
        "first {:?}, median {:?}, of it the profile {:?}; {} instructions",
        first.0, median.0, median.1, median.2
    );
    let program = compile(&default_profile(&DOCKER)).unwrap();
    let call = bpf::Call { arch: 0xc000_003e, number: 0, args: [0; 6] };
    assert_eq!(bpf::run(program.filter(), &call), 0x7fff_0000);
}
