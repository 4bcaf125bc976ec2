//! ctr-kill: signals, and which of them mean that the container is to stay down.

use crate::living::*;
use ctr_tests::*;

pub fn tests() -> Vec<Test> {
    tests!("ctr-kill",
        ["root", "overlay", "umoci", "busybox"]:
            kills_and_waits,
            other_signals_are_only_sent,
            the_stop_signal_keeps_it_down,
            a_paused_container_dies,
            a_paused_container_gets_other_signals_later;
        []:
            only_what_runs_is_killed,
            a_supervisor_that_waits_gives_up
    )
}

fn kills_and_waits() {
    let host = busybox();
    let run = web(&host, &[], "touch /up; exec sleep 6301");
    host.tool("ctr-kill", &["web"]).ok().stdout_is("web\n");
    let state = state(&host, "web");
    assert_eq!((&state["status"], &state["exitCode"]), (&json!("stopped"), &json!(137)));
    run.wait().exits(137);
    let kill = events(&host, "kill");
    assert_eq!((kill.len(), &kill[0]["attributes"]["signal"]), (1, &json!("9")));
    host.tool("ctr-kill", &["web"]).fails(1).stderr_has("web: it is not running");
    host.tool("ctr-rm", &["web"]).ok();
    host.assert_clean();
}

fn halted(host: &Host) -> bool {
    host.root().join("containers").join(id(host, "web").unwrap()).join("halt").exists()
}

fn other_signals_are_only_sent() {
    let host = busybox();
    let run = web(&host, &[], "trap 'echo again' HUP; trap 'exit 3' 36; touch /up; while :; do sleep 0.05; done");
    host.tool("ctr-kill", &["-s", "HUP", "web"]).ok().stdout_is("web\n");
    assert!(!halted(&host));
    host.tool("ctr-kill", &["--signal=RTMIN+2", "web"]).ok();
    run.wait().exits(3).stdout_is("again\n");
    assert_eq!(events(&host, "kill").len(), 2);
}

fn the_stop_signal_keeps_it_down() {
    let host = busybox();
    for (args, signal) in [(&[][..], "TERM"), (&["--stop-signal", "USR2"], "12")] {
        let run = web(&host, args, "trap 'exit 3' TERM USR2; touch /up; while :; do sleep 0.05; done");
        host.tool("ctr-kill", &["-s", signal, "web"]).ok();
        assert!(halted(&host));
        run.wait().exits(3);
        host.tool("ctr-rm", &["web"]).ok();
    }
}

fn a_paused_container_dies() {
    let host = busybox();
    let run = web(&host, &[], "touch /up; exec sleep 6302");
    host.tool("ctr-pause", &["web"]).ok();
    host.tool("ctr-kill", &["web"]).ok();
    run.wait().exits(137);
    host.tool("ctr-rm", &["web"]).ok();
    host.assert_clean();
}

fn a_paused_container_gets_other_signals_later() {
    let host = busybox();
    let mut run = web(&host, &[], "trap 'exit 3' USR1; touch /up; while :; do sleep 0.05; done");
    host.tool("ctr-pause", &["web"]).ok();
    host.tool("ctr-kill", &["-s", "USR1", "web"]).ok();
    assert!(run.runs());
    assert_eq!(state(&host, "web")["status"], "paused");
    host.tool("ctr-pause", &["--undo", "web"]).ok();
    run.wait().exits(3);
}

fn only_what_runs_is_killed() {
    let host = Host::new();
    let web = StandIn::new(&host, "web", &json!({}));
    host.tool("ctr-kill", &["web"]).fails(1).stderr_has("web: it is not running");
    web.state(&json!({"status": "running", "pid": std::process::id(), "pidStart": 1}));
    host.tool("ctr-kill", &["web"]).fails(1).stderr_has("web: it is not running");
    assert!(!web.is_halted());
    let process = host.cmd("sleep", &["6303"]).spawn();
    web.runs(process.pid(), None, &json!({}));
    for bad in ["", "0", "65", "SIGNONE", "RTMIN+99"] {
        host.tool("ctr-kill", &["-s", bad, "web"]).fails(1).stderr_has("invalid signal");
    }
    host.tool("ctr-kill", &["none", "web"]).fails(1).stdout_is("web\n").stderr_has("no container none");
    process.wait().exits(137);
    host.tool("ctr-kill", &[]).fails(2);
}

fn a_supervisor_that_waits_gives_up() {
    let host = Host::new();
    let web = StandIn::new(&host, "web", &json!({}));
    let supervisor = host.sh_cmd("trap 'exit 9' TERM; echo > up; while :; do sleep 0.05; done").spawn();
    until("it is up", || host.dir().join("up").exists());
    web.runs(supervisor.pid(), Some(supervisor.pid()), &json!({"status": "restarting", "pid": 1, "pidStart": 1}));
    host.tool("ctr-kill", &["web"]).ok().stdout_is("web\n");
    assert!(web.is_halted());
    supervisor.wait().exits(9);
}
