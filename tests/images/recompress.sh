# recompress: the base image with each layer as plain tar, as zstd, or as several gzip members (ARGUMENT).
# shellcheck shell=sh
. "$(dirname "$0")/lib.sh"
begin
oci=application/vnd.oci.image
cp "$(path_of "$(manifest)")" "$work/manifest"
for digest in $(jq -r '.layers[].digest' "$work/manifest"); do
	gzip -dc "$(path_of "$digest")" >"$work/tar"
	case $4 in
	plain) type=$oci.layer.v1.tar && mv "$work/tar" "$work/new" ;;
	zstd) type=$oci.layer.v1.tar+zstd && zstd -q -3 "$work/tar" -o "$work/new" ;;
	members)
		type=$oci.layer.v1.tar+gzip
		split -n 3 "$work/tar" "$work/part."
		for part in "$work"/part.*; do gzip -nc "$part"; done >"$work/new"
		rm "$work"/part.*
		;;
	esac
	size=$(stat -c %s "$work/new")
	new=$(blob "$work/new")
	jq -c --arg old "$digest" --arg new "$new" --arg type "$type" --argjson size "$size" \
		'(.layers[] | select(.digest == $old)) |= {mediaType: $type, digest: $new, size: $size}' \
		"$work/manifest" >"$work/next"
	mv "$work/next" "$work/manifest"
	rm -f "$work/tar"
done
point $oci.manifest.v1+json "$work/manifest"
umoci gc --layout "$out"
