#!/bin/sh
# kernel.sh DIR: unpacks Debian's newest kernel package below DIR, where it is not there yet, and prints where.
# Nothing is installed. Without apt's lists the one that is there will do.
set -eu
umask 022
mkdir -p "$1"
cd "$1"
# The cloud flavour has what boots a virtual machine built in: virtio's PCI and file system.
package=$(apt-cache pkgnames linux-image- | grep -x 'linux-image-[0-9].*-cloud-amd64' | sort -V | tail -n 1)
[ -n "$package" ] || package=$(find . -maxdepth 1 -name 'linux-image-*' ! -name '*.new' -printf '%f\n' | sort -V | tail -n 1)
[ -n "$package" ] || { echo "kernel.sh: apt knows no kernel package: apt-get update" >&2 && exit 1; }
if [ ! -d "$package" ]; then
	rm -rf linux-image-*
	mkdir "$package.new"
	(
		cd "$package.new"
		# As root apt says that its own user cannot write here.
		apt-get -qq download -o APT::Sandbox::User=root "$package"
		dpkg-deb -x ./*.deb .
		rm ./*.deb
		release=$(basename lib/modules/*)
		mv "boot/vmlinuz-$release" vmlinuz
		/sbin/depmod -b . "$release"
		rm -r boot usr
	)
	mv "$package.new" "$package"
fi
echo "$PWD/$package"
