#!/bin/sh
# halves.sh COMMAND [ARG…]: runs COMMAND in two virtual machines at once, with CTR_TEST_PART=1/2 and 2/2: emulated, each
# has one core of this machine. The second one's output follows the first one's.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
# Fetched once, not by both.
"$here/kernel.sh" "${CARGO_TARGET_DIR:-$here/../../target}/vm" >/dev/null
log=$(mktemp)
second=
trap '[ -z "$second" ] || kill $second 2>/dev/null; rm -f "$log"' EXIT
trap 'exit 130' HUP INT TERM
CTR_TEST_PART=2/2 "$here/boot.sh" "$@" >"$log" 2>&1 &
second=$!
status=0
CTR_TEST_PART=1/2 "$here/boot.sh" "$@" || status=$?
wait $second || status=$?
second=
cat "$log"
exit $status
