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
        ("-p 70000:80", "invalid", "\"70000\" is no port"),
        ("-p 8000-8002:80-81", "invalid", "not of one length"),
        ("-p [::x]:80:80", "invalid", "no IP address"),
        ("-p [2001:db8:77::1]:80:80", "invalid", "the host has no such address"),
        ("-p [::1]:80:80/sctp", "unsupported", "ports of sctp by a proxy"),
        ("--network none --link db", "invalid", "--link needs a network, not none"),
        ("--network host --link db", "invalid", "--link needs a network, not host"),
        ("--link absent", "not-found", "no container absent"),
        ("--link a:b:c", "invalid", "invalid link"),
        ("--expose 80:80", "invalid", "cannot expose port \"80:80\""),
        ("--expose 0", "invalid", "\"0\" is no port"),
        ("-p 80:80 -p 80:81", "exists", "held by this container, for its port 80"),
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
    host.pipe_to(&doc, "net-attach", &["--network-alias", "web"])
        .fails(2)
        .code("usage")
        .stderr_has("the default network has no names");
    nothing_is_left(&host);
    for words in ["80:80/sctp", "80/sctp"] {
        let sctp = host.pipe_to(&doc, "net-attach", &["-p", words]);
        if std::fs::read_to_string("/proc/net/protocols").unwrap().contains("SCTP") {
            host.pipe_to(&sctp.ok().json(), "net-attach", &["--undo"]).ok();
        } else {
            sctp.fails(1).code("unsupported").stderr_has("this kernel has none");
        }
        nothing_is_left(&host);
    }
    let cmd = || host.cmd("net-attach", &["-p", "80"]).stdin("{\"ctr\":1}");
    cmd().env("CTR_PUBLISH_IP", "nonsense").run().fails(1).code("invalid").stderr_has("CTR_PUBLISH_IP: \"nonsense\"");
    let local = cmd().env("CTR_PUBLISH_IP", "127.0.0.1").run().ok().json();
    assert_eq!(local["net"]["ports"][0]["hostIP"], "127.0.0.1");
    host.pipe_to(&local, "net-attach", &["--undo"]).ok();
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
