# many: Debian with a few big packages, 5,000 small files, odd files, deletions: 30,000 files in 8 layers.
# shellcheck shell=sh
. "$(dirname "$0")/lib.sh"
begin

# packages DIR WORD…: unpacks Debian packages into DIR, without their dependencies.
packages() {
	dir=$1
	shift
	mkdir -p "$work/debs" "$dir"
	(cd "$work/debs" && apt-get -qq download "$@")
	for deb in "$work"/debs/*.deb; do dpkg-deb -x "$deb" "$dir"; done
	rm -rf "$work/debs"
	# Debian's /lib, /bin, /sbin are links into /usr: a layer must not turn them into directories.
	for top in lib bin sbin; do
		if [ -d "$dir/$top" ]; then
			mkdir -p "$dir/usr/$top"
			cp -a "$dir/$top/." "$dir/usr/$top/"
			rm -rf "${dir:?}/$top"
		fi
	done
}
# newest PREFIX: the newest package whose name is PREFIX, a version, and what follows.
newest() {
	apt-cache pkgnames "$1" | grep -x "$1[0-9.]*${2:-}" | sort -V | tail -n 1
}

# Each in another tar format: GNU's long names, ustar's split ones, pax.
packages "$work/boost" "$(newest libboost1. -dev)"
layer "$work/boost" --format=gnu
packages "$work/django" python3-django python3-sqlparse python3-setuptools
layer "$work/django" --format=ustar
packages "$work/perl" "$(newest perl-modules-5.)"
layer "$work/perl" --format=posix
# A few big files.
packages "$work/gcc" "$(newest cpp-)" "$(newest gcc-)" "$(newest g++-)" libc6-dev
layer "$work/gcc" --format=gnu

app=$work/app/app
mkdir -p "$app"
for d in $(seq 50); do mkdir "$app/pkg$d"; done
awk -v app="$app" 'BEGIN {
	for (i = 0; i < 5000; i++) {
		file = app "/pkg" (i % 50 + 1) "/m" i ".py"
		for (n = 0; n < i * 37 % 120; n++) print "line", n, "of module", i, "= some_text(" i * 7919 % 100003 ")" > file
		printf "" > file
		close(file)
	}
}'
chown -R 1000:1000 "$app"
layer "$work/app" --format=posix

odd=$work/odd/srv/odd
mkdir -p "$odd" "$work/odd/app/pkg49" "$work/odd/app/pkg48" "$work/odd/etc"
(
	cd "$odd"
	echo a >orig
	ln orig hard1
	ln orig hard2
	ln -s orig soft
	ln -s /etc/passwd absolute
	ln -s ../../../../../../etc/shadow outside
	mkfifo fifo
	mknod null c 1 3
	cp /bin/true suid
	chmod 4755 suid
	cp /bin/true sgid
	chmod 2711 sgid
	mkdir sticky setgid readonly
	chmod 1777 sticky
	chmod 2775 setgid
	echo x >readonly/file
	chmod 555 readonly
	echo x >"naïve-ümlaut-名前.txt"
	printf 'x' >"$(printf 'new\nline and space')"
	long() { printf "%0200d" 0 | tr 0 "$1"; }
	mkdir -p "$(long d)/$(long e)"
	echo long >"$(long d)/$(long e)/$(long f)"
	cp /bin/true capable
	setcap cap_net_raw+ep capable
	echo attr >attribute
	setfattr -n user.note -v 'with = sign and ümlaut' attribute
	chown -h 1000:1000 soft
	chown 1000:50 orig
	chown 3000000:3000000 sticky
	: >empty
	truncate -s 3M sparse
	printf middle | dd of=sparse bs=1 seek=1500000 conv=notrunc status=none
	touch -d '1969-12-31 12:00:00.5 UTC' before-1970
	touch -d '2038-01-20 01:02:03.123456789 UTC' nanoseconds
)
# Whiteouts: a file, a directory; opaque: what the directory had is gone, what the layer has is there.
: >"$work/odd/app/.wh.pkg50"
: >"$work/odd/app/pkg48/.wh.m47.py"
: >"$work/odd/app/pkg49/.wh..wh..opq"
echo new >"$work/odd/app/pkg49/only.txt"
# A directory becomes a file, a file becomes a directory.
echo file >"$work/odd/app/pkg47"
mkdir -p "$work/odd/app/pkg46/m45.py"
echo inside >"$work/odd/app/pkg46/m45.py/file"
layer "$work/odd" --format=posix --xattrs --xattrs-include='*' --sparse
# A file that comes back after its whiteout.
mkdir -p "$work/version/app/pkg50"
echo back >"$work/version/app/pkg50/back.txt"
echo VERSION=1 >"$work/version/app/VERSION"
layer "$work/version" --format=gnu

umoci config --image "$out:$name" --config.entrypoint /bin/cat --config.cmd /app/VERSION --config.workingdir /app \
	--config.env APP_ENV=prod --config.exposedports 8080/tcp --config.user 1000:1000 --config.label org.example.tests=many
umoci gc --layout "$out"
