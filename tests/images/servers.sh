# servers: Debian's nginx, redis and PostgreSQL, and curl, in one layer; server.sh makes an image of each.
# shellcheck shell=sh
. "$(dirname "$0")/lib.sh"
begin
# shellcheck source=/dev/null
suite=$(. /etc/os-release && echo "${VERSION_CODENAME:-stable}")
# No manuals, no translations, and without the compiler that only PostgreSQL's JIT needs: that would be half of all.
set --
for path in '/usr/share/doc/*' '/usr/share/man/*' '/usr/share/locale/*' '/usr/share/i18n/*' \
	'/usr/lib/*/libLLVM*' '/usr/lib/*/libz3*' '/usr/lib/llvm*' '/usr/lib/postgresql/*/lib/*jit*' \
	'/usr/lib/postgresql/*/lib/bitcode/*'; do
	set -- "$@" --dpkgopt="path-exclude=$path"
done
# The hooks are shell lines of mmdebstrap's. No cluster is made at installation: each container makes its own.
# PostgreSQL's own programs go before Debian's wrappers, which choose among several clusters. dpkg need not flush
# what is thrown away if the machine goes down.
# shellcheck disable=SC2016
mmdebstrap --quiet --variant=essential --include=nginx,redis-server,postgresql,curl "$@" \
	--dpkgopt=force-confold --dpkgopt=force-unsafe-io \
	--essential-hook='mkdir -p "$1/etc/postgresql-common"' \
	--essential-hook='echo create_main_cluster = false >"$1/etc/postgresql-common/createcluster.conf"' \
	--customize-hook='cd "$1/usr/local/bin" && ln -s ../../lib/postgresql/*/bin/* .' \
	--customize-hook='chroot "$1" install -d -o redis -g redis /data' \
	"$suite" "$work/servers.tar" 2>"$work/log" || {
	cat "$work/log" >&2
	exit 1
}
umoci raw add-layer --image "$out:$name" "$work/servers.tar"
umoci config --image "$out:$name" --config.cmd bash \
	--config.env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
umoci gc --layout "$out"
