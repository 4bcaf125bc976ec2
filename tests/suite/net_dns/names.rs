//! The names that a container finds, and those that it does not.

use super::*;

pub fn tests() -> Vec<Test> {
    tests!("net-dns",
        ["root", "overlay", "umoci", "nft", "ip", "jq"]:
            names_aliases_and_addresses,
            the_programs_of_a_container_find_them,
            of_several_each_is_first_at_times,
            other_networks_are_not_known,
            who_stops_is_gone_and_who_starts_is_there,
            the_default_network_has_no_names,
            a_container_on_two_networks_knows_both,
            who_is_connected_asks_there,
            a_link_is_for_one_alone
    )
}

fn names_aliases_and_addresses() {
    let host = host(&["red"]);
    let id = sleeper(&host, "Web", "--network red --hostname www");
    sleeper_called(&host, "db", "red", r#"["data", "Store"]"#);
    let (web, db) = (address(&host, "Web"), address(&host, "db"));
    let inside = Inside::of(&host, "db");
    for name in ["Web", "web", "WEB", "web.red", "web.RED", &id[..12], "www"] {
        assert_eq!(inside.ask(name, TYPE::A), Answer { found: vec![web.clone()], ..nothing() }, "{name}");
    }
    for name in ["db", "data", "store", "store.red"] {
        assert_eq!(inside.addresses(name), std::slice::from_ref(&db), "{name}");
    }
    // Of a name that is there nothing else is: neither an error nor somebody else's record.
    for kind in [TYPE::AAAA, TYPE::MX, TYPE::TXT, TYPE::HTTPS] {
        assert_eq!(inside.ask("web", kind), nothing(), "{kind:?}");
    }
    let reverse = |address: &str| {
        let parts: Vec<&str> = address.rsplit('.').collect();
        inside.ask(&format!("{}.in-addr.arpa", parts.join(".")), TYPE::PTR)
    };
    assert_eq!(reverse(&web).found, ["Web.red"]);
    assert_eq!(reverse(&db).found, ["db.red"]);
    assert_eq!(reverse("10.90.77.77").rcode, RCODE::NameError);
    assert_eq!(inside.ask_by_tcp("web", TYPE::A).found, [web]);
    // A dot within a label is none between two.
    assert_ne!(inside.ask(r"web\.red", TYPE::A).rcode, RCODE::NoError);
    host.sh("ctr rename db base").ok();
    assert_eq!(inside.addresses("base"), [db]);
    assert_ne!(inside.ask("db", TYPE::A).rcode, RCODE::NoError);
    host.sh("ctr rm -f Web base").ok();
}

fn the_programs_of_a_container_find_them() {
    let host = host(&["red"]);
    sleeper(&host, "web", "--network red");
    // With its first query at once.
    host.sh("ctr run --rm --network red busybox ping -c 1 -W 3 web").ok().stdout_has("1 packets received");
    host.sh("ctr run --rm --network red --name other busybox nslookup other").ok().stdout_has("Address: 10.90.0.");
    host.sh("ctr run --rm --network red busybox cat /etc/resolv.conf").ok().stdout_has("nameserver 10.90.0.1\n");
    host.sh("ctr run --rm --network red busybox cat /etc/resolv.conf").ok().stdout_has("ndots:0");
    host.sh(&format!("ctr exec web nslookup {}", address(&host, "web"))).ok().stdout_has("name = web.red");
    host.sh("ctr rm -f web").ok();
}

fn of_several_each_is_first_at_times() {
    let host = host(&["red"]);
    for name in ["a", "b", "c"] {
        sleeper_called(&host, name, "red", r#"["all"]"#);
    }
    let inside = Inside::of(&host, "a");
    let mut all: Vec<String> = ["a", "b", "c"].iter().map(|name| address(&host, name)).collect();
    all.sort();
    let mut first = std::collections::BTreeSet::new();
    for _ in 0..200 {
        let mut found = inside.ask("all", TYPE::A).found;
        first.insert(found[0].clone());
        found.sort();
        assert_eq!(found, all);
    }
    assert_eq!(first.into_iter().collect::<Vec<_>>(), all);
    host.sh("ctr stop -t 0 b").ok();
    assert_eq!(inside.addresses("all").len(), 2);
    host.sh("ctr rm -f a b c").ok();
}

fn other_networks_are_not_known() {
    let host = host(&["red", "blue"]);
    sleeper(&host, "web", "--network red");
    sleeper(&host, "db", "--network blue");
    sleeper(&host, "plain", "");
    let (red, blue) = (Inside::of(&host, "web"), Inside::of(&host, "db"));
    assert_eq!(red.addresses("web").len(), 1);
    for name in ["db", "db.blue", "web.blue", "plain", "plain.bridge"] {
        assert_ne!(red.ask(name, TYPE::A).rcode, RCODE::NoError, "{name}");
    }
    let reverse = address(&host, "db").rsplit('.').collect::<Vec<_>>().join(".");
    assert_ne!(red.ask(&format!("{reverse}.in-addr.arpa"), TYPE::PTR).rcode, RCODE::NoError);
    // The resolver of another network does not answer at all, nor does any on the default one; nor the host's own way.
    let stray = Inside { net: blue.net.clone(), server: red.server };
    assert_eq!(stray.try_ask("web", TYPE::A), None);
    let stray = Inside { net: host.net().clone(), server: red.server };
    assert_eq!(stray.try_ask("web", TYPE::A), None);
    // An address of the network that no container has asks for nothing.
    let pid = host.tool("ctr-inspect", &["web"]).ok().json()["state"]["pid"].as_i64().unwrap();
    host.sh(&format!(
        "nsenter -t {pid} -n sh -c 'ip addr add 10.90.0.99/16 dev eth0; ip addr del {}/16 dev eth0; \
                      ip addr add 10.90.0.99/16 dev eth0' 2>/dev/null || true",
        address(&host, "web")
    ))
    .succeeds();
    assert_eq!(red.try_ask("web", TYPE::A), None);
    host.sh("ctr rm -f web db plain").ok();
}

fn who_stops_is_gone_and_who_starts_is_there() {
    let host = host(&["red"]);
    sleeper(&host, "web", "--network red");
    let inside = Inside::of(&host, "web");
    // Again and again: what was kept of before must not answer.
    for _ in 0..5 {
        sleeper(&host, "db", "--network red");
        assert_eq!(inside.addresses("db"), [address(&host, "db")]);
        host.sh("ctr stop -t 0 db").ok();
        assert_ne!(inside.ask("db", TYPE::A).rcode, RCODE::NoError);
        host.sh("ctr start db").ok();
        assert_eq!(inside.addresses("db"), [address(&host, "db")]);
        host.sh("ctr rm -f db").ok();
        assert_ne!(inside.ask("db", TYPE::A).rcode, RCODE::NoError);
    }
    host.sh("ctr rm -f web").ok();
}

fn the_default_network_has_no_names() {
    let host = host(&[]);
    sleeper(&host, "web", "--dns 192.0.2.1");
    let doc = host.tool("ctr-inspect", &["web"]).ok().json();
    assert_eq!(doc["net"]["dns"]["nameservers"], json!(["192.0.2.1"]));
    assert_eq!(doc["net"].get("upstreams"), None);
    assert!(!host.run().join("dns").exists());
    host.tool("net-dns", &["bridge"]).fails(1).stderr_has("network bridge has no names");
    host.sh("ctr rm -f web").ok();
}

fn a_container_on_two_networks_knows_both() {
    let host = host(&["red", "blue"]);
    sleeper(&host, "web", "--network red --network-alias front");
    sleeper(&host, "db", "--network blue");
    sleeper(&host, "both", "--network red --network name=blue,alias=mid");
    let (web, db, both) = (Inside::of(&host, "web"), Inside::of(&host, "db"), Inside::of(&host, "both"));
    for name in ["web", "front.red", "db", "db.blue", "mid"] {
        assert_eq!(both.addresses(name).len(), 1, "{name}");
    }
    assert_eq!(both.addresses("both").len(), 2);
    let of_blue = db.addresses("mid");
    assert!(of_blue.len() == 1 && of_blue != web.addresses("both"), "{of_blue:?}");
    for name in ["mid", "db", "both.blue"] {
        assert_ne!(web.ask(name, TYPE::A).rcode, RCODE::NoError, "{name}");
    }
    host.sh("ctr rm -f web db both").ok();
}

fn who_is_connected_asks_there() {
    let host = host(&["red"]);
    sleeper(&host, "web", "--network red");
    sleeper(&host, "plain", "--dns 192.0.2.1");
    let servers = || host.sh("ctr exec plain cat /etc/resolv.conf").ok().text();
    assert!(servers().contains("nameserver 192.0.2.1\n"));
    host.sh("ctr network connect --alias p red plain").succeeds();
    assert_eq!(Inside::of(&host, "plain").addresses("web"), [address(&host, "web")]);
    assert_eq!(Inside::of(&host, "web").addresses("p").len(), 1);
    let server = Inside::of(&host, "plain").server.ip();
    assert_eq!(servers().matches("nameserver").count(), 1);
    assert!(servers().contains(&format!("nameserver {server}\n")), "{}", servers());
    // As who begins there asks: a name without a dot is a container's first.
    assert!(servers().contains("options ndots:0\n"), "{}", servers());
    host.sh("ctr network disconnect red plain").succeeds();
    assert!(
        servers().contains("nameserver 192.0.2.1\n") && servers().matches("nameserver").count() == 1,
        "{}",
        servers()
    );
    assert!(!servers().contains("ndots"), "{}", servers());
    assert_ne!(Inside::of(&host, "web").ask("p", TYPE::A).rcode, RCODE::NoError);
    host.sh("ctr rm -f web plain").ok();
}

fn a_link_is_for_one_alone() {
    let host = host(&["red", "blue"]);
    // The other need not be there yet.
    sleeper(&host, "web", "--network red --link db:data --link web:db");
    sleeper(&host, "other", "--network red");
    let (web, other) = (Inside::of(&host, "web"), Inside::of(&host, "other"));
    assert_ne!(web.ask("data", TYPE::A).rcode, RCODE::NoError);
    sleeper(&host, "db", "--network red");
    let db = address(&host, "db");
    for name in ["data", "DATA", "data.red"] {
        assert_eq!(web.addresses(name), std::slice::from_ref(&db), "{name}");
        assert_ne!(other.ask(name, TYPE::A).rcode, RCODE::NoError, "{name}");
    }
    // Not who is called so too; where none has that name, whoever is called so.
    sleeper_called(&host, "second", "red", r#"["db"]"#);
    assert_eq!(web.addresses("data"), std::slice::from_ref(&db));
    assert_eq!(other.addresses("db").len(), 2);
    sleeper_called(&host, "third", "red", r#"["tier"]"#);
    sleeper(&host, "asks", "--network red --link tier:front");
    assert_eq!(Inside::of(&host, "asks").addresses("front"), [address(&host, "third")]);
    host.sh("ctr rm -f second third asks").ok();
    // It stands before another's name.
    assert_eq!((web.addresses("db"), other.addresses("db")), (vec![address(&host, "web")], vec![db]));
    host.sh("ctr exec web ping -c 1 -W 3 data").ok();
    let shown = host.sh("ctr inspect -f '{{json .NetworkSettings.Networks.red.Links}}' web").ok().json();
    assert_eq!(shown, json!(["db:data", "web:db"]));
    // Of a network alone, and as long as it is on that.
    sleeper(&host, "far", "--network blue");
    host.sh("ctr network connect --link far:data blue other").ok();
    assert_eq!(other.addresses("data"), [address(&host, "far")]);
    host.sh("ctr network disconnect blue other").ok();
    assert_ne!(other.ask("data", TYPE::A).rcode, RCODE::NoError);
    // Nor is it mixed with who is called so on its other networks.
    sleeper(&host, "both", "--network name=red --link db:far --network blue");
    let both = Inside::of(&host, "both");
    assert_eq!(both.addresses("far"), [address(&host, "db")]);
    assert_eq!(both.addresses("far.blue"), [address(&host, "far")]);
    host.sh("ctr stop -t 0 db").ok();
    assert_ne!(both.ask("far", TYPE::A).rcode, RCODE::NoError);
    host.sh("ctr rm -f web other db far both").ok();
}
