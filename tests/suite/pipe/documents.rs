//! Rules 1 to 4, 10 and 12: what a document is, and what goes through a tool unchanged.

use super::*;

pub fn tests() -> Vec<Test> {
    tests!("pipe",
        ["root", "overlay", "umoci", "busybox", "jq"]:
            a_document_is_one_line,
            a_terminal_gets_it_indented,
            unknown_keys_go_through_every_stage,
            numbers_and_text_go_through_unchanged,
            the_last_document_wins,
            a_stream_is_as_long_as_it_is,
            jq_may_stand_anywhere_in_the_pipe,
            a_document_comes_by_file_too,
            an_explicit_id_is_kept,
            every_stage_fits_the_schema
    )
}

fn a_document_is_one_line() {
    let host = Host::new();
    let archive = images::archive("busybox");
    let text = host.tool("img-load", &["-i", archive.to_str().unwrap()]).ok().text();
    assert!(text.ends_with('\n') && text.lines().count() == 1, "{text}");
    let text = host.cmd("img-unpack", &[""; 0]).stdin(text).run().ok().text();
    assert!(text.ends_with('\n') && text.lines().count() == 1, "{text}");
    let text = host.cmd("overlay-mount", &[""; 0]).stdin(text).run().ok().text();
    assert!(text.ends_with('\n') && text.lines().count() == 1, "{text}");
}

fn a_terminal_gets_it_indented() {
    let host = Host::new();
    let archive = images::archive("busybox");
    let mut pty = host.pty(&format!("img-load -i {}", archive.display()));
    let (status, text) = pty.wait();
    assert!(status == 0 && text.contains("{\r\n  \"ctr\": 1,"), "{text}");
}

fn unknown_keys_go_through_every_stage() {
    let host = Host::new();
    let mut doc = image_document(&host);
    doc["x-first"] = json!({"nested": [1, {"deep": null}], "b": true, "a": "order"});
    doc["image"]["x-image"] = json!("kept");
    doc["labels"] = json!({"who": "the caller"});
    doc["spec"] = json!({"x-spec": {"hooks": []}});
    doc["steps"] = json!([{"tool": "x-tool", "undo": {"x": 1}, "x-step": 2}]);
    for (tool, args) in [("img-unpack", &[][..]), ("overlay-mount", &[])] {
        let out = host.pipe_to(&doc, tool, args).ok().json();
        for key in ["x-first", "labels"] {
            assert_eq!(out[key].to_string(), doc[key].to_string(), "{tool}");
        }
        assert_eq!(out["image"]["x-image"], "kept", "{tool}");
        assert_eq!(out["image"]["config"].to_string(), doc["image"]["config"].to_string(), "{tool}");
        assert_eq!(out["image"]["manifest"].to_string(), doc["image"]["manifest"].to_string(), "{tool}");
        assert_eq!(out["spec"]["x-spec"], doc["spec"]["x-spec"], "{tool}");
        assert_eq!(out["steps"][0], doc["steps"][0], "{tool}");
        doc = out;
    }
    // Only the undo of the tools that ran: an unknown tool's step stays for that tool.
    let out = host.pipe_to(&doc, "overlay-mount", &["--undo"]).ok().json();
    assert_eq!(out["steps"][0]["tool"], "x-tool");
}

fn numbers_and_text_go_through_unchanged() {
    let host = Host::new();
    let mut doc = image_document(&host);
    doc["x"] = json!([u64::MAX, i64::MIN, 0.1, -1.5e-7, "\u{0}\u{1f}\u{7f}\"\\/", "名前 🐳 e\u{301}", "", {}, []]);
    let out = host.pipe_to(&doc, "img-unpack", &[]).ok().json();
    assert_eq!(out["x"].to_string(), doc["x"].to_string());
}

fn the_last_document_wins() {
    let host = Host::new();
    let doc = image_document(&host);
    let mut early = doc.clone();
    early["partial"] = json!(true);
    early["image"]["layers"] = json!([]);
    early["x"] = json!("early");
    let out = host.cmd("img-unpack", &[""; 0]).stdin(format!("{early}\n{doc}\n")).run().ok();
    let last = out.json();
    assert!(last.get("x").is_none() && last.get("partial").is_none(), "{last}");
    assert!(last["image"]["layers"][0]["path"].is_string(), "{last}");
}

/// The interim documents of an image of many layers are many and large; the bound is on each.
fn a_stream_is_as_long_as_it_is() {
    let host = Host::new();
    let mut doc = image_document(&host);
    doc["x"] = json!("y".repeat(3 << 20));
    let mut partial = doc.clone();
    partial["partial"] = json!(true);
    let stream = format!("{}{doc}\n", format!("{partial}\n").repeat(23));
    assert!(stream.len() > 64 << 20);
    let out = host.cmd("img-unpack", &[""; 0]).stdin(stream).run().ok().json();
    assert!(out["image"]["layers"][0]["path"].is_string());
    doc["x"] = json!("y".repeat(65 << 20));
    host.pipe_to(&doc, "img-unpack", &[]).fails(1).code("limit").stderr_has("64 MiB");
}

fn jq_may_stand_anywhere_in_the_pipe() {
    let host = Host::new();
    host.load("busybox");
    let pipe = "img-pull --pull missing busybox | jq . | img-unpack | jq -S . | overlay-mount --volatile | jq . \
                | ns-spawn --rm -- echo through jq";
    for shell in ["sh", "dash", "bash", "busybox sh"] {
        host.sh_with(shell, pipe).ok().stdout_is("through jq\n");
    }
    host.assert_clean();
}

fn a_document_comes_by_file_too() {
    let host = Host::new();
    let doc = image_document(&host);
    let file = host.dir().join("doc.json");
    std::fs::write(&file, serde_json::to_string_pretty(&doc).unwrap()).unwrap();
    let by_name = host.tool("img-unpack", &["-f", file.to_str().unwrap()]).ok().json();
    let by_descriptor = host.sh("img-unpack -f /dev/fd/3 3<doc.json").ok().json();
    assert_eq!(by_name, by_descriptor);
    host.tool("img-unpack", &["-f", "nowhere.json"]).fails(1).code("not-found").stderr_has("nowhere.json");
}

fn an_explicit_id_is_kept() {
    let host = Host::new();
    let mut doc = unpacked_document(&host);
    // What came from elsewhere may not name a path.
    for bad in ["../../../etc", "x", "", "A".repeat(64).as_str()] {
        doc["id"] = json!(bad);
        host.pipe_to(&doc, "overlay-mount", &[]).fails(1).code("invalid");
    }
}

fn every_stage_fits_the_schema() {
    let host = Host::new();
    let doc = image_document(&host);
    let unpacked = host.pipe_to(&doc, "img-unpack", &[]).ok().json();
    let mounted = host.pipe_to(&unpacked, "overlay-mount", &["--name", "a", "-l", "k=v"]).ok().json();
    let undone = host.pipe_to(&mounted, "overlay-mount", &["--undo"]).ok().json();
    let failed = host.pipe_to(&json!({"ctr": 1}), "overlay-mount", &[]).fails(1).json();
    let pulled = host.tool("img-pull", &["--pull", "missing", "busybox"]).ok().json();
    schema::assert_valid(&[doc, unpacked, mounted, undone, failed, pulled]);
    let refused = [json!({"ctr": 0}), json!({}), json!([]), json!({"ctr": 1, "error": {"code": "no-such-code"}})];
    for bad in refused {
        assert!(!schema::errors(std::slice::from_ref(&bad)).is_empty(), "the schema allows {bad}");
    }
}
