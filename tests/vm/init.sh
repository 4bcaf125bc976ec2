#!/bin/sh
# init.sh KERNEL COMMAND [ARG…]: the first process of the virtual machine. Its root is the host's, read-only: makes one
# of it that can be written in memory, mounts what a system has, pure cgroup v2 among it, and runs COMMAND there.
# Says "status N" on the console, which no status at all has been said on if anything before fails.
set -eu
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH HOME=/root LANG=C.UTF-8

# off: the end; init must not return.
off() {
	sync
	echo o >/proc/sysrq-trigger
	sleep 60
}

if [ "$1" != inside ]; then
	kernel=$1
	trap off EXIT
	mount -t proc proc /proc
	mount -t tmpfs tmpfs /run
	mkdir /run/upper /run/work /run/root
	modprobe -d "$kernel" overlay
	mount -t overlay -o lowerdir=/,upperdir=/run/upper,workdir=/run/work root /run/root
	cd /run/root
	mount -t proc proc proc
	mount -t sysfs sysfs sys
	mount -t devtmpfs devtmpfs dev
	mkdir -p dev/pts dev/shm dev/mqueue usr/lib/modules
	mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts dev/pts
	mount -t tmpfs tmpfs dev/shm
	mount -t mqueue mqueue dev/mqueue
	mount -t tmpfs -o mode=755 tmpfs run
	mount --bind "$kernel/lib/modules" usr/lib/modules
	# As systemd mounts it.
	mount -t cgroup2 -o nsdelegate,memory_recursiveprot cgroup2 sys/fs/cgroup
	for name in fd:fd stdin:fd/0 stdout:fd/1 stderr:fd/2; do ln -s "/proc/self/${name#*:}" "dev/${name%%:*}"; done
	pivot_root . .
	umount -l .
	shift
	exec "$0" inside "$@"
fi

shift
trap off EXIT
sed 's/[a-z]*/+&/g' /sys/fs/cgroup/cgroup.controllers >/sys/fs/cgroup/cgroup.subtree_control
# Both limits, which differ at first: what is written in Go (runc) raises the lower one, and hands that on.
prlimit --pid $$ --nofile=65536
ip link set lo up
hostname vm
modprobe virtio_blk
mkdir -p /disk
mount -t ext4 /dev/vda /disk
export CTR_TEST_DISK=/disk CTR_TEST_VM=1
status=0
# The only virtio port; its other end is boot.sh's standard output.
out=/dev/$(ls /sys/class/virtio-ports)
"$@" </dev/null >"$out" 2>&1 || status=$?
echo "status $status"
