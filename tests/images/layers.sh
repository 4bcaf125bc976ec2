# layers: ARGUMENT layers in all, over busybox; layer N writes /layers/N and /last.
# shellcheck shell=sh
. "$(dirname "$0")/lib.sh"
begin
for n in $(seq 2 "$4"); do
	mkdir -p "$work/l$n/layers"
	echo "$n" >"$work/l$n/layers/$n"
	echo "$n" >"$work/l$n/last"
	layer "$work/l$n" --format=posix
done
umoci gc --layout "$out"
