"""One contestant: what it runs, and what one run cost."""

import os
import resource
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Contestant:
    """A shell command, what comes before and after it unmeasured, and what it needs to be installed."""

    name: str
    command: object  # a text, or a function that gives one (it may differ each time)
    needs: list = field(default_factory=list)
    before: object = None
    after: object = None
    ours: bool = False
    daemon: str = ""  # whose CPU time counts too
    peak_of: str = ""  # the program whose peak memory is wanted


@dataclass
class Cost:
    """What one run took: seconds, CPU seconds, bytes."""

    wall: float
    cpu: float
    peak: int = 0


def run_once(world, contestant):
    """Runs it once; stops the bench where it does not succeed."""
    if contestant.before:
        contestant.before()
    command = contestant.command if isinstance(contestant.command, str) else contestant.command()
    daemon = world.daemon_cpu(contestant.daemon) if contestant.daemon else 0
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    # A file, not a pipe: what the command leaves running may hold it without being waited for.
    with open(world.dir / "output", "w+b") as output:
        child = subprocess.Popen(["/bin/sh", "-c", command], env=world.env, cwd=world.dir, stdin=subprocess.DEVNULL,
                                 stdout=output, stderr=output)  # fmt: skip
        peak = watch(child, contestant.peak_of) if contestant.peak_of else 0
        status = child.wait()
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime - used.ru_utime + after.ru_stime - used.ru_stime
    if contestant.daemon:
        cpu += world.daemon_cpu(contestant.daemon) - daemon
    if status:
        text = (world.dir / "output").read_text(errors="replace")
        sys.exit(f"bench: {contestant.name}: status {status}: {command}\n{text}")
    if contestant.after:
        contestant.after()
    return Cost(wall, cpu, peak)


def watch(child, program):
    """The highest VmHWM that a process named `program` reaches while the child runs.

    ru_maxrss would count the memory of this program too, from before the exec.
    """
    peak = 0
    pids = set()
    while child.poll() is None:
        pids |= set(named(program)) if not pids else set()
        for pid in pids:
            try:
                text = Path("/proc", pid, "status").read_text()
            except OSError:
                continue
            line = next((x for x in text.splitlines() if x.startswith("VmHWM:")), "VmHWM: 0 kB")
            peak = max(peak, int(line.split()[1]) * 1024)
        time.sleep(0.002)
    return peak


def named(program):
    """The ids of the processes that run `program`."""
    for pid in (p for p in os.listdir("/proc") if p.isdigit()):
        try:
            if Path("/proc", pid, "comm").read_text().strip() == program[:15]:
                yield pid
        except OSError:
            pass
