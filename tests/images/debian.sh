# debian: Debian's minbase, the release of this machine, in one layer as mmdebstrap writes it.
# shellcheck shell=sh
. "$(dirname "$0")/lib.sh"
begin
# shellcheck source=/dev/null
suite=$(. /etc/os-release && echo "${VERSION_CODENAME:-stable}")
mmdebstrap --quiet --variant=minbase --dpkgopt=path-exclude='/usr/share/locale/*' \
	"$suite" "$work/debian.tar" 2>"$work/log" || {
	cat "$work/log" >&2
	exit 1
}
umoci raw add-layer --image "$out:$name" "$work/debian.tar"
umoci config --image "$out:$name" --config.cmd bash \
	--config.env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
umoci gc --layout "$out"
