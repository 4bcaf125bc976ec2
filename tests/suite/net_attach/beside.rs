//! Beside the firewalls of others: they and we go on working.

use super::*;

pub fn tests() -> Vec<Test> {
    tests!("net-attach",
        ["root", "overlay", "umoci", "nft", "ip", "docker", "iptables"]:
            beside_docker;
        ["root", "overlay", "umoci", "nft", "ip", "podman", "iptables"]:
            beside_podman;
        ["root", "overlay", "umoci", "nft", "ip", "iptables"]:
            beside_the_older_tables
    )
}

/// docker's daemon in the host's network, all its files in the test's directory, its mounts its own.
struct Docker<'a> {
    host: &'a Host,
    daemon: Option<command::Running>,
}

impl<'a> Docker<'a> {
    fn start(host: &'a Host) -> Self {
        let daemon = host
            .sh_cmd(
                "exec unshare -m dockerd --data-root $PWD/docker --exec-root $PWD/docker-run -H unix://$PWD/docker.sock \
                 --pidfile $PWD/docker.pid --storage-driver vfs >docker.log 2>&1",
            )
            .limit(120)
            .spawn();
        host.sh_cmd("until docker -H unix://$PWD/docker.sock info >/dev/null 2>&1; do sleep 0.1; done")
            .limit(60)
            .run()
            .ok();
        let docker = Self { host, daemon: Some(daemon) };
        let archive = images::docker_archive("busybox");
        docker.run(&format!("load -q -i {}", archive.display())).ok();
        docker
    }

    fn run(&self, words: &str) -> Ran {
        self.host.sh_cmd(&format!("docker -H unix://$PWD/docker.sock {words}")).limit(60).run()
    }

    fn stop(mut self) {
        if let Some(daemon) = self.daemon.take() {
            self.host.sh("kill $(cat docker.pid)").ok();
            daemon.wait();
        }
    }
}

impl Drop for Docker<'_> {
    /// Its containers are not found by the host's directory, as everything else is.
    fn drop(&mut self) {
        if self.daemon.is_some() {
            self.run("rm -f theirs closed");
        }
    }
}

/// podman; its files are in the test's directory, and what it has of the machine's in a mount namespace that goes with its
/// keeper.
struct Podman<'a> {
    host: &'a Host,
    keeper: command::Running,
}

impl<'a> Podman<'a> {
    fn start(host: &'a Host) -> Self {
        let keeper = host
            .sh_cmd(
                "exec unshare -m sh -c 'for dir in /run /var/lib /etc/cni; do mkdir -p $dir; mount -t tmpfs t $dir; done; \
                 touch ready; exec sleep 6906'",
            )
            .spawn();
        host.sh_cmd("until test -e ready; do sleep 0.02; done").limit(20).run().ok();
        let podman = Self { host, keeper };
        podman.run(&format!("load -q -i {}", images::docker_archive("busybox").display())).succeeds();
        podman
    }

    fn run(&self, words: &str) -> Ran {
        let line = format!(
            "nsenter -t {} -m podman --root $PWD/podman --runroot $PWD/podman-run --storage-driver vfs \
             --cgroup-manager cgroupfs --events-backend none --runtime runc {words}",
            self.keeper.pid()
        );
        self.host.sh_cmd(&line).limit(60).run()
    }
}

impl Drop for Podman<'_> {
    fn drop(&mut self) {
        self.run("rm -f -t 0 -a");
    }
}

/// From every side to every side.
#[track_caller]
fn all_is_reached(host: &Host, outside: &Outside) {
    host.sh(&format!("ctr exec web {}", get_inside(OUTSIDE))).ok().stdout_is("world\n");
    host.sh(&format!("ctr exec web {}", get_inside(&address(host, "other")))).ok();
    host.sh(&format!("ctr exec other {}", get_inside(&format!("{HOST}:8080")))).ok();
    outside.sh(host, &get(&format!("{HOST}:8080"))).ok();
    host.sh(&get("127.0.0.1:8080")).ok();
}

/// A world that serves, and a host that does not forward yet, so that docker's daemon makes its policy drop.
fn world(host: &Host) -> Outside {
    let outside = Outside::of(host);
    outside.sh(host, "mkdir www; echo world >www/hostname; busybox httpd -p 80 -h www").ok();
    host.sh("echo 0 >/proc/sys/net/ipv4/ip_forward").ok();
    outside
}

fn beside_docker() {
    let host = host();
    let outside = world(&host);
    let docker = Docker::start(&host);
    host.sh("iptables-nft -S FORWARD | head -1").succeeds().stdout_is("-P FORWARD DROP\n");
    let before = host.sh("iptables-nft -S").succeeds().text();
    docker.run("run -d --name theirs -p 9090:80 busybox httpd -f -p 80 -h /etc").succeeds();
    docker.run("run -d --name closed busybox httpd -f -p 80 -h /etc").succeeds();
    let closed = docker.run("inspect -f '{{.NetworkSettings.IPAddress}}' closed").ok().text().trim().to_owned();
    server(&host, "web", "-p 8080:80");
    server(&host, "other", "");
    let theirs_work = || {
        docker.run(&format!("exec theirs {}", get_inside(OUTSIDE))).ok().stdout_is("world\n");
        outside.sh(&host, &get(&format!("{HOST}:9090"))).ok();
        host.sh(&get(&format!("{HOST}:9090"))).ok();
    };
    all_is_reached(&host, &outside);
    theirs_work();
    // Each other's by published ports alone.
    host.sh(&format!("ctr exec web {}", get_inside(&format!("{HOST}:9090")))).ok();
    docker.run(&format!("exec theirs {}", get_inside(&format!("{HOST}:8080")))).ok();
    host.sh(&format!("ctr exec web {}", get_inside(&closed))).exits(1);
    docker.run(&format!("exec theirs {}", get_inside(&address(&host, "other")))).exits(1);
    outside.sh(&host, &format!("ip route add 10.90.0.0/16 via {HOST}")).ok();
    outside.sh(&host, &get(&format!("{}:80", address(&host, "other")))).exits(1);
    // Who takes our rule away is told of.
    host.sh("ctr-inspect web >doc && net-attach --check <doc >/dev/null").ok();
    let chain = host.sh("nft list tables inet | cut -d' ' -f3").ok().text().trim().to_owned();
    for line in [format!("iptables-nft -D FORWARD -j {chain}"), format!("iptables-nft -F {chain}")] {
        host.sh(&line).succeeds();
        host.sh(&format!("ctr exec web {}", get_inside(OUTSIDE))).exits(1);
        host.sh("net-attach --check <doc")
            .exits(1)
            .stderr_has("iptables's chain FORWARD drops what is not accepted there");
        host.sh("net-attach --repair <doc >/dev/null && net-attach --check <doc >/dev/null").ok();
        all_is_reached(&host, &outside);
        host.sh(&line).succeeds();
        host.tool("net-attach", &["--gc"]).ok();
        host.sh("net-attach --check <doc >/dev/null").ok();
    }
    host.sh(&format!("iptables-nft -S FORWARD | grep -c -- '-j {chain}'")).succeeds().stdout_is("1\n");
    theirs_work();
    docker.run("rm -f theirs closed").ok();
    host.sh("ctr rm -f web other").ok();
    nothing_is_left(&host);
    host.tool("net-attach", &["--gc"]).ok().stdout_has("\"removed\":\"chain\"");
    assert_eq!(host.sh("iptables-nft -S").succeeds().text(), before);
    // All rules gone, docker's as well.
    server(&host, "web", "-p 8080:80");
    server(&host, "other", "");
    host.sh("ctr-inspect web >doc; nft flush ruleset").ok();
    host.sh("net-attach --check <doc").exits(1).stderr_has("no firewall table inet ctr-");
    host.tool("net-attach", &["--gc"]).ok();
    host.sh("net-attach --check <doc >/dev/null").ok();
    all_is_reached(&host, &outside);
    docker.stop();
    host.sh("ctr rm -f web other").ok();
    nothing_is_left(&host);
}

fn beside_the_older_tables() {
    let host = host();
    let outside = world(&host);
    host.sh("iptables-legacy -P FORWARD DROP").succeeds();
    server(&host, "web", "-p 8080:80");
    server(&host, "other", "");
    all_is_reached(&host, &outside);
    host.sh("ctr-inspect web >doc && net-attach --check <doc >/dev/null").ok();
    host.sh("iptables-legacy -F FORWARD").succeeds();
    host.sh("net-attach --check <doc").exits(1).stderr_has("iptables-legacy's chain FORWARD drops");
    host.sh("net-attach --repair <doc >/dev/null && net-attach --check <doc >/dev/null").ok();
    all_is_reached(&host, &outside);
    host.sh("ctr rm -f web other").ok();
    host.tool("net-attach", &["--gc"]).ok().stdout_has("iptables-legacy");
    host.sh("iptables-legacy -S").succeeds().stdout_is("-P INPUT ACCEPT\n-P FORWARD DROP\n-P OUTPUT ACCEPT\n");
    nothing_is_left(&host);
}

fn beside_podman() {
    let host = host();
    let outside = world(&host);
    let podman = Podman::start(&host);
    podman
        .run(
            "run -d --name theirs -p 9090:80 --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 docker.io/library/busybox \
         httpd -f -p 80 -h /etc",
        )
        .succeeds();
    server(&host, "web", "-p 8080:80");
    server(&host, "other", "");
    let all = || {
        all_is_reached(&host, &outside);
        podman.run(&format!("exec theirs {}", get_inside(OUTSIDE))).succeeds().stdout_is("world\n");
        outside.sh(&host, &get(&format!("{HOST}:9090"))).ok();
        host.sh(&get(&format!("{HOST}:9090"))).ok();
        host.sh(&format!("ctr exec web {}", get_inside(&format!("{HOST}:9090")))).ok();
        podman.run(&format!("exec theirs {}", get_inside(&format!("{HOST}:8080")))).succeeds();
    };
    all();
    // A second one of theirs writes their rules again, and so does a repair of ours.
    podman.run("run --rm --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 docker.io/library/busybox true").succeeds();
    host.sh("ctr-inspect web | net-attach --repair | net-attach --check >/dev/null").ok();
    all();
    podman.run("rm -f -t 0 theirs").succeeds();
    host.sh("ctr rm -f web other").ok();
    host.tool("net-attach", &["--gc"]).ok();
    host.sh("! iptables-nft -S | grep ctr-").succeeds();
    nothing_is_left(&host);
}
