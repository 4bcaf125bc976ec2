//! img-diff against what a look at both whole trees says; img-history; the layers that img-ls shows.

use crate::living::busybox;
use ctr_tests::*;

pub fn tests() -> Vec<Test> {
    tests!("img-diff",
        ["root", "umoci"]:
            every_kind_of_difference,
            an_image_like_itself_differs_in_nothing,
            bad_input_is_one_line;
        ["root", "umoci", "mmdebstrap"]:
            all_differences_and_no_others;
        ["root", "umoci"]:
            history_is_that_of_the_config,
            shared_layers_are_shown
    )
}

/// An image of the files that a script makes.
fn made(host: &Host, name: &str, script: &str) {
    host.sh(&format!("rm -rf d; mkdir d; (cd d; {script}) && tar c -C d . | img-import - {name} | img-unpack")).ok();
}

const BASE: &str =
    "mkdir -p a/b dir empty gone; echo 1 >a/b/f; echo 2 >g; ln -s g l; echo x >m; echo o >o; echo same >same; mkfifo p";

fn every_kind_of_difference() {
    let host = Host::new();
    made(&host, "one", BASE);
    made(
        &host,
        "two",
        &format!(
            "{BASE}; echo 3 >a/b/f; rm g; ln -sf m l; chmod 600 m; chown 5 o; touch -d 2001-01-01 same; rmdir gone
             rm -r dir; echo file >dir; mkdir -p new/deep; echo n >new/deep/f; rmdir empty; mkdir -m 700 empty; rm p; mkfifo -m 600 p"
        ),
    );
    let expected = "C /a\nC /a/b\nC /a/b/f\nC /dir\nC /empty\nD /g\nD /gone\nC /l\nC /m\nA /new\nA /new/deep\nA /new/deep/f\nC /o\nC /p\n";
    host.tool("img-diff", &["one", "two"]).ok().stdout_is(expected);
    host.sh("ctr image diff one two").ok().stdout_is(expected);
    let back = host.tool("img-diff", &["two", "one"]).ok().text();
    assert!(back.contains("A /g\n") && back.contains("D /new\n") && !back.contains("/new/deep"), "{back}");
    let lines = host.tool("img-diff", &["--json", "one", "two"]).ok().jsons();
    assert_eq!(lines[0], json!({"Kind": "C", "Path": "/a"}));
    assert_eq!(lines.len(), expected.lines().count());
}

fn an_image_like_itself_differs_in_nothing() {
    let host = busybox();
    host.sh("img-inspect --document busybox | img-unpack").ok();
    host.tool("img-diff", &["busybox", "busybox"]).ok().stdout_is("");
    // The same files in a layer of their own, at another time.
    host.sh("layer=$(img-inspect --document busybox | jq -r '.image.layers[0].path')
        cp -a $layer d; find d -exec touch -h -d 2002-02-02 {} +; tar c -C d . | img-import - twin | img-unpack")
        .ok();
    host.tool("img-diff", &["busybox", "twin"]).ok().stdout_is("");
}

fn all_differences_and_no_others() {
    let host = Host::new();
    for image in ["debian", "many"] {
        host.sh(&format!("img-load -i {} | img-unpack", images::archive(image).display())).ok();
    }
    let tree = |image: &str| {
        let root = images::unpacked_by_umoci(image, &host.dir().join(image));
        let text = |path: &std::path::Path| path.to_str().map(str::to_owned);
        tree::list(&root, &[])
            .into_keys()
            .filter_map(|path| text(path.as_ref()))
            .collect::<std::collections::BTreeSet<_>>()
    };
    let (debian, many) = (tree("debian"), tree("many"));
    let shown = host.sh("img-diff --json debian many").ok().jsons();
    let of = |kind: &str| -> std::collections::BTreeSet<String> {
        let lines = shown.iter().filter(|line| line["Kind"] == kind);
        lines.map(|line| line["Path"].as_str().unwrap()[1..].to_owned()).collect()
    };
    // Names that are no text are escaped, and not compared here.
    let is_text = |path: &&String| !path.contains('\u{fffd}');
    let added: Vec<_> = of("A").into_iter().filter(|p| is_text(&p)).collect();
    let expected: Vec<_> = many.difference(&debian).filter(is_text).cloned().collect();
    assert_eq!(added.len(), expected.len());
    assert_eq!(added, expected);
    assert!(of("D").iter().all(|path| debian.contains(path) && !many.contains(path)));
    assert!(of("C").iter().all(|path| debian.contains(path) && many.contains(path)));
}

fn bad_input_is_one_line() {
    let host = busybox();
    host.tool("img-diff", &["busybox"]).fails(2);
    host.tool("img-diff", &["busybox", "nothing"]).fails(1).stdout_is("");
    // Not unpacked.
    host.tool("img-diff", &["busybox", "busybox"]).fails(1).stderr_has("img-unpack");
    host.sh("ctr image diff busybox busybox").ok().stdout_is("");
    for images in ["busybox nothing", "nothing busybox"] {
        host.sh(&format!("ctr image diff {images}"))
            .fails(1)
            .stderr_has("image nothing is not in the store")
            .stderr_has("ctr pull nothing");
    }
    host.tool("img-history", &["nothing"]).fails(1).stdout_is("");
    host.tool("img-history", &[]).fails(2);
}

fn history_is_that_of_the_config() {
    let host = busybox();
    let lines = host.tool("img-history", &["busybox"]).ok().jsons();
    let image = host.tool("img-inspect", &["--document", "busybox"]).ok().json()["image"].clone();
    let history = image["config"]["history"].as_array().unwrap();
    assert_eq!(lines.len(), history.len());
    assert_eq!(lines[0]["ID"], image["id"]);
    for (line, step) in lines.iter().rev().zip(history) {
        assert_eq!(line["CreatedBy"], step["created_by"]);
        assert_eq!(line["Size"] == 0, step["empty_layer"] == true);
    }
    let sizes: u64 = lines.iter().map(|line| line["Size"].as_u64().unwrap()).sum();
    assert_eq!(sizes, image["layers"][0]["size"].as_u64().unwrap());
    host.sh("ctr history busybox").ok().stdout_has("CREATED BY").stdout_has("tests: busybox");
    host.sh("ctr history -q --no-trunc busybox | head -n 1")
        .ok()
        .stdout_is(&format!("{}\n", image["id"].as_str().unwrap()));
    // Times and bytes for programs; ids are cut all the same, where nobody says no.
    let id = image["id"].as_str().unwrap();
    let table = host.sh("ctr history -H=false busybox").ok().text();
    let titles: Vec<_> = table.lines().next().unwrap().split("  ").map(str::trim).filter(|t| !t.is_empty()).collect();
    assert_eq!(titles, ["IMAGE", "CREATED AT", "CREATED BY", "SIZE", "COMMENT"]);
    let created = history.last().unwrap()["created"].as_str().unwrap();
    let first = table.lines().nth(1).unwrap();
    assert!(first.starts_with(&format!("{}   {}Z ", &id[7..19], &created[..19])), "{table}");
    assert!(table.lines().any(|line| line.split_whitespace().any(|word| word == sizes.to_string())), "{table}");
    host.sh("ctr history --human=false --no-trunc --format '{{.ID}} {{.Size}} {{.CreatedSince}}' busybox | head -n 1")
        .ok()
        .stdout_is(&format!("{id} {} {}Z\n", lines[0]["Size"], &created[..19]));
    host.sh("img-history busybox | ctr-fmt --view image --exact").fails(2);
    // A config without a history has its layers.
    made(&host, "bare", "echo x >x");
    host.sh("ctr image history --format '{{.ID}} {{.Size}}' bare").ok();
}

fn shared_layers_are_shown() {
    let host = busybox();
    host.sh(&format!("img-load -i {}", images::archive("layers300").display())).ok();
    let lines = host.tool("img-ls", &["--layers"]).ok().jsons();
    let of = |name: &str| lines.iter().find(|line| line["Repository"] == name).unwrap()["Layers"].clone();
    assert_eq!(of("busybox").as_array().unwrap().len(), 1);
    assert_eq!(of("layers300").as_array().unwrap().len(), 300);
    assert_eq!(of("busybox")[0]["SharedBy"], json!(["layers300:latest"]));
    assert_eq!(of("layers300")[0]["SharedBy"], json!(["busybox:latest"]));
    assert_eq!(of("layers300")[1]["SharedBy"], json!([]));
    host.sh("ctr images --tree busybox").ok().stdout_has("\n└─ ").stdout_has("also in layers300:latest\n");
    let tree = host.sh("ctr images --tree layers300").ok().text();
    let branches: Vec<_> = tree.lines().skip(1).map(|line| line.chars().next().unwrap()).collect();
    assert_eq!((branches.len(), branches.iter().position(|c| *c == '└')), (300, Some(299)), "{tree}");
    let diff_id = of("busybox")[0]["DiffID"].as_str().unwrap().to_owned();
    host.sh("ctr images --tree --no-trunc busybox").ok().stdout_has(&format!("└─ {diff_id}  "));
    let json = host.sh("ctr images --tree --format json busybox").ok().json();
    assert_eq!(json["Layers"][0]["DiffID"], diff_id);
    host.sh("ctr images --tree --format '{{.ID}}'").fails(2).stderr_has("--format json");
    let names = |filter: &str| host.tool("img-ls", &["-f", filter]).ok().jsons().len();
    assert_eq!((names("until=2100-01-01"), names("until=2001-01-01")), (2, 0));
    host.tool("img-ls", &["-f", "until=soon"]).fails(2);
}
