"""bench.py [--rounds N] [GROUP...]: times us and the peers on the same work, in turns, in one run.

Groups: run pull memory commit exec many idle log net port named speed save save-large. Prints a Markdown table for each on stdout, progress on stderr. Everything happens in a mount
and a network namespace of its own, on a tmpfs of its own (unpacking on a disk soon after a big removal measures the file
system); --disk DIR uses DIR instead. Needs root, our tools in PATH, the programs that `tests/deps.sh test` installs;
of podman, docker, crun, runc, bubblewrap, skopeo, umoci, curl those that are there.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile

import groups
import table
from world import World

INSIDE = "CTR_BENCH_INSIDE"


def parse():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("group", nargs="*", help=f"{', '.join(groups.ALL)} (default: all)")
    parser.add_argument("--rounds", type=int, help="rounds of each group (default: what the group says)")
    parser.add_argument("--disk", help="a directory on a disk to work in, instead of a tmpfs")
    options = parser.parse_args()
    unknown = [name for name in options.group if name not in groups.ALL]
    if unknown:
        parser.error(f"no group {unknown[0]}; there are {', '.join(groups.ALL)}")
    return options


def enter():
    """Runs this program again as the first process of its own namespaces: with it, all is gone."""
    os.environ[INSIDE] = "1"
    flags = ["--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "private"]
    os.execvp("unshare", ["unshare", *flags, "--", sys.executable, "-B", *sys.argv])


def settle():
    """Loopback and a way out that leads nowhere; no network of the machine's engines to be seen; without the v2 tree a hybrid
    machine is a v1 machine, which crun wants."""
    for words in ("link set lo up", "link add way type veth peer beyond", "link set beyond up", f"addr add {groups.HOST}/24 dev way", "link set way up"):
        subprocess.run(["ip", *words.split()], check=True)
    subprocess.run(["ip", "route", "add", "default", "dev", "way"], check=True)
    for path in ("/var/lib/cni", "/run/netns"):
        os.makedirs(path, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "ctr-bench", path], check=True)
    if os.path.ismount("/sys/fs/cgroup/unified"):
        subprocess.run(["umount", "/sys/fs/cgroup/unified"], check=True)


def main():
    """Sets the world up, runs the groups, prints their tables."""
    options = parse()
    if os.geteuid() != 0:
        sys.exit("bench: needs root")
    if INSIDE not in os.environ:
        enter()
    settle()
    scratch = tempfile.mkdtemp(prefix="ctr-bench.", dir=options.disk or "/tmp")
    if not options.disk:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=80%", "ctr-bench", scratch], check=True)
    world = World(scratch)
    try:
        for name in options.group or groups.ALL:
            group = groups.ALL[name](world)
            rounds = options.rounds or group.rounds
            print(table.render(group, group.measure(rounds)), flush=True)
    finally:
        world.end()
        if not options.disk:
            subprocess.run(["umount", "-l", scratch], check=False)
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
