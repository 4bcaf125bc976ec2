# What the recipes of test images share. Each recipe is run as: sh RECIPE NAME OUT BASE ARGUMENT
# NAME the image's name, OUT the OCI layout to make, BASE the layout it starts from (or empty).
# shellcheck shell=sh
set -eu
name=$1 out=$2 base=$3
export HOME="${HOME:-/root}" SOURCE_DATE_EPOCH=1750000000
umask 022
# In memory where it can hold what images hold (before Linux 6.6 tmpfs had no user.* attributes).
work=$(mktemp -d -p /dev/shm 2>/dev/null || mktemp -d)
setfattr -n user.probe -v 1 "$work" 2>/dev/null || { rmdir "$work" && work=$(mktemp -d); }
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
rm -rf "$out"

# begin: OUT is the base's layout under the new name, or an empty one.
begin() {
	if [ -n "$base" ]; then
		cp -a "$base" "$out"
		umoci tag --image "$out:$(basename "$base")" "$name"
		umoci rm --image "$out:$(basename "$base")"
	else
		umoci init --layout "$out"
		umoci new --image "$out:$name"
	fi
}

# layer DIR [TAR-OPTION…]: adds the files in DIR as one layer; "created by" is the directory's name.
layer() {
	dir=$1
	shift
	tar --sort=name --numeric-owner "$@" -C "$dir" -cf "$work/layer.tar" .
	umoci raw add-layer --image "$out:$name" --history.created_by "tests: $(basename "$dir")" "$work/layer.tar"
	rm -rf "$work/layer.tar" "$dir"
}

# applet names of the busybox given.
links() {
	"$1" --list | grep -v -x busybox
}

# blob FILE: moves FILE into the layout as a blob, prints its digest.
blob() {
	hex=$(sha256sum "$1" | cut -d' ' -f1)
	mv "$1" "$out/blobs/sha256/$hex"
	echo "sha256:$hex"
}

# path_of DIGEST: the file of that blob.
path_of() {
	echo "$out/blobs/sha256/${1#sha256:}"
}

# manifest: the digest of the manifest under NAME.
manifest() {
	jq -r --arg n "$name" '.manifests[] | select(.annotations["org.opencontainers.image.ref.name"] == $n).digest' \
		"$out/index.json"
}

# point TYPE FILE: makes FILE, a manifest or an index, what NAME stands for.
point() {
	size=$(stat -c %s "$2")
	digest=$(blob "$2")
	jq -n --arg n "$name" --arg t "$1" --arg d "$digest" --argjson s "$size" '{schemaVersion: 2, manifests:
		[{mediaType: $t, digest: $d, size: $s, annotations: {"org.opencontainers.image.ref.name": $n}}]}' >"$work/index"
	mv "$work/index" "$out/index.json"
}
