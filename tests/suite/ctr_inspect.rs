//! ctr-inspect: documents, and docker's shape of them.

use crate::{
    living::{busybox, kill},
    records::{create, edit, lives, process},
};
use ctr_tests::*;
use nix::sys::signal::Signal;

pub fn tests() -> Vec<Test> {
    tests!("ctr-inspect",
        ["root", "overlay", "umoci"]:
            goes_on_after_one_that_is_not_there,
            dockers_shape_of_one_that_ended,
            dockers_shape_of_one_that_runs,
            dockers_shape_of_what_was_asked_for,
            dockers_shape_of_networks;
        ["root", "overlay", "umoci"]:
            dockers_shape_of_one_that_was_never_started
    )
}

fn shape(host: &Host, name: &str) -> Value {
    host.tool("ctr-inspect", &["--docker", name]).ok().json()
}

fn goes_on_after_one_that_is_not_there() {
    let host = busybox();
    create(&host, "a", "");
    let b = create(&host, "b", "");
    host.tool("ctr-inspect", &["a"]).ok();
    let ran = host.tool("ctr-inspect", &["a", "nobody", &b]).fails(1).stderr_has("nobody");
    assert_eq!(ran.jsons().iter().map(|d| d["name"].clone()).collect::<Vec<_>>(), ["a", "b"]);
    schema::assert_valid(&ran.jsons());
    let quiet = host.tool("ctr-inspect", &["--if-any", "nobody", "b"]).exits(3);
    assert!(quiet.stderr.is_empty() && quiet.json()["name"] == "b", "{quiet}");
    // Only of what is not there nothing is said.
    host.sh("echo '{' >$CTR_ROOT/containers/$(readlink $CTR_ROOT/names/a)/document.json").ok();
    host.tool("ctr-inspect", &["--if-any", "nobody", "a", "b"]).fails(1).stderr_has("record");
    // And whoever else is asked answers alone.
    host.tool("ctr-inspect", &["--if-any", "a"]).fails(1).stdout_is("").stderr_has("record");
    assert_eq!(host.sh("ctr-inspect --if-any a 2>/dev/null || img-inspect busybox").ok().jsons().len(), 1);
    // What cannot be told is not taken for absent.
    let ran = host.sh("ctr inspect a nobody").exits(1).stderr_has("record").stderr_has("volume nobody");
    assert_eq!(String::from_utf8_lossy(&ran.stderr).lines().count(), 2, "{ran}");
    host.tool("ctr-inspect", &["--if-any", "b"]).ok();
    host.tool("ctr-inspect", &["-s", "b"]).fails(2);
    // A stage behind has nothing to add.
    schema::assert_valid(&host.tool("ctr-inspect", &["nobody"]).fails(1).code("not-found").jsons());
    host.tool("ctr-inspect", &["--docker", "nobody"]).fails(1).stdout_is("");
    host.sh("img-inspect --document nobody | img-unpack").fails(1).code("not-found").stderr_has("img-inspect: ");
}

fn dockers_shape_of_one_that_ended() {
    let host = busybox();
    host.sh("ctr run --name web -l tier=front -e A=b -w /tmp busybox sh -c 'exit 3'").exits(3);
    let doc = host.tool("ctr-inspect", &["web"]).ok().json();
    let shown = shape(&host, "web");
    assert_eq!((&shown["Id"], &shown["Name"]), (&doc["id"], &json!("/web")));
    assert_eq!((&shown["Path"], &shown["Args"]), (&json!("sh"), &json!(["-c", "exit 3"])));
    let state = &shown["State"];
    assert_eq!((&state["Status"], &state["ExitCode"], &state["Pid"]), (&json!("exited"), &json!(3), &json!(0)));
    assert_eq!((&state["Running"], &state["OOMKilled"]), (&json!(false), &json!(false)));
    assert_eq!((&state["StartedAt"], &state["FinishedAt"]), (&doc["state"]["startedAt"], &doc["state"]["finishedAt"]));
    assert!(state.get("Health").is_none());
    assert_eq!(shown["Image"], doc["image"]["id"]);
    let config = &shown["Config"];
    assert_eq!((&config["Image"], &config["WorkingDir"]), (&json!("busybox"), &json!("/tmp")));
    assert_eq!((&config["Cmd"], &config["Entrypoint"]), (&json!(["sh", "-c", "exit 3"]), &Value::Null));
    assert_eq!(
        (&config["Labels"]["tier"], &config["Tty"], &config["User"]),
        (&json!("front"), &json!(false), &json!(""))
    );
    assert!(config["Env"].as_array().unwrap().contains(&json!("A=b")), "{config}");
    assert_eq!(config["Hostname"], shown["Id"].as_str().unwrap()[..12]);
    let host_config = &shown["HostConfig"];
    assert_eq!(host_config["RestartPolicy"], json!({"Name": "no", "MaximumRetryCount": 0}));
    assert_eq!((&host_config["NetworkMode"], &host_config["Privileged"]), (&json!("none"), &json!(false)));
    assert_eq!((&host_config["CapAdd"], &host_config["AutoRemove"]), (&Value::Null, &json!(false)));
    // Of one in the foreground no log is kept.
    assert_eq!(host_config["LogConfig"], json!({"Type": "none", "Config": {}}));
    assert_eq!((&shown["GraphDriver"]["Name"], &shown["Driver"]), (&json!("overlay"), &json!("overlay")));
    assert_eq!(shown["GraphDriver"]["Data"]["UpperDir"], doc["rootfs"]["upper"]);
    assert_eq!(shown["GraphDriver"]["Data"]["LowerDir"], doc["image"]["layers"][0]["path"]);
    assert!(shown["HostsPath"].as_str().unwrap().ends_with("/hosts") && shown["ResolvConfPath"] == "");
    assert_eq!(
        (&shown["Mounts"], &shown["NetworkSettings"]["Networks"]["none"]["IPAddress"]),
        (&json!([]), &json!(""))
    );
    assert!(shown.get("SizeRw").is_none());
    // What was left out, and what no label says.
    let templates = [
        ("{{.State.Health}} {{if .State.Health}}x{{end}}", "<nil> "),
        ("{{.Config.Labels.none}} {{index .Config.Labels \"none\"}}{{.Config.Labels.tier}}", "<no value> front"),
        ("{{range .Mounts}}{{.Type}} {{.Name}}{{end}}{{.SizeRw}}", "<nil>"),
    ];
    for (template, text) in templates {
        host.cmd("ctr", &["inspect", "-f", template, "web"]).run().ok().stdout_is(&format!("{text}\n"));
    }
    host.cmd("ctr", &["inspect", "-f", "{{.Nope}}", "web"]).run().fails(1).stderr_has("no field .Nope");
    // A template may ask for what docker's users ask for.
    let format = "'{{.State.ExitCode}} {{.HostConfig.RestartPolicy.Name}} {{.Config.Image}}'";
    host.sh(&format!("ctr-inspect --docker web | ctr-fmt {format}")).ok().stdout_is("3 no busybox\n");
}

fn dockers_shape_of_one_that_runs() {
    let host = busybox();
    let run = host.cmd("ctr", &["run", "--name", "web", "-u", "nobody", "busybox", "sleep", "6401"]).spawn();
    let pid = host.process("sleep 6401");
    let shown = shape(&host, "web");
    assert_eq!((&shown["State"]["Status"], &shown["State"]["Running"]), (&json!("running"), &json!(true)));
    assert_eq!((&shown["State"]["Pid"], &shown["State"]["ExitCode"]), (&json!(pid), &json!(0)));
    assert_eq!(shown["State"]["FinishedAt"], "0001-01-01T00:00:00Z");
    assert_eq!(shown["Config"]["User"], "65534:65534");
    // A network namespace of its own that nothing keeps.
    let settings = &shown["NetworkSettings"];
    assert_eq!((&settings["SandboxKey"], &settings["SandboxID"]), (&json!(format!("/proc/{pid}/ns/net")), &json!("")));
    kill(pid, Signal::SIGKILL);
    run.wait().exits(137);
}

fn dockers_shape_of_what_was_asked_for() {
    let host = busybox();
    let flags = "--cap-add NET_ADMIN --cap-drop CHOWN --read-only --security-opt no-new-privileges --stop-signal QUIT \
        --ulimit nofile=10:20 --oom-score-adj 7 --network host --pid host --init";
    host.sh(&format!("ctr run --name a {flags} busybox true")).ok();
    let id = shape(&host, "a")["Id"].as_str().unwrap().to_owned();
    let sleep = process(&host);
    let log = json!([{"start": "2026-01-01T00:00:00Z", "end": "2026-01-01T00:00:01Z", "exitCode": 1, "output": "no"}]);
    lives(
        &host,
        &id,
        sleep.pid(),
        json!({"status": "paused", "startedAt": "2026-01-01T00:00:00Z", "restartCount": 4, "oomKilled": true,
            "health": {"status": "unhealthy", "failingStreak": 3, "log": log}}),
    );
    edit(&host, &id, |doc| {
        doc["supervise"] = json!({"restart": {"policy": "on-failure", "max": 5}, "log": {"maxSize": 1000, "maxFile": 2},
            "stopTimeout": 20, "stdin": true, "remove": true,
            "health": {"test": ["CMD-SHELL", "true"], "interval": 1, "timeout": 2, "startPeriod": 3,
                "startInterval": 4, "retries": 5}});
        doc["spec"]["linux"]["resources"]["memory"] = json!({"limit": 1_048_576, "swap": -1});
        doc["spec"]["linux"]["resources"]["cpu"] = json!({"quota": 150_000, "period": 100_000});
        doc["image"]["config"]["config"]["Entrypoint"] = json!(["true"]);
    });
    let shown = shape(&host, "a");
    let state = &shown["State"];
    assert_eq!((&state["Status"], &state["Running"], &state["Paused"]), (&json!("paused"), &json!(true), &json!(true)));
    assert_eq!((&state["Pid"], &state["OOMKilled"]), (&json!(sleep.pid()), &json!(true)));
    assert_eq!((&state["Health"]["Status"], &state["Health"]["FailingStreak"]), (&json!("unhealthy"), &json!(3)));
    assert_eq!(state["Health"]["Log"][0]["Output"], "no");
    assert_eq!(shown["RestartCount"], 4);
    let host_config = &shown["HostConfig"];
    assert_eq!(host_config["RestartPolicy"], json!({"Name": "on-failure", "MaximumRetryCount": 5}));
    let log = json!({"Type": "json-file", "Config": {"max-file": "2", "max-size": "1000"}});
    assert_eq!((&host_config["AutoRemove"], &host_config["LogConfig"]), (&json!(true), &log));
    let caps = (&json!(["CAP_NET_ADMIN"]), &json!(["CAP_CHOWN"]));
    assert_eq!((&host_config["CapAdd"], &host_config["CapDrop"]), caps);
    assert_eq!((&host_config["ReadonlyRootfs"], &host_config["Init"]), (&json!(true), &json!(true)));
    assert_eq!((&host_config["NetworkMode"], &host_config["PidMode"]), (&json!("host"), &json!("host")));
    assert_eq!(host_config["SecurityOpt"], json!(["no-new-privileges"]));
    assert_eq!(host_config["Ulimits"], json!([{"Name": "nofile", "Soft": 10, "Hard": 20}]));
    assert_eq!((&host_config["Memory"], &host_config["MemorySwap"]), (&json!(1_048_576), &json!(-1)));
    assert_eq!((&host_config["NanoCpus"], &host_config["OomScoreAdj"]), (&json!(1_500_000_000), &json!(7)));
    let config = &shown["Config"];
    assert_eq!((&config["Entrypoint"], &config["Cmd"]), (&json!(["true"]), &Value::Null));
    assert_eq!((&config["StopSignal"], &config["StopTimeout"]), (&json!("QUIT"), &json!(20)));
    assert_eq!((&config["OpenStdin"], &config["Healthcheck"]["Retries"]), (&json!(true), &json!(5)));
    let given =
        "--device /dev/null:/dev/mine:rw --device-cgroup-rule 'c 42:* rwm' --storage-opt size=64m -v /srv:/s:ro";
    host.sh(&format!("ctr run --name c {given} busybox true")).ok();
    let given = &shape(&host, "c")["HostConfig"];
    assert_eq!(
        (&given["DeviceCgroupRules"], &given["Devices"][0]["PathInContainer"]),
        (&json!(["c 42:* rwm"]), &json!("/dev/mine"))
    );
    assert_eq!((&given["StorageOpt"], &given["Binds"]), (&json!({"size": "67108864"}), &json!(["/srv:/s:ro"])));
    host.sh("ctr run --name b --privileged busybox true").ok();
    let privileged = &shape(&host, "b")["HostConfig"];
    assert_eq!((&privileged["Privileged"], &privileged["CapAdd"]), (&json!(true), &Value::Null));
    assert_eq!((&privileged["CapDrop"], &privileged["SecurityOpt"]), (&Value::Null, &Value::Null));
}

fn dockers_shape_of_networks() {
    let host = busybox();
    let id = create(&host, "a", "");
    edit(&host, &id, |doc| {
        doc["image"]["config"]["config"]["ExposedPorts"] = json!({"443/tcp": {}});
        doc["net"] = json!({"cniVersion": "1.1.0", "netns": "/run/netns/x",
            "interfaces": [{"name": "veth0", "mac": "02:00:00:00:00:01"},
                {"name": "eth0", "mac": "02:00:00:00:00:02", "sandbox": "/run/netns/x"}],
            "ips": [{"address": "10.88.0.5/16", "gateway": "10.88.0.1", "interface": 1},
                {"address": "fd00::5/64", "gateway": "fd00::1", "interface": 1}],
            "ports": [{"hostPort": 8080, "containerPort": 80, "protocol": "tcp", "hostIP": "127.0.0.1"}]});
    });
    let bindings = json!([{"HostIp": "127.0.0.1", "HostPort": "8080"}]);
    let shown = shape(&host, "a");
    // What does not run is reached by nobody, but what it asks for is known.
    let addresses = |shown: &Value| {
        let settings = &shown["NetworkSettings"];
        (settings["Ports"].clone(), settings["IPAddress"].clone(), settings["Networks"]["bridge"]["Gateway"].clone())
    };
    assert_eq!(addresses(&shown), (json!({}), json!(""), json!("")));
    assert_eq!(shown["HostConfig"]["PortBindings"], json!({"80/tcp": bindings}));
    let sleep = process(&host);
    lives(&host, &id, sleep.pid(), json!({"status": "running", "startedAt": "2026-01-01T00:00:00Z"}));
    let shown = shape(&host, "a");
    assert_eq!(shown["Config"]["ExposedPorts"], json!({"80/tcp": {}, "443/tcp": {}}));
    let ports = json!({"80/tcp": bindings, "443/tcp": null});
    assert_eq!(addresses(&shown), (ports, json!("10.88.0.5"), json!("10.88.0.1")));
    let bridge = &shown["NetworkSettings"]["Networks"]["bridge"];
    assert_eq!((&bridge["GlobalIPv6Address"], &bridge["IPv6Gateway"]), (&json!("fd00::5"), &json!("fd00::1")));
    assert_eq!((&bridge["IPPrefixLen"], &bridge["MacAddress"]), (&json!(16), &json!("02:00:00:00:00:02")));
    let listed = host.sh("ctr-ls | ctr-fmt --view container '{{.Ports}} {{.Networks}}'").ok();
    listed.stdout_is("443/tcp, 127.0.0.1:8080->80/tcp bridge\n");
}

fn dockers_shape_of_one_that_was_never_started() {
    let host = busybox();
    create(&host, "a", "");
    let shown = shape(&host, "a");
    assert_eq!((&shown["State"]["Status"], &shown["State"]["ExitCode"]), (&json!("created"), &json!(0)));
    assert_eq!(shown["State"]["StartedAt"], "0001-01-01T00:00:00Z");
    assert_eq!((&shown["Path"], &shown["Args"]), (&json!(""), &json!([])));
    assert_eq!((&shown["HostConfig"]["CapDrop"], &shown["Config"]["Cmd"]), (&Value::Null, &Value::Null));
    assert_eq!(shown["HostConfig"]["LogConfig"]["Type"], "none");
}
