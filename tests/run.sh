#!/bin/sh
# run.sh [NAME…]: all tests, then some again in a virtual machine where there is QEMU; or those of the suite, here, whose
# name contains a NAME. The last line is "N passed, N failed, N skipped", the status says the same.
set -u
cd "$(dirname "$0")/.." || exit 1
cargo=${CARGO:-cargo}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0

# keep COMMAND…: runs it, shows and keeps what it prints; a pipe would lose its status.
keep() {
	{
		"$@" 2>&1
		echo $? >"$log.status"
	} | tee -a "$log"
	[ "$(cat "$log.status")" = 0 ] || status=1
	rm -f "$log.status"
}

[ $# -gt 0 ] || keep "$cargo" test --release --quiet --workspace --exclude ctr-tests
keep "$cargo" test --release --quiet -p ctr-tests --test suite -- "$@"

[ $# -gt 0 ] || if command -v qemu-system-x86_64 >/dev/null; then
	keep tests/vm/run.sh
else
	echo 'no tests on cgroup v2 alone: no qemu-system-x86_64 (apt-get install qemu-system-x86)'
	[ "${CTR_TEST_REQUIRE:-0}" = 0 ] || status=1
fi

# A crate's tests close with libtest's line; the suite closes with libtest's line and its own, which counts more. What was
# skipped here and run in the virtual machine, or there and here, is not skipped.
awk -v status=$status '
	function add() { passed += p; failed += f; skipped += s; p = f = s = 0 }
	/^test [a-z-]+::[a-z0-9_]+ +\.\.\. / { if ($4 == "ignored") idle[$2]++; else ran[$2] = 1 }
	/^test result:/ { add(); p = $4; f = $6; s = $8 }
	/^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$/ { p = $1; f = $3; s = $5; add() }
	END {
		add()
		# Ignored in both runs it is one test.
		for (test in idle) skipped -= test in ran ? idle[test] : idle[test] - 1
		if (status != 0 && failed == 0) failed = 1
		printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped
	}' "$log"
exit $status
