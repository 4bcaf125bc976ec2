//! ctr-stop: the stop signal, the wait, KILL, and who else has to end.

use crate::living::*;
use ctr_tests::*;
use nix::sys::signal::Signal;
use std::time::Duration;

pub fn tests() -> Vec<Test> {
    tests!("ctr-stop",
        ["root", "overlay", "umoci", "busybox"]:
            asks_and_the_end_is_recorded,
            a_deaf_pid_1_is_warned_of_and_killed,
            the_signal_is_the_flags_or_the_containers,
            all_are_stopped_at_once,
            a_paused_container_is_thawed,
            one_that_goes_with_its_end_is_stopped;
        []:
            what_does_not_run_is_stopped,
            unknown_ones_do_not_stop_the_others,
            the_timeout_is_the_flags_or_the_containers,
            a_supervisor_that_waits_gives_up,
            a_supervisor_is_awaited
    )
}

fn asks_and_the_end_is_recorded() {
    let host = busybox();
    let run = web(&host, &["--init"], "touch /up; exec sleep 6201");
    host.tool("ctr-stop", &["web"]).ok().stdout_is("web\n");
    // It is not the next look that finds it ended.
    let state = state(&host, "web");
    assert_eq!((&state["status"], &state["exitCode"]), (&json!("stopped"), &json!(143)));
    run.wait().exits(143);
    let stop = events(&host, "stop");
    assert_eq!((stop.len(), &stop[0]["name"]), (1, &json!("web")));
    host.tool("ctr-stop", &["web"]).ok().stdout_is("web\n");
    assert_eq!(events(&host, "stop").len(), 1);
    host.tool("ctr-rm", &["web"]).ok();
    host.assert_clean();
}

fn a_deaf_pid_1_is_warned_of_and_killed() {
    let host = busybox();
    let run = web(&host, &[], "touch /up; exec sleep 6202");
    host.process("sleep 6202");
    let stop = host.tool("ctr-stop", &["-t", "1", "web"]).succeeds().stdout_is("web\n");
    let stop = stop.stderr_has("no handler for SIGTERM").stderr_has("after 1 s").stderr_has("--init");
    assert!(stop.took >= Duration::from_secs(1), "{stop}");
    run.wait().exits(137);
    host.tool("ctr-rm", &["web"]).ok();
    // Of KILL and of a wait of no length there is nothing to say.
    for args in [&["-s", "KILL", "web"], &["--time", "0", "web"]] {
        let run = web(&host, &[], "touch /up; exec sleep 6203");
        host.process("sleep 6203");
        host.tool("ctr-stop", args).ok();
        run.wait().exits(137);
        host.tool("ctr-rm", &["web"]).ok();
    }
}

fn the_signal_is_the_flags_or_the_containers() {
    let host = busybox();
    let script = "trap 'exit 4' QUIT; trap 'exit 5' USR1; touch /up; while :; do sleep 0.05; done";
    for (args, status) in [(&["web"][..], 4), (&["-s", "sigusr1", "web"], 5), (&["--signal", "10", "web"], 5)] {
        let run = web(&host, &["--stop-signal", "SIGQUIT"], script);
        host.tool("ctr-stop", args).ok();
        run.wait().exits(status);
        host.tool("ctr-rm", &["web"]).ok();
    }
    host.tool("ctr-stop", &["-s", "NONE", "web"]).fails(1).stderr_has("NONE");
}

fn all_are_stopped_at_once() {
    let host = busybox();
    let names = ["a", "b", "c", "d", "e"];
    let runs = names.map(|name| named(&host, name, &[], "touch /up; exec sleep 6204"));
    let stop = host.tool("ctr-stop", &["-t", "4", "a", "b", "c", "d", "e"]).succeeds().stdout_is("a\nb\nc\nd\ne\n");
    assert!(stop.took < Duration::from_secs(12), "one after the other: {stop}");
    for run in runs {
        run.wait().exits(137);
    }
}

fn a_paused_container_is_thawed() {
    let host = busybox();
    let run = web(&host, &["--init"], "touch /up; exec sleep 6205");
    host.tool("ctr-pause", &["web"]).ok();
    host.tool("ctr-stop", &["web"]).ok();
    run.wait().exits(143);
    host.tool("ctr-rm", &["web"]).ok();
    host.assert_clean();
}

fn one_that_goes_with_its_end_is_stopped() {
    let host = busybox();
    let run = web(&host, &["--rm", "--init"], "touch /up; exec sleep 6207");
    host.tool("ctr-stop", &["web"]).ok().stdout_is("web\n");
    run.wait().exits(143);
    host.assert_clean();
}

fn what_does_not_run_is_stopped() {
    let host = Host::new();
    let web = StandIn::new(&host, "web", &json!({}));
    host.tool("ctr-stop", &["web"]).ok().stdout_is("web\n");
    assert!(web.is_halted());
    // A note of a process that is another by now.
    web.state(&json!({"status": "running", "pid": std::process::id(), "pidStart": 1}));
    host.tool("ctr-stop", &["web"]).ok().stdout_is("web\n");
}

fn unknown_ones_do_not_stop_the_others() {
    let host = Host::new();
    StandIn::new(&host, "web", &json!({}));
    host.tool("ctr-stop", &["none", "web"]).fails(1).stdout_is("web\n").stderr_has("no container none");
    let both = host.tool("ctr-stop", &["none", "web", "other"]).exits(1).stdout_is("web\n");
    both.stderr_is("ctr-stop: no container none\nctr-stop: no container other");
    host.tool("ctr-stop", &[]).fails(2);
}

fn the_timeout_is_the_flags_or_the_containers() {
    let host = Host::new();
    let deaf = || host.sh_cmd("trap '' TERM; echo > up; while :; do sleep 0.05; done").spawn();
    let web = StandIn::new(&host, "web", &json!({"supervise": {"stopTimeout": 1}}));
    let process = deaf();
    until("it is up", || host.dir().join("up").exists());
    web.runs(process.pid(), None, &json!({}));
    let stop = host.tool("ctr-stop", &["web"]).ok();
    assert!(stop.took >= Duration::from_secs(1) && stop.took < Duration::from_secs(9), "{stop}");
    process.wait().exits(137);

    std::fs::remove_file(host.dir().join("up")).unwrap();
    let process = deaf();
    until("it is up", || host.dir().join("up").exists());
    web.runs(process.pid(), None, &json!({}));
    let mut stop = host.cmd("ctr-stop", &["-t", "-1", "web"]).spawn();
    std::thread::sleep(Duration::from_millis(1500));
    assert!(stop.runs());
    kill(process.pid(), Signal::SIGKILL);
    process.wait().exits(137);
    stop.wait().ok();
}

fn a_supervisor_that_waits_gives_up() {
    let host = Host::new();
    let web = StandIn::new(&host, "web", &json!({}));
    let supervisor = host.sh_cmd("trap 'exit 9' TERM; echo > up; while :; do sleep 0.05; done").spawn();
    until("it is up", || host.dir().join("up").exists());
    let dead = json!({"status": "restarting", "pid": 1, "pidStart": 1});
    web.runs(supervisor.pid(), Some(supervisor.pid()), &dead);
    host.tool("ctr-stop", &["web"]).ok().stdout_is("web\n");
    assert!(web.is_halted());
    supervisor.wait().exits(9);
}

fn a_supervisor_is_awaited() {
    let host = Host::new();
    let web = StandIn::new(&host, "web", &json!({}));
    let process = host.cmd("sleep", &["6206"]).spawn();
    // It takes its time to record the end, and then some.
    let exit = json!({"status": "stopped", "exitCode": 143});
    let supervisor = host
        .sh_cmd(&format!(
            "while [ -e /proc/{} ]; do sleep 0.05; done; echo '{exit}' >aside; mv aside {}/exit.json; sleep 0.5; exit 9",
            process.pid(),
            web.dir().display()
        ))
        .spawn();
    web.runs(process.pid(), Some(supervisor.pid()), &json!({}));
    let stop = host.cmd("ctr-stop", &["web"]).spawn();
    process.wait().exits(143);
    stop.wait().ok();
    let mut supervisor = supervisor;
    assert!(!supervisor.runs());
    assert_eq!(state(&host, "web")["exitCode"], 143);
}
