"""The groups of the bench: what work, by whom."""

import json
import os
import shlex
import shutil
import subprocess
import time
from pathlib import Path

from contestant import Contestant, run_once
from world import REGISTRY, TESTS, have, run, say


# What the machine is to containers, on its way out.
HOST = "198.51.100.1"


class Group:
    """Contestants that do the same work; the first of ours is what ratios are to."""

    name = ""
    title = ""
    rounds = 10

    def __init__(self, world):
        self.world = world
        self.contestants = []
        self.missing = []
        self.prepare()

    def prepare(self):
        """Makes what the work needs and names the contestants."""

    def add(self, contestant):
        """Adds one, or notes that it is not installed."""
        lacking = [program for program in contestant.needs if not have(program)]
        if lacking:
            self.missing.append((contestant.name, lacking))
        else:
            self.contestants.append(contestant)

    def measure(self, rounds):
        """Runs all in turns, every second round the other way about, after one run each that does not count."""
        costs = {c.name: [] for c in self.contestants}
        for number in range(rounds + 1):
            order = self.contestants if number % 2 else self.contestants[::-1]
            for contestant in order:
                cost = run_once(self.world, contestant)
                if number:
                    costs[contestant.name].append(cost)
            say(f"{self.name}: round {number} of {rounds}")
        return costs


class Run(Group):
    """A warm image, no network: start, `true`, end."""

    name = "run"
    title = "Run `true` in busybox, warm, `--network none`"
    rounds = 21

    def prepare(self):
        world = self.world
        bundle = world.bundle()
        world.busybox()
        self.add(Contestant("ctr run", "ctr run --rm --network none busybox true", ours=True))
        doc = world.dir / "prepared.json"
        pipe = "img-pull --pull missing busybox | img-unpack | overlay-mount --volatile"
        prepared = run("sh", "-c", pipe, env=world.env)
        doc.write_bytes(prepared)
        self.add(Contestant("ns-spawn, document prepared", f"ns-spawn -f {doc} -- true", ours=True))
        root = bundle / "rootfs"
        confined = "--unshare-all --proc /proc --dev /dev --tmpfs /tmp --new-session"
        self.add(Contestant("bubblewrap", f"bwrap --bind {root} / {confined} -- /bin/true", needs=["bwrap"]))
        for runtime in ("crun", "runc"):
            state = world.dir / runtime
            self.add(Contestant(f"{runtime}, bundle prepared", f"{runtime} --root {state} run -b {bundle} bench", needs=[runtime]))
        podman = "podman run --rm --network none localhost/busybox true"
        self.add(Contestant("podman", podman, needs=["podman"]))
        docker = "docker run --rm --network none localhost/busybox true"
        self.add(Contestant("docker", docker, needs=["dockerd", "docker"], daemon="dockerd"))


class Pull(Group):
    """The many-file image from a registry on loopback into an empty store, unpacked."""

    name = "pull"
    title = "Pull and unpack the many-file image into an empty store"
    rounds = 5

    def prepare(self):
        world = self.world
        layout = world.layout("many")
        reference = world.push("many", layout)
        for name, flag in (("img-pull \\| img-unpack", ""), ("img-pull --stream \\| img-unpack", "--stream ")):
            self.add(self.into_empty(name, lambda d, f=flag: f"export CTR_ROOT={d}; img-pull {f}{reference} | img-unpack", ours=True))
        both = f"skopeo copy -q --src-tls-verify=false docker://{reference} oci:$D/oci:many && umoci unpack --image $D/oci:many $D/b"
        self.add(self.into_empty("skopeo + umoci", lambda d: f"D={d}; mkdir $D; {both}", needs=["skopeo", "umoci"]))
        self.add(self.into_empty("podman", lambda d: f"podman --root {d} pull -q --tls-verify=false {reference}", needs=["podman"],
                                 forget="umount {}/overlay 2>/dev/null; true"))  # fmt: skip
        if have("dockerd"):
            world.docker()
        forget = lambda: subprocess.run(["docker", "rmi", "-f", reference], env=world.env, capture_output=True, check=False)
        docker = Contestant("docker", f"docker pull -q {reference}", ["dockerd", "docker"], before=forget, daemon="dockerd")
        self.add(docker)
        manifest = json.loads(subprocess.check_output(["skopeo", "inspect", "--raw", f"oci:{layout}:many"], env=world.env))
        digests = [layer["digest"] for layer in manifest["layers"]]
        url = f"http://{REGISTRY}/v2/many/blobs"
        # Each layer by itself, at once, as the floor that verifies nothing; whiteouts are just files here.
        each = "; ".join(f"mkdir -p {{d}}/{n} && curl -sf {url}/{x} | gzip -dc | tar -x -C {{d}}/{n} &" for n, x in enumerate(digests))
        each = each.replace("&;", "&")
        self.add(self.into_empty("curl \\| gzip \\| tar, in parallel", lambda d: each.format(d=d) + " wait", needs=["curl"]))
        blobs = [str(layout / "blobs" / d.replace(":", "/")) for d in digests]
        self.add(self.into_empty("floor: hash, inflate, hash, create", lambda d: floor(blobs, d), needs=["openssl"]))

    def into_empty(self, name, command, needs=(), ours=False, forget=""):
        """A contestant that gets a directory of its own each time, removed after it."""
        state = {}

        def begin():
            state["dir"] = self.world.fresh("store")
            return command(state["dir"])

        def end():
            if forget:
                subprocess.run(["sh", "-c", forget.format(state["dir"])], check=False)
            shutil.rmtree(state["dir"])

        return Contestant(name, begin, list(needs), after=end, ours=ours)


def floor(blobs, directory):
    """The work that cannot be left out, by the fastest common tools, one after another: its CPU time is the measure."""
    words = [f"mkdir {directory}"]
    for number, blob in enumerate(blobs):
        tar, tree = f"{directory}/{number}.tar", f"{directory}/{number}"
        blob = shlex.quote(blob)
        words.append(f"openssl dgst -sha256 {blob} && gzip -dc {blob} >{tar} && openssl dgst -sha256 {tar}")
        words.append(f"mkdir {tree} && tar -x -C {tree} -f {tar} && rm {tar}")
    return " && ".join(words)


class Memory(Group):
    """Peak memory of a pull: many layers, and one layer of 400 MB."""

    name = "memory"
    title = "Peak resident memory of `img-pull` and `img-unpack`"
    rounds = 3

    def prepare(self):
        world = self.world
        many = world.push("many", world.layout("many"))
        big = world.push("big", self.big())
        for what, reference in (("many-file image", many), ("one layer of 400 MB", big)):
            for tool in ("img-pull", "img-unpack"):
                self.add(self.one(f"{tool}, {what}", tool, reference))

    def one(self, name, tool, reference):
        """Watches one tool of the pipe."""
        state = {}

        def begin():
            state["dir"] = self.world.fresh("store")
            return f"export CTR_ROOT={state['dir']}; img-pull {reference} | img-unpack"

        return Contestant(name, begin, after=lambda: shutil.rmtree(state["dir"]), ours=True, peak_of=tool)

    def big(self):
        """An image whose one layer is 400 MB that do not compress."""
        layout, tree = self.world.dir / "big", self.world.dir / "big-tree"
        tree.mkdir()
        run("sh", "-c", f"head -c 400000000 /dev/urandom >{tree}/data && tar -C {tree} -cf {tree}.tar . && rm -r {tree}")
        run("umoci", "init", "--layout", str(layout))
        run("umoci", "new", "--image", f"{layout}:big")
        run("umoci", "raw", "add-layer", "--image", f"{layout}:big", f"{tree}.tar")
        Path(f"{tree}.tar").unlink()
        return layout


class Commit(Group):
    """A container that changed 1,000 files of the many-file image becomes an image."""

    name = "commit"
    title = "Commit 1,000 changed files"
    rounds = 11
    CHANGE = "ls /app/pkg*/m*.py | head -n 1000 | while read -r f; do echo changed >>$f; done"

    def prepare(self):
        world = self.world
        layout = world.layout("many")
        run("sh", "-c", f"tar -C {layout} -cf many.tar . && img-load -i many.tar >/dev/null", env=world.env, cwd=world.dir)
        change = f"run --name changed --network none -u 0 --entrypoint sh {{}} -c '{self.CHANGE}'"
        run("sh", "-c", "ctr " + change.format("many"), env=world.env)
        self.add(Contestant("ctr commit", "ctr commit changed committed", ours=True))
        for kind in ("gzip", "zstd", "none"):
            name = f"ctr-commit --compression {kind}"
            self.add(Contestant(name, f"{name} changed committed", ours=True))
        if have("dockerd"):
            world.docker()
        archive = world.dir / "many.docker.tar"
        run("skopeo", "copy", "-q", f"oci:{layout}:many", f"docker-archive:{archive}:localhost/many:latest", env=world.env)
        for engine, daemon in (("podman", ""), ("docker", "dockerd")):
            if not have(daemon or engine):
                self.missing.append((engine, [daemon or engine]))
                continue
            run(engine, "load", "-q", "-i", str(archive), env=world.env)
            run("sh", "-c", f"{engine} " + change.format("localhost/many"), env=world.env)
            forget = lambda e=engine: run(e, "rmi", "-f", "localhost/committed", env=world.env)
            quiet = "-q " if engine == "podman" else ""
            command = f"{engine} commit {quiet}changed localhost/committed"
            self.add(Contestant(engine, command, after=forget, daemon=daemon))
        upper = run("sh", "-c", "ctr-inspect changed | jq -r .rootfs.upper", env=world.env).decode().strip()
        floor = f"tar -C {upper} -c . | tee tar | openssl dgst -sha256 && gzip -6 <tar | openssl dgst -sha256"
        self.add(Contestant("floor: tar, hash, gzip, hash", floor, ["openssl"]))


class Exec(Group):
    """A command in a container that runs."""

    name = "exec"
    title = "Run `true` in a running container"
    rounds = 21

    def prepare(self):
        world = self.world
        world.busybox()
        flags = "-d --network none --name bench-exec"
        self.start("ctr", f"ctr run {flags} busybox sleep 9000")
        self.add(Contestant("ctr exec", "ctr exec bench-exec true", ours=True))
        self.add(Contestant("ns-enter", "ns-enter bench-exec true", ours=True))
        pid = run("ctr", "inspect", "-f", "{{.State.Pid}}", "bench-exec", env=world.env).decode().strip()
        self.add(Contestant("nsenter", f"nsenter -t {pid} -a true"))
        bundle = world.bundle()
        for runtime in ("crun", "runc"):
            if have(runtime):
                state = world.dir / f"{runtime}-exec"
                self.start(runtime, f"{runtime} --root {state} run -d -b {self.sleeping(bundle)} bench-exec")
                self.add(Contestant(f"{runtime} exec", f"{runtime} --root {state} exec bench-exec true"))
        for engine, daemon in (("podman", ""), ("docker", "dockerd")):
            if have(daemon or engine):
                self.start(engine, f"{engine} run {flags} localhost/busybox sleep 9000")
                self.add(Contestant(f"{engine} exec", f"{engine} exec bench-exec true", daemon=daemon))

    def start(self, name, command):
        """Starts what stays until the end of the bench."""
        with open(self.world.dir / f"{name}.start", "wb") as log:
            subprocess.run(["/bin/sh", "-c", command], env=self.world.env, cwd=self.world.dir, stdin=subprocess.DEVNULL,
                           stdout=log, stderr=log, check=True)  # fmt: skip

    def sleeping(self, bundle):
        """A bundle like `bundle` whose command sleeps."""
        other = self.world.dir / "bundle-sleep"
        if not other.exists():
            shutil.copytree(bundle, other, symlinks=True)
            spec = json.loads((other / "config.json").read_text())
            spec["process"]["args"] = ["sleep", "9000"]
            (other / "config.json").write_text(json.dumps(spec))
        return other


class Many(Group):
    """A hundred containers, started eight at a time, stopped and removed."""

    name = "many"
    title = "100 containers: started 8 at a time, all killed and removed"
    rounds = 1

    def prepare(self):
        self.world.busybox()
        flags = "-d --network none"
        ours = f"seq 100 | xargs -P 8 -I{{}} ctr run {flags} --name m{{}} busybox sleep 9000 >ids && ctr rm -f $(cat ids) >/dev/null"
        self.add(Contestant("ctr", ours, ours=True))
        for engine, daemon in (("podman", ""), ("docker", "dockerd")):
            line = f"seq 100 | xargs -P 8 -I{{}} {engine} run {flags} --name m{{}} localhost/busybox sleep 9000 >ids-{engine}"
            # podman would wait ten seconds for each that ignores SIGTERM; ours and docker kill at once.
            at_once = "-t 0 " if engine == "podman" else ""
            line += f" && {engine} rm -f {at_once}$(cat ids-{engine}) >/dev/null"
            if daemon:
                line += " 2>&1"
            self.add(Contestant(engine, line, [daemon or engine], daemon=daemon))


class Idle(Group):
    """What a container that does nothing costs beside its own process: private memory of who looks after it."""

    name = "idle"
    title = "20 idle containers: who looks after each"
    rounds = 1
    KEEPERS = (("ctr", "ctr-supervise", ""), ("podman", "conmon", ""), ("docker", "containerd-shim", "dockerd"))

    def prepare(self):
        self.world.busybox()
        for engine, keeper, daemon in self.KEEPERS:
            image = "busybox" if engine == "ctr" else "localhost/busybox"
            line = f"seq 20 | xargs -I{{}} {engine} run -d --network none --name i{{}} {image} sleep 9000 >/dev/null"
            contestant = Contestant(f"{engine}: {keeper}", line, [daemon or engine], ours=engine == "ctr", daemon=daemon)
            contestant.keeper = keeper
            contestant.after = lambda e=engine: self.clean(e)
            self.add(contestant)

    def clean(self, engine):
        """Measures before it removes them."""
        keeper = next(k for e, k, _ in self.KEEPERS if e == engine)
        pids = [pid for pid in (p for p in os.listdir("/proc") if p.isdigit()) if self.is_named(pid, keeper)]
        before = {pid: self.switches(pid) for pid in pids}
        time.sleep(5)
        woken = sum(self.switches(pid) - before[pid] for pid in pids)
        memory = {key: sum(self.memory(pid, key) for pid in pids) / max(len(pids), 1) for key in ("Private_Dirty", "Pss", "Rss")}
        text = ", ".join(f"{key} {value:.0f} kB" for key, value in memory.items())
        print(f"{engine}: {len(pids)} x {keeper}: each {text}; {woken / 5:.1f} wake-ups a second in all", flush=True)
        names = [f"i{n}" for n in range(1, 21)]
        subprocess.run([engine, "rm", "-f", *names], env=self.world.env, capture_output=True, check=True)

    def is_named(self, pid, name):
        """Whether the process runs the program."""
        try:
            return name.encode() in Path("/proc", pid, "cmdline").read_bytes().split(b"\0")[0]
        except OSError:
            return False

    def memory(self, pid, key):
        """A line of smaps_rollup, kB."""
        text = Path("/proc", pid, "smaps_rollup").read_text()
        return sum(int(line.split()[1]) for line in text.splitlines() if line.startswith(f"{key}:"))

    def switches(self, pid):
        """How often it went to sleep."""
        text = Path("/proc", pid, "status").read_text()
        return sum(int(line.split()[1]) for line in text.splitlines() if "ctxt_switches" in line)


class Log(Group):
    """100 MB of lines through a supervisor into its log, against the same pipe into a file."""

    name = "log"
    title = "100 MB of 100-byte lines written by a container"
    rounds = 5
    LINES = "yes $(printf %099d 0) | head -n 1000000"

    def prepare(self):
        world = self.world
        world.busybox()
        wait = "ctr run -d --network none --log-opt max-size=1g --name log busybox sh -c '{}' >/dev/null && ctr wait log >/dev/null"
        ours = Contestant("ctr run -d, its log", wait.format(self.LINES), ours=True)
        ours.after = lambda: run("ctr", "rm", "log", env=world.env)
        self.add(ours)
        into = "ctr run --rm --network none busybox sh -c '{}' | cat >{}"
        self.add(Contestant("ctr run \\| cat >file", into.format(self.LINES, world.dir / "lines")))


class Net(Group):
    """The same as `run`, on the network that containers get by default."""

    name = "net"
    title = "Run `true` in busybox, warm, on the default network"
    rounds = 15
    flags = ""

    def prepare(self):
        self.world.busybox()
        self.add(Contestant("ctr", f"ctr run --rm {self.flags} busybox true", ours=True))
        for engine, daemon in (("podman", ""), ("docker", "dockerd")):
            line = f"{engine} run --rm {self.flags} localhost/busybox true"
            self.add(Contestant(engine, line, [daemon or engine], daemon=daemon))


class Port(Net):
    """With a port of the host that leads to it."""

    name = "port"
    title = "The same with a published port"
    flags = "-p 8080:80"


class Named(Net):
    """On a network where containers find each other by name."""

    name = "named"
    title = "The same on a named network, with names"
    flags = "--network named"

    def prepare(self):
        super().prepare()
        for contestant in self.contestants:
            run(contestant.name, "network", "create", "named", env=self.world.env)
            # Nobody is the first on it.
            image = "busybox" if contestant.ours else "localhost/busybox"
            run(contestant.name, "run", "-d", "--name", "there", "--network", "named", image, "sleep", "9000", env=self.world.env)


class Speed(Group):
    """Bytes from a container to the host, by a published port into it, and by a forwarder in between."""

    name = "speed"
    title = "8 GB by TCP"
    rounds = 5
    PORT = 5301
    # A port that is forwarded by a process: ours listens there when asked, docker's whenever the host's loopback is meant.
    FORWARDED = 5311

    def prepare(self):
        self.world.busybox()
        for number, engine in enumerate(("ctr", "podman", "docker")):
            if not have("dockerd" if engine == "docker" else engine) or not have("iperf3"):
                self.missing.append((engine, ["iperf3"]))
                continue
            port, image = self.PORT + number, "busybox" if engine == "ctr" else "localhost/busybox"
            flags = ["-d", "--name", "speed", "-p", f"{port}:5201"]
            run(engine, "run", *flags, image, "sleep", "9000", env=self.world.env)
            pid = run(engine, "inspect", "-f", "{{.State.Pid}}", "speed", env=self.world.env).decode().strip()
            into = f"nsenter -n -t {pid}"
            for server in (f"{into} iperf3 -s -D -p 5201", f"iperf3 -s -D -p {port + 100}"):
                run("sh", "-c", server)
            out = f"{into} iperf3 -n 8G -p {port + 100} -c {HOST} >/dev/null"
            self.add(Contestant(f"{engine}: container to host", out, ours=engine == "ctr"))
            self.add(Contestant(f"{engine}: by a published port", f"iperf3 -n 8G -p {port} -c {HOST} >/dev/null", ours=engine == "ctr"))
            if engine == "ctr":
                mode = ["--publish-mode", "proxy", "-p", f"{self.FORWARDED}:5201", "--name", "forwarded"]
                run(engine, "run", "-d", *mode, image, "sleep", "9000", env=self.world.env)
                pid = run(engine, "inspect", "-f", "{{.State.Pid}}", "forwarded", env=self.world.env).decode().strip()
                run("sh", "-c", f"nsenter -n -t {pid} iperf3 -s -D -p 5201")
                self.add(Contestant("ctr: by its proxy", f"iperf3 -n 8G -p {self.FORWARDED} -c 127.0.0.1 >/dev/null", ours=True))
            if engine == "docker":
                self.add(Contestant("docker: by docker-proxy", f"iperf3 -n 8G -p {port} -c 127.0.0.1 >/dev/null"))


class Save(Group):
    """Images out of each store into one file: many small layers."""

    name = "save"
    title = "Save an image of 100 layers to a file"
    rounds = 7
    image = "layers100"

    def prepare(self):
        world = self.world
        archive = world.archive(self.image)
        run("img-load", "-i", str(archive), env=world.env)
        out = world.dir / "saved.tar"
        self.add(self.into(out, "ctr save", f"ctr save -o {out} localhost/{self.image}", ours=True))
        self.add(self.into(out, "ctr save, to a pipe", f"ctr save localhost/{self.image} | cat >{out}", ours=True))
        for engine, daemon in (("podman", ""), ("docker", "dockerd")):
            if not have(daemon or engine):
                continue
            if daemon:
                world.docker()
            run(engine, "load", "-q", "-i", str(archive), env=world.env)
            line = f"{engine} save -o {out} localhost/{self.image}"
            self.add(self.into(out, engine, line, needs=[engine], daemon=daemon))

    def into(self, out, name, line, **more):
        """A contestant whose file is removed after each run: podman does not replace one."""
        return Contestant(name, line, after=lambda: out.unlink(missing_ok=True), **more)


class SaveLarge(Save):
    """The same with one large layer; docker cannot save the odd files of the many-file image."""

    name = "save-large"
    title = "Save an image of one layer of 130 MB to a file"
    rounds = 5
    image = "debian"


ALL = {group.name: group for group in (Run, Pull, Memory, Commit, Exec, Many, Idle, Log, Net, Port, Named, Speed, Save, SaveLarge)}
