#!/bin/sh
# deps.sh PURPOSE…: makes sure that what each purpose (build, demo, test, vm, check, bench) needs is there: installs it
# on Debian as root, else says what is missing and how to get it.
set -eu

# The Debian packages of a purpose: one "package=proof" a word; the proof is a program in PATH or a file.
packages() {
	case $1 in
	build) echo gcc=cc libc6-dev=/usr/include/stdio.h ;;
	demo) echo busybox-static=busybox jq=jq tar=tar util-linux=lsns ;;
	test)
		echo busybox-static=busybox bash=bash dash=dash jq=jq iproute2=ip util-linux=lsns procps=ps \
			nftables=nft iptables=iptables-nft containernetworking-plugins=/usr/lib/cni/host-local mmdebstrap=mmdebstrap umoci=umoci skopeo=skopeo docker-registry=docker-registry \
			apache2-utils=htpasswd openssl=openssl zstd=zstd attr=setfattr acl=setfacl libcap2-bin=setcap \
			crun=crun runc=runc strace=strace python3=/usr/bin/python3 \
			python3-jsonschema=/usr/lib/python3/dist-packages/jsonschema \
			libseccomp-dev=/usr/include/seccomp.h ca-certificates=/etc/ssl/certs/ca-certificates.crt
		;;
	vm)
		echo qemu-system-x86=qemu-system-x86_64 e2fsprogs=mkfs.ext4 kmod=modprobe iproute2=ip util-linux=pivot_root
		# QEMU's package has it up to Debian 12.
		if apt-cache show virtiofsd >/dev/null 2>&1; then
			echo virtiofsd=/usr/libexec/virtiofsd
		else
			echo qemu-system-common=/usr/lib/qemu/virtiofsd
		fi
		packages test
		;;
	check) echo mandoc=mandoc shellcheck=shellcheck shfmt=shfmt ;;
	bench)
		echo podman=podman docker.io=dockerd crun=crun runc=runc bubblewrap=bwrap curl=curl iperf3=iperf3
		packages test
		;;
	*) echo "deps.sh: unknown purpose $1" >&2 && return 2 ;;
	esac
}

there() {
	case $1 in
	/*) [ -e "$1" ] ;;
	*) command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ] || [ -x "/sbin/$1" ] ;;
	esac
}

if ! there cargo; then
	echo "missing: the Rust toolchain (cargo). Get it from https://rustup.rs or your distribution." >&2
	exit 1
fi

missing=
for purpose in "$@"; do
	for word in $(packages "$purpose"); do
		there "${word#*=}" || missing="$missing ${word%%=*}"
	done
done
# shellcheck disable=SC2086 # one word a package
missing=$(printf '%s\n' $missing | sort -u | tr '\n' ' ')
[ -n "${missing# }" ] || exit 0

if [ "$(id -u)" != 0 ] || ! there apt-get; then
	echo "missing (Debian's names):$missing" >&2
	if there apt-get; then
		echo "get them: sudo apt-get install --no-install-recommends $missing" >&2
	else
		echo "get them from your distribution, or use a Debian machine" >&2
	fi
	exit 1
fi
echo "installing: $missing"
export DEBIAN_FRONTEND=noninteractive
# RUNLEVEL=1: a package's service (docker-registry has one) is not started.
RUNLEVEL=1
export RUNLEVEL
apt-get -qq update
# shellcheck disable=SC2086 # one word a package
apt-get -qq install -y --no-install-recommends $missing >/dev/null
