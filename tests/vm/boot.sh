#!/bin/sh
# boot.sh COMMAND [ARG…]: runs COMMAND, a path, in a virtual machine on Debian's kernel with cgroup v2 alone, with what
# of the environment begins with CTR_TEST_. Its root is this machine's over virtiofs; nothing written there comes back.
# Gives COMMAND's output and status; 125 if the machine did not get that far, 124 if it took too long. No word may have
# a space in it.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cache=${CARGO_TARGET_DIR:-$here/../../target}/vm
kernel=$("$here/kernel.sh" "$cache")
cache=$(dirname "$kernel")
work=$(mktemp -d)
running=
# shellcheck disable=SC2086 # one word a process
trap '[ -z "$running" ] || kill $running 2>/dev/null; rm -rf "$work"' EXIT
trap 'exit 130' HUP INT TERM

# once ACCELERATOR SECONDS COMMAND…: boots once. What the guest's kernel and init say is in $work/console.
once() {
	accelerator=$1 seconds=$2
	shift 2
	rm -f "$work"/*
	case $accelerator in
	# One thread for all CPUs: with one each, under QEMU 7.2 a kernel panics at times where it has patched its code. None of
	# what costs much to emulate and shows nowhere: five levels of page tables, checks of access from the kernel.
	tcg) accelerator=tcg,thread=single cpu=max,la57=off,smap=off,smep=off,pku=off ;;
	*) cpu=max ;;
	esac
	truncate -s 1G "$work/disk"
	/sbin/mkfs.ext4 -q -F -E lazy_itable_init=1,lazy_journal_init=1,nodiscard "$work/disk"
	daemon=/usr/libexec/virtiofsd
	[ -x $daemon ] || daemon=/usr/lib/qemu/virtiofsd
	$daemon --socket-path="$work/root" -o source=/,cache=always,xattr,sandbox=chroot --rlimit-nofile=0 -f \
		>"$work/virtiofsd" 2>&1 &
	server=$!
	for _ in $(seq 100); do
		[ ! -S "$work/root" ] || break
		sleep 0.05
	done
	mkfifo "$work/out"
	cat "$work/out" &
	reader=$!
	# Held open: the reader ends after the machine, even where that never opened it.
	exec 3>"$work/out"
	status=0
	timeout -k 5 "$seconds" qemu-system-x86_64 -M pc,memory-backend=memory -accel "$accelerator" -cpu "$cpu" -smp "$cores" \
		-m 2G -object memory-backend-memfd,id=memory,size=2G,share=on -no-user-config -nodefaults -no-reboot -display none \
		-chardev socket,id=root,path="$work/root" -device vhost-user-fs-pci,chardev=root,tag=host \
		-drive if=virtio,format=raw,cache=unsafe,file="$work/disk" -device virtio-rng-pci \
		-device virtio-serial-pci -chardev file,id=out,path="$work/out" -device virtserialport,chardev=out,nr=1 \
		-serial file:"$work/console" -kernel "$kernel/vmlinuz" -append "console=ttyS0 quiet panic=-1 mitigations=off \
root=host rootfstype=virtiofs ro init=$here/init.sh $environment -- $kernel $*" </dev/null 2>"$work/qemu" &
	running="$! $server"
	wait $! || status=$?
	# It ends with its only client, unless that never came.
	kill $server 2>/dev/null || :
	wait $server || :
	running=
	exec 3>&-
	wait $reader
	[ $status != 124 ] || return 124
	status=$(tr -d '\r' <"$work/console" | sed -n 's/^status //p')
	return "${status:-125}"
}

# accelerator: kvm where a kernel boots with it; to open it is no proof. The answer is kept until this machine boots.
accelerator() {
	[ -w /dev/kvm ] || { echo tcg && return; }
	known=$cache/accelerator.$(cat /proc/sys/kernel/random/boot_id)
	if [ ! -e "$known" ]; then
		if once kvm 15 /bin/true 2>/dev/null; then echo kvm; else echo tcg; fi >"$known.$$"
		# Another one may ask at the same time.
		mv "$known.$$" "$known"
	fi
	cat "$known"
}

# Two at least: there is something to choose for a CPU set then.
cores=$(nproc)
[ "$cores" -ge 2 ] || cores=2
[ "$cores" -le 4 ] || cores=4
environment=
chosen=$(accelerator)
environment=$(env | grep '^CTR_TEST_' | tr '\n' ' ')
echo "virtual machine: $(basename "$kernel"), cgroup v2, $chosen, $cores CPUs"
status=0
once "$chosen" 900 "$@" || status=$?
case $status in
124) echo "boot.sh: no end after 900 seconds" >&2 ;;
125) cat "$work/virtiofsd" "$work/qemu" "$work/console" >&2 ;;
esac
exit "$status"
