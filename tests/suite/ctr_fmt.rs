//! ctr-fmt: what reaches a terminal of a stranger's words, and lists that replace one another.

use ctr_tests::*;
use std::fs;

pub fn tests() -> Vec<Test> {
    tests!("ctr-fmt",
        []:
            values_do_not_steer_the_terminal,
            the_last_list_needs_no_newline,
            messages_outlive_the_screen
    )
}

fn values_do_not_steer_the_terminal() {
    let host = Host::new();
    let zone = "a\u{1b}[1m\u{7}\u{202e}\u{9b}b\nc";
    let event = json!({"time": "2026-11-25T10:00:00Z", "type": "container", "action": "die", "id": "ab", "name": "web",
        "attributes": {"zone": zone}});
    fs::write(host.dir().join("event"), event.to_string()).unwrap();
    fs::write(host.dir().join("container"), json!({"Labels": {"zone": zone}}).to_string()).unwrap();
    let safe = "a [1m   b c";
    for (view, format, shown) in [
        ("event", "{{.Actor.Attributes.zone}}", safe),
        ("event", "table {{.Actor.Attributes.zone}}", safe),
        ("event", "{{.Details}}", "name=web, zone=a [1m   b c"),
        ("event", "json", "a\\u001b[1m\\u0007\\u202e\\u009bb\\nc"),
        ("container", "{{.Label \"zone\"}}", safe),
        ("container", "{{json (.Label \"zone\")}}", "a\\u001b[1m\\u0007\\u202e\\u009bb\\nc"),
        ("container", "{{printf \"%s\\tx\" (.Label \"zone\")}}", "a [1m   b"),
    ] {
        let mut pty =
            host.pty(&format!("stty -onlcr tabs; ctr-fmt --view {view} '{format}' <{view}; echo; echo end; read x"));
        pty.expect(shown);
        let text = pty.expect("end");
        let all = pty.text();
        assert!(!all.contains(['\u{1b}', '\u{7}', '\u{202e}', '\u{9b}']), "{format}: {all:?} {text:?}");
        pty.send("\r");
        pty.wait();
    }
    // What reads from a pipe gets it as it is.
    host.sh("ctr-fmt --view container '{{.Label \"zone\"}}' <container").ok().stdout_is(&format!("{zone}\n"));
    let json: Value = host.sh("ctr-fmt --view event json <event").ok().json();
    assert_eq!(json["Actor"]["Attributes"]["zone"], zone);
}

fn the_last_list_needs_no_newline() {
    let host = Host::new();
    let live = |input: &str| host.cmd("ctr-fmt", &["--view", "stats", "--live", "{{.Name}}"]).stdin(input).run();
    live("[{\"name\":\"one\"}]\n[{\"name\":\"two\"}]").ok().stdout_is("one\ntwo\n");
    live("[{\"name\":\"one\"}]\n7").exits(7).stdout_is("one\n");
    live("[{\"name\":\"one\"}]\n[{\"na").fails(1).stdout_is("one\n");
    live("").ok().stdout_is("");
}

fn messages_outlive_the_screen() {
    let host = Host::new();
    fs::write(host.dir().join("in"), "[{\"name\":\"one\"}]\ncg-stat: odd\ncg-stat: odd\n[{\"name\":\"two\"}]\n")
        .unwrap();
    host.sh("ctr-fmt --view stats --live '{{.Name}}' <in")
        .succeeds()
        .stdout_is("one\ntwo\n")
        .stderr_is("cg-stat: odd\ncg-stat: odd");
    let mut pty = host.pty("ctr-fmt --view stats --live '{{.Name}}' <in; echo end; read x");
    let screen = pty.expect("\x1b[?25h\x1b[?1049l");
    assert!(screen.contains("two") && !screen.contains("odd"), "{screen:?}");
    let rest = pty.expect("end");
    assert_eq!(rest, "two\r\ncg-stat: odd\r\nend");
    pty.send("\r");
    pty.wait();
}
