#!/bin/sh
# demo.sh: walks the pipe from a tar of busybox to a process, and shows the document after each stage. Needs root and
# our tools in PATH; no registry, no account. Everything happens in a directory of its own and is gone at the end.
set -eu

dir=$(mktemp -d /tmp/ctr-demo.XXXXXX)
export CTR_ROOT="$dir/root" CTR_RUN="$dir/run"
cleanup() {
	status=$?
	trap - EXIT
	[ ! -s "$dir/doc" ] || [ -e "$dir/clean" ] || overlay-mount --undo <"$dir/doc" >/dev/null || status=1
	rm -rf --one-file-system "$dir" || status=1
	[ $status = 0 ] || echo "demo: failed" >&2
	exit $status
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP

bold='' dim='' plain='' jq=jq
if [ -t 1 ]; then
	bold=$(printf '\033[1m') dim=$(printf '\033[2m') plain=$(printf '\033[0m') jq='jq -C'
fi
# title COMMAND TEXT: what comes now.
title() {
	printf '\n%s$ %s%s\n%s# %s%s\n' "$bold" "$1" "$plain" "$dim" "$2" "$plain"
}
# added BEFORE AFTER: what the second document has and the first has not, long hex cut short.
added() {
	# shellcheck disable=SC2016 # jq's variables
	$jq -n --slurpfile a "$1" --slurpfile b "$2" '
		def new($a; $b): if ($a | type) == "object" and ($b | type) == "object" then
				$b | with_entries(select(.value != $a[.key]) | .value = new($a[.key]; .value))
			elif ($a | type) == "array" and ($b | type) == "array" and ($a | length) == ($b | length) then
				[range($b | length) | new($a[.]; $b[.])]
			elif ($a | type) == "array" and ($b | type) == "array" and $b[:$a | length] == $a then
				["…"] + $b[$a | length:]
			else $b end;
		def short: walk(if type == "string" then gsub("(?<a>[0-9a-f]{12})[0-9a-f]{52}"; .a + "…") else . end);
		new($a[0]; $b[0]) | short' | sed 's/^/  /'
}
# stage COMMAND TEXT: runs one stage of the pipe on the document so far and shows what it added.
stage() {
	title "… | $1" "$2"
	# shellcheck disable=SC2086 # the command is words
	$1 <"$dir/doc" >"$dir/next"
	added "$dir/doc" "$dir/next"
	mv "$dir/next" "$dir/doc"
}

[ "$(id -u)" = 0 ] || { echo "demo: needs root: it makes namespaces and mounts" >&2 && exit 1; }

# A root file system: one static program, a link for each of its names.
busybox=$(command -v busybox)
mkdir -p "$dir/files/bin" "$dir/files/etc" "$dir/files/tmp"
cp "$busybox" "$dir/files/bin/busybox"
for name in $("$busybox" --list); do [ "$name" = busybox ] || ln -s busybox "$dir/files/bin/$name"; done
echo 'root:x:0:0:root:/:/bin/sh' >"$dir/files/etc/passwd"

title "tar -c … | img-import - busybox" "A tar of files becomes an image; the store is a plain OCI layout that other tools read."
tar -C "$dir/files" -c . | img-import -c 'CMD ["sh"]' - busybox >"$dir/image"
find "$CTR_ROOT/images" -type f -printf '  %9s bytes  images/%P\n' | sort -k3 | sed 's/\([0-9a-f]\{12\}\)[0-9a-f]\{52\}/\1…/'

title "img-pull --pull missing busybox" "The pipe begins: a reference becomes a document. With a registry this would also fetch."
echo '{}' >"$dir/nothing"
img-pull --pull missing busybox >"$dir/doc"
added "$dir/nothing" "$dir/doc"

stage "img-unpack" "Each layer becomes a tree, once, however many containers use it."
stage "overlay-mount --name demo" "The container begins: id and name are claimed, layers and a writable directory are mounted."

title "… | ns-spawn -- ps" "New namespaces, docker's capabilities and seccomp profile, and the command is PID 1."
ns-spawn -- ps -o pid,user,args <"$dir/doc" >"$dir/ps"
sed 's/^/  /' "$dir/ps"
grep -q '^ *1 .*ps' "$dir/ps" || { echo "demo: ps does not show the command as PID 1" >&2 && exit 1; }

title "… | overlay-mount --undo" "Each step recorded in the document what takes it away."
overlay-mount --undo <"$dir/doc" | $jq -c 'del(.image)' | sed 's/^/  /'
: >"$dir/clean"

# Without a network: its bridge and its firewall table would stay on this host for the next container.
title "ctr run --rm --network none busybox echo hello" "The same in a word; ctr --show prints the pipe that it runs."
ctr --show run --rm --network none busybox echo hello | sed 's/^/  /'
ctr run --rm --network none busybox echo hello | sed 's/^/  /'

title "grep -c $dir /proc/mounts; ls containers" "Nothing is left."
mounts=$(grep -c "$dir" /proc/mounts || true)
containers=$(find "$CTR_ROOT/containers" "$CTR_ROOT/names" -mindepth 1 | wc -l)
printf '  %s mounts, %s containers and names\n' "$mounts" "$containers"
[ "$mounts$containers" = 00 ] || exit 1
