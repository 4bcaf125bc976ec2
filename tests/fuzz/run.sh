#!/bin/sh
# run.sh SECONDS [TARGET…]: builds the fuzz targets with coverage and runs each for so long. Needs a C++ compiler; a
# stable toolchain will do: coverage is what libFuzzer needs, sanitizers are not.
set -eu
cd "$(dirname "$0")"
seconds=$1
shift
[ $# -gt 0 ] || set -- document reference tar
flags='-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-pc-table'
flags="$flags -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-trace-compares"
export RUSTFLAGS="$flags --cfg fuzzing -Ccodegen-units=1"
target=${CARGO_TARGET_DIR:-../../target}/fuzz
host=$(rustc -vV | sed -n 's/^host: //p')
cargo build --quiet --release --target "$host" --target-dir "$target"
for name in "$@"; do
	corpus=$target/corpus/$name
	mkdir -p "$corpus"
	"$target/$host/release/$name" -max_total_time="$seconds" -max_len=8192 -artifact_prefix="$target/$name." "$corpus"
done
