#!/bin/sh
# Makes small tars of every form that GNU tar writes, for the fuzzer to start from: fuzz/seeds.sh
set -eu
seeds=$(dirname "$0")/seeds/tar_entries
mkdir -p "$seeds"
seeds=$(cd "$seeds" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
long=$(printf '%0110d' 0)
mkdir -p d/e "$long"
echo x >d/f
ln d/f d/hard
ln -s d link
ln -s /etc/passwd absolute
mkfifo fifo
echo y >"$long/$long"
touch d/.wh.gone d/e/.wh..wh..opq .wh..wh.aufs
truncate -s 1M sparse
printf end | dd of=sparse bs=1 seek=500000 conv=notrunc status=none
setfattr -n user.x -v y d/f 2>/dev/null || :
for format in gnu oldgnu ustar v7 posix; do
	tar --format="$format" --xattrs -b 1 -cf "$seeds/$format.tar" d link absolute fifo 2>/dev/null ||
		tar --format="$format" -b 1 -cf "$seeds/$format.tar" d link absolute fifo
done
tar --format=gnu -b 1 -cf "$seeds/long-gnu.tar" "$long"
tar --format=posix -b 1 -cf "$seeds/long-pax.tar" "$long"
tar --format=gnu -S -b 1 -cf "$seeds/sparse-gnu.tar" sparse
for version in 0.0 0.1 1.0; do
	tar --format=posix -S --sparse-version="$version" -b 1 -cf "$seeds/sparse-$version.tar" sparse
done
tar -b 1 -cf "$seeds/through.tar" link d --transform='s,^d/f,link/through,'
tar -b 1 -cf "$seeds/whiteouts.tar" .wh..wh.aufs d
