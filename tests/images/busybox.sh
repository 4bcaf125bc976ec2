# busybox: one layer with Debian's static busybox, a link for each applet, three users.
# shellcheck shell=sh
. "$(dirname "$0")/lib.sh"
begin
root=$work/busybox
for dir in bin dev etc home proc root sbin sys tmp usr/bin usr/sbin var; do mkdir -p "$root/$dir"; done
chmod 1777 "$root/tmp"
chmod 700 "$root/root"
busybox=$(command -v busybox)
cp "$busybox" "$root/bin/busybox"
for applet in $(links "$busybox"); do ln -s busybox "$root/bin/$applet"; done
cat >"$root/etc/passwd" <<X
root:x:0:0:root:/root:/bin/sh
nobody:x:65534:65534:nobody:/home:/bin/false
user:x:1000:1000::/home:/bin/sh
X
cat >"$root/etc/group" <<X
root:x:0:
staff:x:50:user
nogroup:x:65534:
user:x:1000:
X
layer "$root"
umoci config --image "$out:$name" --config.cmd sh \
	--config.env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
umoci gc --layout "$out"
