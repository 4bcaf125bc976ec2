//! `--link` on the default network, which has no names: lines of /etc/hosts; and what docker says of the host's network.

use super::*;

pub fn tests() -> Vec<Test> {
    tests!("net-attach",
        ["root", "overlay", "umoci", "nft", "ip"]:
            others_by_links,
            lines_of_links_go_with_the_network,
            lines_of_an_earlier_release,
            links_that_are_refused,
            on_the_hosts_network;
        ["root", "overlay", "umoci", "nft", "ip", "python3"]:
            a_lease_keeps_no_repair_from_the_rest
    )
}

fn others_by_links() {
    let host = host();
    server(&host, "db", "--hostname store");
    server(&host, "mail", "");
    let id = server(&host, "web", "--link db:data --link mail");
    let (db, mail) = (address(&host, "db"), address(&host, "mail"));
    let lines = |host: &Host| host.sh("ctr exec web cat /etc/hosts").ok().text();
    let short = host.tool("ctr-inspect", &["mail"]).ok().json()["id"].as_str().unwrap()[..12].to_owned();
    for line in [format!("{db}\tdata store db\t# link\n"), format!("{mail}\tmail {short}\t# link\n")] {
        assert!(lines(&host).contains(&line), "{}", lines(&host));
    }
    host.sh(&format!("ctr exec web {}", get_inside("data"))).ok().stdout_is("store\n");
    host.sh(&format!("ctr exec db {}", get_inside("web"))).exits(1);
    schema::assert_valid(&[host.tool("ctr-inspect", &["web"]).ok().json()]);
    host.sh("ctr-inspect web | net-attach --check >/dev/null").ok();
    let shown = host.sh("ctr inspect -f '{{json .HostConfig.Links}}' web").ok().json();
    assert_eq!(shown, json!(["/db:/web/data", "/mail:/web/mail"]));
    // The other may be called otherwise later, and be elsewhere when this one starts again.
    host.sh("ctr rename db base && ctr stop -t 0 web && ctr network create red && ctr network connect red base")
        .succeeds();
    host.sh("ctr network disconnect bridge base && ctr network connect --ip 10.90.0.77 bridge base && ctr rm -f mail")
        .ok();
    host.sh("ctr start web").ok();
    assert!(lines(&host).contains("10.90.0.77\tdata store base\t# link\n"), "{}", lines(&host));
    assert!(!lines(&host).contains(&format!("{db}\t")) && !lines(&host).contains("mail"), "{}", lines(&host));
    assert!(lines(&host).contains(&format!("\t{}\n", &id[..12])));
    host.sh(&format!("ctr exec web {}", get_inside("data"))).ok();
    host.sh("ctr rm -f web base && ctr network rm red").ok();
    nothing_is_left(&host);
}

fn lines_of_links_go_with_the_network() {
    let host = host();
    host.sh("ctr network create red && ctr run -d --name db busybox sleep 6914").succeeds();
    // Other lines of that name are the user's, and so is a last one that is none yet.
    host.sh("ctr run -d --name web --link db --add-host db:192.0.2.7 busybox sleep 6915").ok();
    host.sh("ctr exec web sh -c 'printf \"192.0.2.8\\tdb\" >>/etc/hosts'").ok();
    let lines = |host: &Host| host.sh("ctr exec web grep -w db /etc/hosts").ok().text();
    let (short, db) = (host.tool("ctr-inspect", &["db"]).ok().json()["id"].clone(), address(&host, "db"));
    let link = format!("{db}\tdb {}\t# link\n", &short.as_str().unwrap()[..12]);
    assert_eq!(lines(&host), format!("192.0.2.7\tdb\n{link}192.0.2.8\tdb\n"));
    host.sh("ctr-inspect web | net-attach --repair | net-attach --check >/dev/null").ok();
    assert_eq!(lines(&host), format!("192.0.2.7\tdb\n192.0.2.8\tdb\n{link}"));
    host.sh("ctr network connect red web && ctr network disconnect bridge web").ok();
    assert_eq!(lines(&host), "192.0.2.7\tdb\n192.0.2.8\tdb\n");
    host.sh("ctr network connect --link db:base bridge web").ok();
    assert!(
        lines(&host).ends_with(&link.replace("\tdb", "\tbase").replace("\t# link", " db\t# link")),
        "{}",
        lines(&host)
    );
    host.sh("ctr rm -f web db && ctr network rm red").ok();
    nothing_is_left(&host);
}

/// They end without a mark.
fn lines_of_an_earlier_release() {
    let host = host();
    host.sh("ctr network create red && ctr run -d --name db busybox sleep 6917").succeeds();
    host.sh("ctr run -d --name web --link db --add-host db:192.0.2.7 busybox sleep 6918").succeeds();
    let unmark = "ctr exec web sh -c 'sed \"s/\t# link\\$//\" /etc/hosts >/new && cat /new >/etc/hosts'";
    let lines = |host: &Host| host.sh("ctr exec web grep -w db /etc/hosts").ok().text();
    let before = lines(&host);
    host.sh(unmark).ok();
    assert_eq!(lines(&host), before.replace("\t# link", ""));
    host.sh("ctr-inspect web | net-attach --repair >/dev/null").ok();
    assert_eq!(lines(&host), before);
    host.sh(&format!("{unmark} && ctr network connect red web && ctr network disconnect bridge web")).ok();
    assert_eq!(lines(&host), "192.0.2.7\tdb\n");
    host.sh("ctr rm -f web db && ctr network rm red").ok();
    nothing_is_left(&host);
}

/// fcntl(2), `F_SETLEASE`: who opens the file is refused for a while.
const LEASE: &str = "import fcntl, os, signal, sys
signal.signal(signal.SIGIO, signal.SIG_IGN)
fcntl.fcntl(os.open(sys.argv[1], os.O_RDONLY), fcntl.F_SETLEASE, fcntl.F_RDLCK)
open('leased', 'w')
while True: signal.pause()
";

fn a_lease_keeps_no_repair_from_the_rest() {
    let host = host();
    std::fs::write(host.dir().join("lease"), LEASE).unwrap();
    let db = server(&host, "db", "");
    let web = server(&host, "web", "-p 8080:80 --link db");
    for (name, id) in [("db", db), ("web", web)] {
        let hosts = host.root().join("containers").join(id).join("hosts").display().to_string();
        let lease = host.cmd("python3", &["lease", &hosts]).spawn();
        host.sh_cmd("until test -e leased; do sleep 0.02; done").limit(20).run().ok();
        host.sh("nft flush ruleset").ok();
        let repaired = host.sh(&format!("ctr-inspect {name} | net-attach --repair | net-attach --check >/dev/null"));
        // Only one with links has lines to be made anew.
        if name == "db" {
            repaired.ok();
        } else {
            repaired.succeeds().stderr_has(&format!("net-attach: cannot write {hosts}: "));
        }
        drop(lease);
        host.sh("rm leased").ok();
    }
    host.sh(&get("127.0.0.1:8080")).ok();
    host.sh("ctr rm -f web db").ok();
    nothing_is_left(&host);
}

fn links_that_are_refused() {
    let host = host();
    host.sh("ctr network create red && ctr run -d --name db --network red busybox sleep 6912").succeeds();
    for (flags, part) in [
        ("--link absent", "no container absent"),
        ("--link db", "cannot link to container db ("),
        ("--link db:", "invalid link \"db:\""),
        ("--network none --link db", "--link needs a network, not none"),
        ("--network host --link db", "--link needs a network, not host"),
        ("--network container:db --link db", "--link needs a network, not container:db"),
    ] {
        host.sh(&format!("ctr run --rm {flags} busybox true")).fails(125).stderr_has(part);
    }
    host.sh("ctr network connect host db").fails(1).stderr_has("cannot connect container db to network host: ");
    host.sh("ctr rm -f db && ctr network rm red").ok();
    host.sh("net-attach --gc && rm $CTR_ROOT/networks/bridge.json && ctr network inspect bridge")
        .exits(1)
        .stderr_has("made with its first container");
    nothing_is_left(&host);
}

fn on_the_hosts_network() {
    let host = host();
    let name = host.sh("uname -n").ok().text();
    host.sh("ctr run --rm --network host busybox sh -c 'hostname; cat /etc/hostname'").ok().stdout_is(&name.repeat(2));
    host.sh("ctr run --rm --network host --hostname own busybox hostname").ok().stdout_is("own\n");
    host.sh("ctr run --name h --network host -p 80:80 --publish=81:81 busybox true")
        .exits(0)
        .stderr_has("Published ports are discarded when using host network mode");
    server(&host, "web", "");
    host.sh("ctr create --name j --network container:web busybox true").ok();
    let id = host.tool("ctr-inspect", &["web"]).ok().json()["id"].as_str().unwrap().to_owned();
    for (container, mode) in [("h", "host".to_owned()), ("web", "bridge".to_owned()), ("j", format!("container:{id}"))]
    {
        host.sh(&format!("ctr inspect -f '{{{{.HostConfig.NetworkMode}}}}' {container}"))
            .ok()
            .stdout_is(&format!("{mode}\n"));
    }
    host.sh("ctr network ls -q --no-trunc | grep -cE '^[0-9a-f]{64}$'").ok().stdout_is("1\n");
    host.sh("ctr network create red").ok();
    for (filter, names) in [("dangling=true", "red\n"), ("dangling=false", "bridge\n")] {
        host.sh(&format!("ctr network ls --filter {filter} --format '{{{{.Name}}}}'")).ok().stdout_is(names);
    }
    host.sh("ctr network ls --filter dangling=x").exits(2).stderr_has("dangling=true or false");
    host.sh("ctr rm -f web h j && ctr network rm red").ok();
    nothing_is_left(&host);
}
