# index: an image index of four platforms, all with busybox's files; this machine's is the last.
# shellcheck shell=sh
. "$(dirname "$0")/lib.sh"
begin
oci=application/vnd.oci.image
cp "$(path_of "$(manifest)")" "$work/manifest"
case $(uname -m) in
x86_64) mine=amd64/ other=arm64/v8 ;;
aarch64) mine=arm64/v8 other=amd64/ ;;
*) echo "no platform known for $(uname -m)" >&2 && exit 1 ;;
esac
: >"$work/entries"
for platform in arm/v7 $other riscv64/ $mine; do
	# A platform of its own in each config, so that each has its own digest.
	jq -c --arg p "$platform" '($p | split("/")) as $p | .architecture = $p[0]
		| if $p[1] != "" then .variant = $p[1] else . end' \
		"$(path_of "$(jq -r .config.digest "$work/manifest")")" >"$work/config"
	size=$(stat -c %s "$work/config")
	config=$(blob "$work/config")
	jq -c --arg d "$config" --argjson s "$size" '.config.digest = $d | .config.size = $s' "$work/manifest" >"$work/one"
	size=$(stat -c %s "$work/one")
	digest=$(blob "$work/one")
	jq -nc --arg p "$platform" --arg d "$digest" --argjson s "$size" --arg t $oci.manifest.v1+json '($p | split("/")) as $p
		| {mediaType: $t, digest: $d, size: $s, platform: ({os: "linux", architecture: $p[0]}
		+ if $p[1] != "" then {variant: $p[1]} else {} end)}' >>"$work/entries"
done
jq -sc --arg t $oci.index.v1+json '{schemaVersion: 2, mediaType: $t, manifests: .}' "$work/entries" >"$work/all"
point $oci.index.v1+json "$work/all"
umoci gc --layout "$out"
