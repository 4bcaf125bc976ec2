//! Rules 2, 5, 6, 11 and 12: bad input, and how an error travels.

use super::*;

pub fn tests() -> Vec<Test> {
    tests!("pipe",
        ["root"]:
            what_is_no_document_is_refused,
            a_later_version_is_refused,
            an_error_passes_through_untouched,
            the_last_stage_tells_the_status_of_the_first,
            a_usage_error_travels_too,
            help_on_a_terminal_stdin;
        ["root", "umoci", "busybox"]:
            nothing_is_done_before_all_input_is_read,
            a_document_cut_off_is_refused;
        ["root", "overlay", "umoci", "skopeo", "docker-registry", "busybox"]:
            a_misspelt_image_is_one_line_and_leaves_nothing,
            a_reader_that_is_gone_takes_the_step_back
    )
}

fn what_is_no_document_is_refused() {
    let host = Host::new();
    let inputs: &[&[u8]] = &[
        b"",
        b"\n",
        b"nonsense",
        b"[]",
        b"\"text\"",
        b"null",
        b"7",
        b"{}",
        b"{\"ctr\":0}",
        b"{\"ctr\":\"1\"}",
        b"{\"ctr\":1.5}",
        b"{\"ctr\":-1}",
        b"{\"ctr\":1",
        b"{\"ctr\":1} trailing",
        b"\xff\xfe{\"ctr\":1}",
        b"{\"ctr\":1,\"x\":\"\xff\"}",
        b"\x1f\x8b\x08\x00\x00\x00\x00\x00",
    ];
    let before = everything(&host);
    for (tool, args) in STAGES {
        for input in inputs {
            let ran = host.cmd(tool, args).stdin(input).run().fails(failed(tool));
            if *tool != "ns-spawn" {
                assert_eq!(ran.error_code(), "invalid", "{:?}{ran}", String::from_utf8_lossy(input));
            }
        }
        // Deep nesting must not overflow a stack.
        host.cmd(tool, args).stdin("[".repeat(1_000_000)).run().fails(failed(tool));
    }
    assert_eq!(everything(&host), before);
}

fn a_later_version_is_refused() {
    let host = Host::new();
    for (tool, args) in STAGES {
        let ran = host.pipe_to(&json!({"ctr": 2, "image": {}}), tool, args).fails(failed(tool)).stderr_has("version");
        if *tool != "ns-spawn" {
            assert_eq!(ran.error_code(), "version", "{ran}");
        }
    }
}

fn an_error_passes_through_untouched() {
    let host = Host::new();
    let error = json!({"tool": "img-pull", "code": "not-found", "message": "no", "exit": 42, "x": 1});
    let doc = json!({"ctr": 1, "x": [1, 2], "error": error, "steps": [{"tool": "img-pull", "undo": null}]});
    let before = everything(&host);
    for (tool, args) in STAGES {
        let ran = host.pipe_to(&doc, tool, args);
        assert!(ran.stderr.is_empty(), "the message is printed once, by the stage that failed{ran}");
        if *tool == "ns-spawn" {
            // stdout is the container's, and 125 says that it never ran.
            ran.exits(125).stdout_is("");
        } else {
            ran.exits(42).stdout_is(&format!("{doc}\n"));
        }
    }
    assert_eq!(everything(&host), before);
}

fn the_last_stage_tells_the_status_of_the_first() {
    let host = Host::new();
    // dash has no pipefail: the last stage is all that a shell sees.
    for shell in ["sh", "dash", "bash", "busybox sh"] {
        let ran = host.sh_with(shell, "echo '{\"ctr\":1}' | img-unpack | overlay-mount");
        assert_eq!(ran.fails(1).json()["error"]["tool"], "img-unpack");
        host.sh_with(shell, "echo '{\"ctr\":1}' | img-unpack | overlay-mount | ns-spawn -- true").fails(125);
    }
}

fn a_usage_error_travels_too() {
    let host = Host::new();
    let ran = host.sh("echo '{\"ctr\":1,\"x\":7}' | img-unpack --no-such-flag | overlay-mount");
    let doc = ran.exits(2).stderr_has("--no-such-flag").json();
    assert_eq!((&doc["x"], &doc["error"]["code"]), (&json!(7), &json!("usage")));
    host.sh("echo '{\"ctr\":1}' | overlay-mount --undo --gc").exits(2);
    host.sh("echo '{\"ctr\":1}' | overlay-mount --check --undo").exits(2);
}

fn help_on_a_terminal_stdin() {
    let host = Host::new();
    for (tool, _) in STAGES {
        let (status, text) = host.pty(tool).wait();
        assert!(status == 2 && text.contains("Usage:"), "{tool}: {status} {text}");
    }
}

fn nothing_is_done_before_all_input_is_read() {
    let host = Host::new();
    let doc = unpacked_document(&host);
    let before = everything(&host);
    // A whole document, and then the stage before dies in the middle of the next.
    host.cmd("overlay-mount", &[""; 0]).stdin(format!("{doc}\n{{\"ctr\":1,")).run().fails(1).code("invalid");
    assert_eq!(everything(&host), before);
    // A stage before that takes its time: nothing is changed meanwhile.
    std::fs::write(host.dir().join("doc"), format!("{doc}\n")).unwrap();
    let slow = host.sh_cmd("{ cat doc; sleep 1; echo '{'; } | overlay-mount").spawn();
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert_eq!(leftovers::mounts_beneath(&host.run()).len(), 0);
    slow.wait().fails(1);
}

fn a_document_cut_off_is_refused() {
    let host = Host::new();
    let mut doc = image_document(&host);
    doc["partial"] = json!(true);
    for (tool, args) in STAGES {
        host.pipe_to(&doc, tool, args).fails(failed(tool)).stderr_has("partial");
    }
}

fn a_misspelt_image_is_one_line_and_leaves_nothing() {
    let host = Host::new();
    registry::plain().push("busybox");
    let pipe = "img-pull localhost:5000/busibox | img-unpack | overlay-mount --name a | ns-spawn -- true";
    for shell in ["dash", "bash", "busybox sh"] {
        host.sh_with(shell, pipe).fails(125).stderr_has("busibox").stdout_is("");
    }
    host.assert_clean();
    let doc = host.sh("img-pull localhost:5000/busibox | img-unpack | overlay-mount --name a").fails(1).json();
    assert_eq!((&doc["error"]["tool"], &doc["error"]["code"]), (&json!("img-pull"), &json!("not-found")));
    // The name is free.
    host.pipe_to(&unpacked_document(&host), "overlay-mount", &["--name", "a"]).ok();
}

fn a_reader_that_is_gone_takes_the_step_back() {
    let host = Host::new();
    let doc = unpacked_document(&host);
    std::fs::write(host.dir().join("doc"), format!("{doc}\n")).unwrap();
    // The reader is long gone when the document is written: nobody will ever undo the step, so the tool does.
    host.sh("{ sleep 0.3; overlay-mount <doc; echo $? >status; } | :").ok();
    assert_eq!(std::fs::read_to_string(host.dir().join("status")).unwrap(), "141\n");
    host.assert_clean();
    host.sh("overlay-mount <doc >/dev/full; echo $? >status").stderr_has("No space");
    assert_eq!(std::fs::read_to_string(host.dir().join("status")).unwrap(), "1\n");
    host.assert_clean();
}
