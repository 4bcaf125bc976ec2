//! Words that are wrong: one line, a code, nothing left.

use super::*;

pub fn tests() -> Vec<Test> {
    tests!("net-attach",
        ["root", "nft", "ip"]:
            bad_words,
            a_dry_run_changes_nothing
    )
}

fn bad_words() {
    let host = Host::with_own_net();
    let doc = json!({"ctr": 1});
    for (args, code, part) in [
        ("--network absent", "not-found", "no network absent"),
        ("--network a/b", "invalid", "invalid name"),
        ("--network container:absent", "not-found", "no container absent"),
        ("--network ns:relative", "invalid", "absolute path"),
        ("--network ns:/nowhere", "not-found", "/nowhere"),
        ("--network none -p 80:80", "invalid", "--publish needs a network, not none"),
        ("--network host --ip 10.90.0.9", "invalid", "--ip needs a network, not host"),
        ("-p 0:80", "invalid", "\"0\" is no port"),
        ("-p 70000:80", "invalid", "\"70000\" is no port"),
        ("-p 8000-8002:80-81", "invalid", "not of one length"),
        ("-p [::1]:80:80", "unsupported", "IPv6"),
        ("-p 80:80/sctp", "unsupported", "sctp"),
        ("-p 80:80 -p 80:81", "exists", "for another of its ports"),
        ("--ip nonsense", "invalid", "invalid address"),
        ("--ip 10.91.0.1", "invalid", "no host of 10.90.0.0/16"),
        ("--mac-address 01:00:00:00:00:00", "invalid", "invalid hardware address"),
        ("--dns nonsense", "invalid", "invalid DNS server"),
        ("--dns-search a\nb", "invalid", "invalid DNS search domain"),
    ] {
        let args: Vec<&str> = args.split(' ').collect();
        host.pipe_to(&doc, "net-attach", &args).fails(1).code(code).stderr_has(part);
        nothing_is_left(&host);
    }
    let twice = host.pipe_to(&doc, "net-attach", &[]).ok().json();
    host.pipe_to(&twice, "net-attach", &[]).fails(1).code("exists").stderr_has("a network already, bridge");
    host.pipe_to(&twice, "net-attach", &["--undo"]).ok();
    host.pipe_to(&twice, "net-attach", &["--undo"]).ok();
    nothing_is_left(&host);
    // Without nft there is no network, and it says so.
    let cmd = host.cmd("net-attach", &[] as &[&str]).stdin("{\"ctr\":1}").env("PATH", "/nowhere");
    if !std::path::Path::new("/usr/sbin/nft").exists() {
        cmd.run().fails(1).code("unsupported").stderr_has("no program nft");
    }
    nothing_is_left(&host);
}

fn a_dry_run_changes_nothing() {
    let host = Host::with_own_net();
    let ran = host.pipe_to(&json!({"ctr": 1}), "net-attach", &["--dry-run", "-p", "8080:80"]).succeeds();
    let ops: Vec<String> = ran
        .stderr_text()
        .lines()
        .map(|line| {
            let line: Value = serde_json::from_str(line).unwrap();
            assert_eq!(line["dryRun"], true, "{line}");
            line["op"].as_str().unwrap().to_owned()
        })
        .collect();
    for op in ["claim", "nft", "newlink", "newaddr", "unshare", "newroute", "write"] {
        assert!(ops.iter().any(|o| o == op), "{op} in {ops:?}");
    }
    assert_eq!(kernel(&host), "");
    host.sh("find $CTR_ROOT -type f | grep -v '/lock$'").exits(1);
    nothing_is_left(&host);
}
