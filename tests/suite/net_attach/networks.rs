//! Networks that users define: apart from each other, from the host's routes, and gone when they are removed.

use super::*;

pub fn tests() -> Vec<Test> {
    tests!("net-attach",
        ["root", "overlay", "umoci", "nft", "ip"]:
            networks_do_not_reach_each_other,
            internal_and_secluded_ones,
            definitions_are_checked,
            a_member_in_dockers_shape,
            the_default_one_goes_after_its_last,
            a_torn_record_is_its_own_affair,
            what_leaves_by_its_own_address,
            ports_of_the_networks_address,
            fifty_at_once;
        ["root", "nft", "ip", "strace"]:
            a_record_that_cannot_be_read
    )
}

/// What `ctr inspect` shows of the networks of a container, by the templates that people use.
fn a_member_in_dockers_shape() {
    let host = host();
    host.sh("ctr network create --ipv6 red && ctr network create blue").ok();
    let flags = "--network name=red,alias=db --network name=blue,gw-priority=-1 -p 8080:80 -p 53:53/udp --expose 7000-7001 \
        --dns 192.0.2.1 --dns-search example.org --dns-option timeout:1 --add-host up:192.0.2.2 --add-host six:2001:db8::1 \
        --hostname front --group-add 5 --group-add 6 --sysctl net.ipv4.ip_forward=1 --tmpfs /t:size=1m,exec --tmpfs /u";
    host.sh(&format!("ctr run -d --name a {flags} busybox sleep 1000")).ok();
    let id = host.sh("ctr inspect -f '{{.Id}}' a").ok().text().trim().to_owned();
    let shown = host.sh("ctr inspect a").ok().json()[0].clone();
    let (settings, host_config) = (&shown["NetworkSettings"], &shown["HostConfig"]);
    let red = &settings["Networks"]["red"];
    for network in ["red", "blue"] {
        let record = host.tool("ctr-network", &["inspect", network]).ok().json();
        let on = &settings["Networks"][network];
        assert_eq!(on["NetworkID"], record["Id"]);
        assert_eq!(on["MacAddress"], record["Containers"][&id]["MacAddress"]);
        let (ip, length) = (on["IPAddress"].as_str().unwrap(), &on["IPPrefixLen"]);
        assert_eq!(record["Containers"][&id]["IPv4Address"], format!("{ip}/{length}"));
        assert_eq!(on["Gateway"], record["IPAM"]["Config"][0]["Gateway"]);
        // The host's end, which tcpdump(8) takes.
        host.sh(&format!("ip link show dev {}", on["EndpointID"].as_str().unwrap())).ok().stdout_has("master br");
    }
    assert_eq!(red["DNSNames"], json!(["a", "db", &id[..12], "front"]));
    assert_eq!((&red["Aliases"], &settings["Networks"]["blue"]["Aliases"]), (&json!(["db"]), &Value::Null));
    assert_eq!((&red["GwPriority"], &settings["Networks"]["blue"]["GwPriority"]), (&json!(0), &json!(-1)));
    assert!(red["GlobalIPv6Address"].as_str().unwrap().starts_with("fd") && red["GlobalIPv6PrefixLen"] == 64, "{red}");
    assert_eq!((&settings["EndpointID"], &settings["IPAddress"]), (&red["EndpointID"], &red["IPAddress"]));
    let key = settings["SandboxKey"].as_str().unwrap();
    host.sh(&format!("nsenter --net={key} cat /proc/net/dev")).ok().stdout_has("eth1");
    host.sh(&format!("ip netns exec {} true", settings["SandboxID"].as_str().unwrap())).ok();
    let exposed = json!({"80/tcp": {}, "53/udp": {}, "7000/tcp": {}, "7001/tcp": {}});
    assert_eq!(shown["Config"]["ExposedPorts"], exposed);
    for (key, value) in [
        ("Dns", json!(["192.0.2.1"])),
        ("DnsSearch", json!(["example.org"])),
        ("DnsOptions", json!(["timeout:1"])),
        ("ExtraHosts", json!(["up:192.0.2.2", "six:2001:db8::1"])),
        ("GroupAdd", json!(["5", "6"])),
        ("Sysctls", json!({"net.ipv4.ip_forward": "1"})),
        ("Tmpfs", json!({"/t": "size=1m,exec", "/u": ""})),
        ("PublishAllPorts", json!(false)),
        ("VolumesFrom", Value::Null),
        ("DeviceCgroupRules", Value::Null),
        ("NetworkMode", json!("red")),
    ] {
        assert_eq!(host_config[key], value, "{key}");
    }
    let ip = |network: &str| settings["Networks"][network]["IPAddress"].as_str().unwrap().to_owned();
    for (template, text) in [
        ("{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}", format!("{} {} ", ip("blue"), ip("red"))),
        ("{{(index (index .NetworkSettings.Ports \"80/tcp\") 0).HostPort}}", "8080".to_owned()),
        ("{{json .NetworkSettings.Ports}}", settings["Ports"].to_string()),
        ("{{.HostConfig.NetworkMode}} {{.HostConfig.RestartPolicy.Name}}", "red no".to_owned()),
        ("{{.Config.ExposedPorts}}", "map[53/udp:map[] 7000/tcp:map[] 7001/tcp:map[] 80/tcp:map[]]".to_owned()),
        ("{{.HostConfig.Mounts}} {{.HostConfig.StorageOpt}}", "[] map[]".to_owned()),
    ] {
        host.cmd("ctr", &["inspect", "-f", template, "a"]).run().ok().stdout_is(&format!("{text}\n"));
    }
    // What does not run has no end, and its networks yet.
    host.sh("ctr stop -t 0 a").ok();
    let stopped = host.sh("ctr inspect a").ok().json()[0]["NetworkSettings"]["Networks"]["red"].clone();
    assert_eq!(
        (&stopped["EndpointID"], &stopped["IPAddress"], &stopped["NetworkID"]),
        (&json!(""), &json!(""), &red["NetworkID"])
    );
    // On the default network nobody is found by a name, and the servers are the container's own; a network that is gone
    // has no id.
    host.sh("ctr rm a; ctr run -d --name b --dns 192.0.2.9 busybox sleep 1000").ok();
    let shown = host.sh("ctr inspect b").ok().json()[0].clone();
    assert_eq!(shown["NetworkSettings"]["Networks"]["bridge"]["DNSNames"], Value::Null);
    assert_eq!(
        (&shown["HostConfig"]["Dns"], &shown["HostConfig"]["ExtraHosts"]),
        (&json!(["192.0.2.9"]), &Value::Null)
    );
    host.sh("mv $CTR_ROOT/networks/bridge.json away").ok();
    host.sh("ctr inspect -f '.{{.NetworkSettings.Networks.bridge.NetworkID}}.' b").ok().stdout_is("..\n");
    host.sh("mv away $CTR_ROOT/networks/bridge.json; ctr rm -f b; ctr network rm red blue").ok();
    nothing_is_left(&host);
}

fn networks_do_not_reach_each_other() {
    let host = host();
    let outside = Outside::of(&host);
    for name in ["red", "blue", "free", "open"] {
        let options = if matches!(name, "free" | "open") { "-o isolate=false" } else { "" };
        host.sh(&format!("ctr network create {options} {name}")).ok();
    }
    for (name, network) in [("a", "red"), ("b", "red"), ("c", "blue"), ("d", "free"), ("e", "open")] {
        server(&host, name, &format!("--network {network}"));
    }
    let reach =
        |from: &str, to: &str| host.sh(&format!("ctr exec {from} {}", get_inside(&address(&host, to)))).status == 0;
    assert!(reach("a", "b") && reach("b", "a"));
    for (from, to) in [("a", "c"), ("c", "a"), ("a", "d"), ("d", "a")] {
        assert!(!reach(from, to), "{from} reaches {to}");
    }
    assert!(reach("d", "e") && reach("e", "d"));
    // What is published is for everybody.
    server(&host, "f", "--network blue -p 8080:80");
    host.sh(&format!("ctr exec a {}", get_inside(&format!("{HOST}:8080")))).ok();
    outside.sh(&host, &get(&format!("{HOST}:8080"))).ok();
    let shown = host.sh("ctr network inspect red").ok().json();
    let shown = if shown.is_array() { shown[0].clone() } else { shown };
    let names: Vec<_> =
        shown["Containers"].as_object().unwrap().values().map(|c| c["Name"].as_str().unwrap()).collect();
    assert_eq!(names, ["a", "b"], "{shown}");
    host.sh("ctr network rm red").fails(1).stderr_has("network red is in use: container a (");
    host.sh("ctr rm -f a b c d e f").ok();
    host.sh("ctr network rm red").ok().stdout_is("red\n");
    host.sh("ls $CTR_ROOT/addresses").ok().stdout_is("blue\nfree\nopen\n");
    host.sh("ctr network prune </dev/null").exits(1).stderr_has("all custom networks").stderr_has("--force");
    host.sh("echo n | ctr network prune").exits(1).stderr_has("not confirmed");
    host.sh("echo y | ctr network prune").succeeds().stdout_is("Deleted Networks:\nblue\nfree\nopen\n\n");
    assert_eq!(host.tool("ctr-network", &["prune", "-f"]).ok().json(), json!({"NetworksDeleted": []}));
    host.sh("ctr network prune -f").ok().stdout_is("");
    for kind in ["volume", "container", "image"] {
        host.sh(&format!("ctr {kind} prune -f")).ok().stdout_is("Total reclaimed space: 0B\n");
    }
    assert_eq!(host.sh("ctr network ls -q; ls $CTR_ROOT/addresses").ok().text(), "");
    nothing_is_left(&host);
    // One that cannot be looked at stays, and does not keep the others.
    host.sh("for n in red green blue; do ctr network create $n; done && echo >$CTR_ROOT/addresses/green").succeeds();
    let ran = host.tool("ctr-network", &["prune", "-f"]).exits(1).stderr_has("addresses/green");
    assert_eq!(ran.json(), json!({"NetworksDeleted": ["blue", "red"]}));
    host.sh("rm $CTR_ROOT/addresses/green && ctr network rm green").ok();
    host.tool("net-attach", &["--gc"]).ok();
    assert_eq!(kernel(&host), "");
}

fn internal_and_secluded_ones() {
    let host = host();
    let outside = Outside::of(&host);
    outside.sh(&host, "mkdir www; echo world >www/hostname; busybox httpd -p 80 -h www").ok();
    host.sh("ctr network create --internal in && ctr network create -o icc=false alone").ok();
    server(&host, "a", "--network in");
    server(&host, "b", "--network in");
    host.sh(&format!("ctr exec a {}", get_inside(&address(&host, "b")))).ok();
    host.sh(&format!("ctr exec a {}", get_inside(OUTSIDE))).exits(1);
    // Not even where it makes itself a way.
    let pid = host.tool("ctr-inspect", &["a"]).ok().json()["state"]["pid"].as_i64().unwrap();
    let gateway = host.sh("ctr-network inspect in | jq -r '.IPAM.Config[0].Gateway'").ok().text();
    host.sh(&format!("nsenter -t {pid} -n ip route add default via {gateway}")).ok();
    host.sh(&format!("ctr exec a {}", get_inside(OUTSIDE))).exits(1);
    host.sh("ctr run --rm --network in -p 80:80 busybox true").fails(125).stderr_has("network in is internal");
    server(&host, "c", "--network alone");
    server(&host, "d", "--network alone");
    let (c, d) = (address(&host, "c"), address(&host, "d"));
    host.sh(&format!("ctr exec c {}", get_inside(OUTSIDE))).ok();
    host.sh(&format!("ctr exec c {}", get_inside(&d))).exits(1);
    // Nor through the host.
    let pid = host.tool("ctr-inspect", &["c"]).ok().json()["state"]["pid"].as_i64().unwrap();
    host.sh(&format!("nsenter -t {pid} -n ip route add {d} via $(echo {c} | sed 's/[0-9]*$/1/')")).ok();
    host.sh(&format!("ctr exec c {}", get_inside(&d))).exits(1);
    host.sh("ctr rm -f a b c d && ctr network rm in alone").ok();
    nothing_is_left(&host);
}

fn definitions_are_checked() {
    let host = host();
    let _outside = Outside::of(&host);
    let id = host
        .sh("ctr network create --subnet 10.7.0.0/24 --gateway 10.7.0.254 --ip-range 10.7.0.128/30 --label a=b \
                      --aux-address router=10.7.0.129 -o mtu=1300 web")
        .ok()
        .text();
    assert_eq!(id.trim().len(), 64);
    host.sh("ctr network ls").ok().stdout_has(&format!("{}   web", &id[..12])).stdout_has("bridge");
    host.sh("ctr network ls -q -f label=a=b").ok().stdout_is(&format!("{}\n", &id[..12]));
    host.sh("ctr network ls -q -f label=a=c").ok().stdout_is("");
    for (args, code, part) in [
        ("web", "exists", "web is there already"),
        ("--subnet 10.7.0.128/25 x", "exists", "overlaps 10.7.0.0/24 of network web"),
        ("--subnet 198.51.100.0/25 x", "exists", "a route of the host"),
        ("--subnet nonsense x", "invalid", "invalid subnet"),
        ("--subnet 10.8.0.0/16 --gateway 10.9.0.1 x", "invalid", "no host of subnet"),
        ("--gateway 10.9.0.1 x", "invalid", "parts of a --subnet"),
        ("--subnet 10.8.0.0/16 --aux-address r=10.9.0.1 x", "invalid", "r=10.9.0.1 is in no --subnet"),
        ("--subnet 10.8.0.0/16 --aux-address 10.8.0.9 x", "invalid", "not NAME=ADDRESS"),
        ("--subnet 10.8.0.0/16 --aux-address r=10.8.0.1 x", "invalid", "r=10.8.0.1 is the gateway of 10.8.0.0/16"),
        ("--subnet 10.8.0.0/16 --gateway 10.8.0.9 --aux-address r=10.8.0.9 x", "invalid", "is the gateway of"),
        ("-d nonsense x", "unsupported", "not there"),
        ("--subnet 10.8.0/16 x", "invalid", "\"10.8.0\" is not an address"),
        ("none", "invalid", "--network none means loopback alone"),
        ("host", "invalid", "--network host means the host's own interfaces"),
        (&"x".repeat(300), "invalid", "it has 300 bytes, and 128 is the most"),
        ("../x", "invalid", "invalid name"),
    ] {
        let ran = host.sh(&format!("ctr-network create {args}"));
        ran.fails(1).stderr_has(part);
        assert!(!code.is_empty());
    }
    host.sh("ctr network rm absent").fails(1).stderr_has("no network absent");
    host.sh("ctr network rm -f absent").ok();
    host.sh("ctr network inspect host").fails(1).stderr_has("--network host means the host's own interfaces");
    // The range has four addresses, one is a router's, the rest are for those who name one.
    let doc = json!({"ctr": 1});
    let attach = |args: &[&str]| host.pipe_to(&doc, "net-attach", &[&["--network", "web"], args].concat());
    for n in [128, 130, 131] {
        let doc = attach(&[]).ok().json();
        assert_eq!(
            doc["net"]["ips"][0],
            json!({"address": format!("10.7.0.{n}/24"), "gateway": "10.7.0.254", "interface": 2})
        );
        assert_eq!(doc["net"]["interfaces"][2]["mtu"], 1300);
    }
    attach(&[]).fails(1).code("limit").stderr_has("no free address in 10.7.0.128/30");
    let named = attach(&["--ip", "10.7.0.9", "--mac-address", "02:00:00:00:00:09"]).ok().json();
    assert_eq!(named["net"]["interfaces"][2]["mac"], "02:00:00:00:00:09");
    schema::assert_valid(std::slice::from_ref(&named));
    for (ip, code) in [
        ("10.7.0.9", "exists"),
        ("10.7.0.129", "exists"),
        ("10.7.0.254", "exists"),
        ("10.7.0.255", "invalid"),
        ("10.7.1.1", "invalid"),
    ] {
        attach(&["--ip", ip]).fails(1).code(code);
    }
    host.sh("ctr network rm web").fails(1).stderr_has("in use");
}

fn the_default_one_goes_after_its_last() {
    let host = host();
    let gc = || host.tool("net-attach", &["--gc"]).ok().text();
    host.sh("ctr run --name web -p 8080:80 busybox true").ok();
    let before = kernel(&host);
    assert!(before.starts_with("br") && before.contains("table inet ctr"), "{before}");
    // It has its address, and may start again.
    assert_eq!((gc(), kernel(&host)), (String::new(), before));
    host.sh("ctr rm web").ok();
    let removed = gc();
    assert!(removed.contains("\"removed\":\"link\"") && removed.contains("\"removed\":\"table\""), "{removed}");
    assert_eq!(kernel(&host), "");
    host.sh("cat /proc/sys/net/ipv4/ip_forward").ok().stdout_is("1\n");
    nothing_is_left(&host);
}

fn a_torn_record_is_its_own_affair() {
    let host = host();
    let _outside = Outside::of(&host);
    host.sh("ctr network create x && ctr network create --internal y && ctr network create z").succeeds();
    server(&host, "web", "--network x");
    server(&host, "other", "--network z");
    let rules = kernel(&host);
    host.sh("cp $CTR_ROOT/networks/x.json x.json && echo bar >$CTR_ROOT/networks/x.json").succeeds();
    let torn = "the record of network x is torn";
    // Others are made, listed, removed, with a warning.
    host.sh("ctr network ls --format '{{.Name}}'").succeeds().stdout_is("y\nz\n").stderr_has(torn);
    host.sh("ctr run --rm --network z busybox true").succeeds();
    // The kernel takes the veth of that one away a moment later.
    let veths = "until test $(ip -br link show type veth | grep -vc '^up') = 2; do sleep 0.02; done";
    host.sh_cmd(veths).limit(20).run().succeeds();
    host.sh("net-attach --gc").succeeds().stdout_is("").stderr_has(torn);
    assert_eq!(kernel(&host), rules, "who runs on it is as closed as before");
    host.sh("ctr exec web true").succeeds();
    for to in ["web", "other"] {
        let from = if to == "web" { "other" } else { "web" };
        host.sh(&format!("ctr exec {from} {}", get_inside(&address(&host, to)))).exits(1);
    }
    // The table made anew knows nothing of it, and lets nothing through.
    let table = host.sh("nft list tables").ok().text();
    host.sh(&format!("nft delete {} && net-attach --gc", table.trim())).succeeds();
    host.sh(&format!("ctr exec other {}", get_inside(&address(&host, "web")))).exits(1);
    host.sh(&format!("ctr exec web {}", get_inside(&address(&host, "other")))).exits(1);
    host.sh("ctr network prune -f").succeeds().stdout_has("y").stderr_has(torn);
    host.sh("ctr system prune -f").succeeds();
    host.sh("ctr network create x").fails(1).stderr_has("x is there already");
    // On it nobody comes.
    host.sh("ctr run --rm --network x busybox true")
        .fails(125)
        .stderr_has(torn)
        .stderr_has("(ctr network rm x takes it away)");
    host.sh("ctr network rm x")
        .fails(1)
        .stderr_has("in use: container web")
        .stderr_has("(ctr network disconnect -f x web)");
    host.sh("ctr network disconnect -f x web").succeeds();
    host.sh("ctr network rm x").succeeds().stdout_is("x\n").stderr_has(torn);
    host.sh("ctr network create x && ctr network connect x web").ok();
    host.sh("ctr network rm x").fails(1).stderr_has("(ctr network disconnect x web)");
    host.sh("ctr rm -f web other && ctr network rm x z").ok();
    // The default one is made anew.
    host.sh("ctr run --rm busybox true && ctr network rm bridge").fails(1).stderr_has("is the default one, and stays");
    host.sh("printf '\\377' >$CTR_ROOT/networks/bridge.json && ctr network rm bridge && ctr run --rm busybox true")
        .succeeds()
        .stdout_is("bridge\n");
    nothing_is_left(&host);
}

/// No file, or on a bad block: the same as torn.
fn a_record_that_cannot_be_read() {
    let host = Host::with_own_net();
    host.sh("mkdir -p $CTR_ROOT/containers && ctr-network create x && ctr-network create z").succeeds();
    let attach = |network: &str| host.pipe_to(&json!({"ctr": 1}), "net-attach", &["--network", network]);
    host.sh("cd $CTR_ROOT/networks && mv x.json ../x && mkdir x.json && touch x.json/own").ok();
    let told = "x.json: Is a directory (ctr network rm x takes it away)";
    let listed = host.tool("ctr-network", &["ls"]).succeeds().stderr_has(told);
    assert_eq!(
        (listed.json()["Name"].as_str(), String::from_utf8_lossy(&listed.stderr).lines().count()),
        (Some("z"), 1)
    );
    host.tool("net-attach", &["--gc"]).succeeds().stderr_has(told);
    let doc = attach("z").succeeds().json();
    attach("x").fails(1).code("corrupt").stderr_has(told);
    host.tool("ctr-network", &["create", "x"]).fails(1).stderr_has("x is there already");
    host.tool("ctr-network", &["create", "y"]).succeeds().stderr_has(told);
    // What somebody keeps there is not thrown away.
    host.tool("ctr-network", &["rm", "x"]).fails(1).stderr_has("x.json: Directory not empty");
    host.sh("rm $CTR_ROOT/networks/x.json/own && ctr-network rm x")
        .succeeds()
        .stdout_is("x\n")
        .stderr_has("Is a directory");
    host.sh("mv $CTR_ROOT/x $CTR_ROOT/networks/x.json && ctr-network ls >/dev/null").ok();
    let bad = |line: &str| {
        host.sh(&format!(
            "exec strace -f -o /dev/null -P $CTR_ROOT/networks/x.json -e trace=read -e inject=read:error=EIO {line}"
        ))
    };
    bad("ctr-network ls").succeeds().stderr_has("x.json: Input/output error").stdout_has("\"Name\":\"z\"");
    bad("net-attach --gc").succeeds().stderr_has("x.json: Input/output error");
    host.pipe_to(&doc, "net-attach", &["--undo"]).ok();
    host.sh("ctr-network rm x y z && net-attach --gc").succeeds();
    nothing_is_left(&host);
}

/// docker's `enable_ip_masquerade`.
fn what_leaves_by_its_own_address() {
    let host = host();
    let outside = Outside::of(&host);
    outside.sh(&host, "mkdir www && echo world >www/hostname").ok();
    let _server = outside.cmd(&host, "exec busybox httpd -f -vv -p 80 -h www 2>log").spawn();
    let off = "-o com.docker.network.bridge.enable_ip_masquerade=false";
    host.sh(&format!(
        "ctr network create {off} --subnet 10.7.0.0/24 own && ctr network create --subnet 10.6.0.0/24 other"
    ))
    .succeeds();
    outside.sh(&host, &format!("ip route add 10.7.0.0/24 via {HOST}")).ok();
    for (name, sees) in [("own", "10.7.0.2"), ("other", HOST)] {
        let ask = format!("until {}; do sleep 0.05; done", get_inside(OUTSIDE));
        let run = format!("ctr run --rm --network {name} busybox sh -c '{}'", ask.replace('\'', "'\\''"));
        host.sh_cmd(&run).limit(30).run().succeeds().stdout_is("world\n");
        host.sh("cat log").ok().stdout_has(&format!("{sees}]:"));
    }
    assert!(!host.sh("cat log").ok().text().contains("10.6.0.2"));
    host.sh("ctr network rm own other").ok();
    nothing_is_left(&host);
}

/// docker's `host_binding_ipv4`.
fn ports_of_the_networks_address() {
    let host = host();
    let outside = Outside::of(&host);
    host.sh("ctr network create -o com.docker.network.bridge.host_binding_ipv4=127.0.0.1 near").ok();
    server(&host, "web", "--network near -p 8080:80 -p 0.0.0.0:8081:80");
    host.sh("ctr port add web 8090:80").ok().stdout_is("80/tcp -> 127.0.0.1:8090\n");
    for (port, is_near) in [(8080, true), (8081, false), (8090, true)] {
        host.sh(&get(&format!("127.0.0.1:{port}"))).ok();
        outside.sh(&host, &get(&format!("{HOST}:{port}"))).exits(i32::from(is_near));
    }
    host.sh("ctr restart -t 0 web && ctr-inspect web | net-attach --check >/dev/null").ok();
    host.sh("ctr port web 80 | sort").ok().stdout_is("0.0.0.0:8081\n127.0.0.1:8080\n127.0.0.1:8090\n");
    host.sh("ctr port rm web 8090 && ctr rm -f web && ctr network rm near").succeeds();
    for (option, part) in [
        (
            "com.docker.network.bridge.name=br7",
            "option \"com.docker.network.bridge.name\" of a network of driver bridge: not",
        ),
        ("com.docker.network.bridge.host_binding_ipv4=::1", "option host_binding: not \"::1\""),
    ] {
        host.sh(&format!("ctr network create -o {option} x")).fails(1).stderr_has(part);
    }
    nothing_is_left(&host);
}

/// Eight at a time, each a container of its own.
fn fifty_at_once() {
    let host = host();
    let line = "mkdir docs; seq 50 | xargs -P 8 -I{} sh -c 'echo \"{\\\"ctr\\\":1}\" | net-attach >docs/{}' && \
                cat docs/* | jq -r '.net.ips[0].address' | sort -u | wc -l";
    host.sh_cmd(line).limit(120).run().ok().stdout_is("50\n");
    host.sh("for d in docs/*; do net-attach --check <$d >/dev/null || exit 1; done").ok();
    host.sh("ls docs/* | xargs -P 8 -n 1 net-attach --undo -f >/dev/null").ok();
    nothing_is_left(&host);
}
