"""The world that all contestants share: scratch directory, registry, images, the peers' settings."""

import json
import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
REGISTRY = "127.0.0.1:5000"
LIMITS = {"nofile": resource.RLIMIT_NOFILE, "nproc": resource.RLIMIT_NPROC}


def say(text):
    """Progress, on stderr."""
    print(text, file=sys.stderr, flush=True)


def have(program):
    """Whether a program is installed."""
    return shutil.which(program) is not None


def run(*args, **kwargs):
    """Runs a program that has to succeed; what it prints is shown only when it does not."""
    done = subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, **kwargs)
    if done.returncode:
        sys.exit(f"bench: {' '.join(map(str, args))}: status {done.returncode}\n{done.stdout.decode(errors='replace')}")
    return done.stdout


class World:
    """What is made at the first use and ended at the end."""

    def __init__(self, scratch):
        self.dir = Path(scratch)
        self.daemons = {}
        self.dirty = 0
        hard = {name: resource.getrlimit(which)[1] for name, which in LIMITS.items()}
        limits = {name: 32768 if most < 0 else min(most, 32768) for name, most in hard.items()}
        self.env = dict(os.environ, CTR_ROOT=str(self.dir / "ctr"), CTR_RUN=str(self.dir / "ctr-run"), HOME=scratch)
        self.env |= self.podman(limits)
        self.env["DOCKER_HOST"] = f"unix://{self.dir}/docker.sock"
        # An empty one: podman reads it too.
        config = self.dir / "docker-config"
        config.mkdir()
        (config / "config.json").write_text("{}")
        self.env["DOCKER_CONFIG"] = str(config)

    def podman(self, limits):
        """Podman with nothing outside the scratch directory; no limit that this machine cannot raise."""
        storage, containers = self.dir / "storage.conf", self.dir / "containers.conf"
        storage.write_text(f'[storage]\ndriver="overlay"\ngraphroot="{self.dir}/podman"\nrunroot="{self.dir}/podman-run"\n')
        ulimits = [f"{name}={most}:{most}" for name, most in limits.items()]
        runtime = "crun" if have("crun") else "runc"
        containers.write_text(
            f"[containers]\ndefault_ulimits={json.dumps(ulimits)}\n"
            f'[engine]\ncgroup_manager="cgroupfs"\nevents_logger="file"\nruntime="{runtime}"\ntmp_dir="{self.dir}/libpod"\n'
            f'[network]\nnetwork_config_dir="{self.dir}/networks"\n'
        )
        return {"CONTAINERS_STORAGE_CONF": str(storage), "CONTAINERS_CONF": str(containers)}

    def daemon(self, name, args, ready):
        """Starts a daemon once and waits until the command `ready` succeeds."""
        if name in self.daemons:
            return
        with open(self.dir / f"{name}.log", "wb") as log:
            self.daemons[name] = subprocess.Popen(args, env=self.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        for _ in range(300):
            if subprocess.run(ready, env=self.env, capture_output=True, check=False).returncode == 0:
                return
            time.sleep(0.1)
        sys.exit(f"bench: {name} does not start:\n" + (self.dir / f"{name}.log").read_text())

    def docker(self):
        """A docker engine of our own, its containerd beneath it."""
        args = ["dockerd", "--data-root", f"{self.dir}/docker", "--exec-root", f"{self.dir}/docker-run"]
        args += ["--pidfile", f"{self.dir}/docker.pid", "-H", self.env["DOCKER_HOST"]]
        self.daemon("dockerd", args, ["docker", "info"])

    def registry(self):
        """Debian's registry, on loopback."""
        config = self.dir / "registry.yml"
        config.write_text(
            "version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\n"
            f"storage: {{filesystem: {{rootdirectory: {self.dir}/registry}}}}\nhttp: {{addr: {REGISTRY}, secret: bench}}\n"
        )
        probe = ["python3", "-c", f"import urllib.request as u; u.urlopen('http://{REGISTRY}/v2/')"]
        self.daemon("registry", ["docker-registry", "serve", str(config)], probe)

    def layout(self, name):
        """The OCI layout of a test image: the tests' own, else made here by its recipe."""
        kept = TESTS.parent / "target/test-images" / name
        if kept.exists():
            return kept
        made = self.dir / "images" / name
        if not made.exists():
            base = {"many": "debian"}.get(name)
            say(f"making image {name}")
            made.parent.mkdir(exist_ok=True)
            recipe = TESTS / "images" / f"{name}.sh"
            run("sh", str(recipe), name, str(made), str(self.layout(base)) if base else "", "")
        return made

    def archive(self, name):
        """A test image as an archive that every engine loads, under the name `localhost/NAME`; `layersN` has N layers."""
        archive = self.dir / f"{name}.docker.tar"
        if not archive.exists():
            count = name.removeprefix("layers")
            if count.isdigit():
                layout = self.dir / "images" / name
                layout.parent.mkdir(exist_ok=True)
                run("sh", str(TESTS / "images/layers.sh"), name, str(layout), str(self.layout("busybox")), count)
            else:
                layout = self.layout(name)
            target = f"docker-archive:{archive}:localhost/{name}:latest"
            run("skopeo", "copy", "-q", f"oci:{layout}:{name}", target, env=self.env)
        return archive

    def busybox(self):
        """Busybox in our store, and in the engines' that are installed."""
        if (self.dir / "busybox.tar").exists():
            return
        layout = self.layout("busybox")
        run("tar", "-C", str(layout), "-cf", str(self.dir / "busybox.tar"), ".")
        run("img-load", "-i", str(self.dir / "busybox.tar"), env=self.env)
        run("sh", "-c", "img-pull --pull missing busybox | img-unpack", env=self.env)
        archive = self.dir / "busybox.docker.tar"
        if have("skopeo"):
            target = f"docker-archive:{archive}:localhost/busybox:latest"
            run("skopeo", "copy", "-q", f"oci:{layout}:busybox", target, env=self.env)
        if have("podman"):
            run("podman", "load", "-q", "-i", str(archive), env=self.env)
        if have("dockerd"):
            self.docker()
            run("docker", "load", "-q", "-i", str(archive), env=self.env)

    def push(self, name, layout):
        """Puts an image into the registry; gives its reference."""
        self.registry()
        run("skopeo", "copy", "-q", "--dest-tls-verify=false", "--preserve-digests", f"oci:{layout}:{name}",
            f"docker://{REGISTRY}/{name}:latest", env=self.env)  # fmt: skip
        return f"{REGISTRY}/{name}"

    def bundle(self):
        """An OCI bundle of busybox, as `runc spec` writes it, its command `true`."""
        bundle = self.dir / "bundle"
        if not bundle.exists():
            run("umoci", "unpack", "--image", f"{self.layout('busybox')}:busybox", str(bundle))
            (bundle / "config.json").unlink()
            run("runc" if have("runc") else "crun", "spec", cwd=bundle)
            spec = json.loads((bundle / "config.json").read_text())
            spec["process"] |= {"terminal": False, "args": ["true"], "rlimits": []}
            (bundle / "config.json").write_text(json.dumps(spec))
        return bundle

    def fresh(self, name):
        """A path that is not there, for a store that has to be empty."""
        self.dirty += 1
        return self.dir / f"{name}.{self.dirty}"

    def daemon_cpu(self, name):
        """CPU seconds of a daemon, its children included, alive or not."""
        total = 0
        for pid in (p for p in os.listdir("/proc") if p.isdigit()):
            try:
                stat = Path("/proc", pid, "stat").read_text()
                line = Path("/proc", pid, "cmdline").read_bytes()
            except OSError:
                continue
            if name.encode() in line or b"containerd" in line:
                total += sum(map(int, stat[stat.rindex(")") + 2 :].split()[11:15]))
        return total / os.sysconf("SC_CLK_TCK")

    def end(self):
        """Ends the daemons, last to first."""
        for process in reversed(self.daemons.values()):
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
