"""The groups of the bench: what work, by whom."""

import json
import shlex
import shutil
import subprocess
from pathlib import Path

from contestant import Contestant, run_once
from world import REGISTRY, TESTS, have, run, say


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
        layout = world.layout("busybox")
        bundle = world.bundle()
        archive = world.dir / "busybox.tar"
        run("tar", "-C", str(layout), "-cf", str(archive), ".")
        run("img-load", "-i", str(archive), env=world.env)
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
        if have("podman"):
            run("podman", "load", "-q", "-i", str(self.docker_archive(layout)), env=world.env)
        docker = "docker run --rm --network none localhost/busybox true"
        self.add(Contestant("docker", docker, needs=["dockerd", "docker"], daemon="dockerd"))
        if have("dockerd"):
            world.docker()
            run("docker", "load", "-q", "-i", str(self.docker_archive(layout)), env=world.env)

    def docker_archive(self, layout):
        """Busybox as `docker save` writes it."""
        archive = self.world.dir / "busybox.docker.tar"
        if not archive.exists():
            target = f"docker-archive:{archive}:localhost/busybox:latest"
            run("skopeo", "copy", "-q", f"oci:{layout}:busybox", target, env=self.world.env)
        return archive


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


ALL = {group.name: group for group in (Run, Pull, Memory)}
