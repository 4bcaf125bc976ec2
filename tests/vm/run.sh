#!/bin/sh
# run.sh [NAME]: the tests listed in tests/vm/tests and those that need cgroup v2, or those of them whose name contains
# NAME, in a virtual machine; all of them in two at once. The tools must be built. A machine's
# last line is the suite's.
set -eu
cd "$(dirname "$0")/../.."
cargo=${CARGO:-cargo}
here=$PWD/tests/vm
# No network in there: the image is made before.
CTR_TEST_MAKE_IMAGES=busybox "$cargo" test --release --quiet -p ctr-tests --test suite
CTR_TEST_LIST=$here/tests
export CTR_TEST_LIST
boot=$here/boot.sh
[ $# -gt 0 ] || boot=$here/halves.sh
# cargo runs the suite by its runner.
exec "$cargo" test --release --quiet --config "target.'cfg(all())'.runner = '$boot'" \
	-p ctr-tests --test suite -- "$@"
