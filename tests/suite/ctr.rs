//! ctr: the wrapper under three shells, what its commands print, what their statuses are.

use ctr_tests::*;
use nix::sys::signal::Signal;

pub fn tests() -> Vec<Test> {
    tests!("ctr",
        ["root", "overlay", "umoci", "busybox", "bash", "dash"]:
            runs_under_every_shell,
            words_arrive_as_they_are;
        ["root", "overlay", "umoci", "busybox"]:
            containers_are_inspected_and_removed,
            a_running_container_is_removed_by_force_only,
            ctrl_c_waits_for_the_container,
            status_is_the_last_stages;
        ["root", "umoci", "busybox"]:
            images_are_listed_in_dockers_columns,
            images_are_tagged_and_removed,
            images_are_loaded_and_imported,
            info_counts;
        ["root", "umoci", "busybox", "docker-registry", "skopeo"]:
            pull_prints_the_reference;
        []:
            help_and_version,
            what_is_not_there_is_refused,
            flags_that_are_handed_on_are_taken,
            finds_its_tools_beside_itself,
            formats_are_checked
    )
}

const SHELLS: [&str; 3] = ["dash", "bash --posix", "busybox sh"];

fn busybox() -> Host {
    let host = Host::new();
    host.load("busybox");
    host
}

/// `SHELL ctr`: the wrapper by a shell that is not the one it names.
fn wrapper(shell: &str) -> String {
    format!("{shell} {}", suite::suite().bin().join("ctr").display())
}

fn runs_under_every_shell() {
    let host = busybox();
    for shell in SHELLS {
        let ctr = wrapper(shell);
        host.sh(&format!("{ctr} run --rm busybox echo hello")).ok().stdout_is("hello\n");
        host.sh(&format!("printf abc | {ctr} run --rm -i busybox wc -c")).ok().stdout_is("3\n");
        host.sh(&format!("{ctr} run --rm busybox sh -c 'exit 7'")).exits(7);
        host.sh_cmd(&format!("yes | {ctr} run --rm -i busybox sleep 0")).limit(20).run().ok();
        host.sh(&format!("{ctr} run --rm localhost:1/absent true")).fails(125).stderr_has("localhost:1");
        host.sh(&format!("{ctr} rmi absent")).fails(1).stderr_has("absent");
        host.sh(&format!("{ctr} images -q")).ok();
        host.sh(&format!("{ctr} nonsense")).fails(2).stderr_has("'nonsense' is not a ctr command");
    }
    host.assert_clean();
}

fn words_arrive_as_they_are() {
    let host = busybox();
    let words =
        "'' ' ' 'a  b' \"it's\" '\"' '$HOME' '`id`' '\\' '\\n' '*' '~' '!x' '#' '{a,b}' '-n' '--' 'ü' '&|;<>()' '
'";
    let expected = host.sh(&format!("printf '[%s]\\n' {words}")).ok().text();
    for shell in SHELLS {
        let run = format!("run --rm -e A='a  $b' busybox printf '[%s]\\n' {words}");
        host.sh(&format!("{} {run}", wrapper(shell))).ok().stdout_is(&expected);
        let shown = host.sh(&format!("{} --show {run}", wrapper(shell))).ok().text();
        host.sh_with(shell, &shown).ok().stdout_is(&expected);
    }
}

fn containers_are_inspected_and_removed() {
    let host = busybox();
    host.sh("ctr run --name web -l tier=front busybox sh -c 'exit 3'").exits(3);
    let format = "'{{.Name}} {{.Config.Labels.tier}} {{.State.Status}} {{.State.ExitCode}}'";
    host.sh(&format!("ctr inspect -f {format} web")).ok().stdout_is("/web front exited 3\n");
    host.sh("ctr inspect --document web | overlay-mount --check").succeeds();
    host.sh("ctr inspect --document -f '{{.name}} {{.state.exitCode}}' web").ok().stdout_is("web 3\n");
    host.sh("ctr container inspect web | jq -r '.[0].Name'").ok().stdout_is("/web\n");
    host.sh("ctr inspect -f '{{.RepoTags}}' busybox").ok().stdout_is("[busybox:latest]\n");
    // A container comes before an image of the same name, as with docker.
    host.sh("ctr run --name busybox busybox true").ok();
    host.sh("ctr inspect busybox | jq -r '.[0].Name'").ok().stdout_is("/busybox\n");
    host.sh("ctr network create red && ctr volume create v1").ok();
    host.sh("ctr inspect -f '{{.Name}}{{\"\\n\"}}' red v1").ok().stdout_is("red\n\nv1\n\n");
    host.sh("ctr inspect --type volume red").fails(1).stderr_has("no volume red");
    host.sh("ctr inspect nosuch").fails(1).stderr_has("no container, image, network or volume nosuch");
    host.sh("ctr network rm red && ctr volume rm v1").ok();
    host.sh("ctr inspect --type image busybox | jq -r '.[0].Os'").ok().stdout_is("linux\n");
    host.sh("ctr inspect -f '{{json .Name}}' web absent").fails(1).stdout_is("\"/web\"\n").stderr_has("absent");
    host.sh("ctr inspect absent").fails(1).stdout_is("");
    host.sh("ctr rm web busybox absent").fails(1).stdout_is("web\nbusybox\n").stderr_has("absent");
    host.sh("ctr rm -f absent").succeeds().stdout_is("").stderr_has("no container absent");
    host.assert_clean();
}

fn a_running_container_is_removed_by_force_only() {
    let host = busybox();
    let run = host.cmd("ctr", &["run", "--name", "busy", "busybox", "sleep", "6201"]).spawn();
    host.process("sleep 6201");
    host.sh("ctr rm busy").fails(1).stderr_has("busy");
    host.sh("ctr rmi -f busybox && ctr inspect -f '{{.State.Status}}' busy").succeeds().stdout_has("running");
    host.sh("ctr rm -f busy").ok().stdout_is("busy\n");
    run.wait().exits(137);
    host.assert_clean();
}

fn ctrl_c_waits_for_the_container() {
    let host = busybox();
    // The command says when it has the signal, and ends later: the wrapper must be there until then.
    let command = "trap 'sleep 1; echo late; exit 5' INT; echo ready; while :; do sleep 0.1; done";
    let mut run = host.cmd("ctr", &["run", "--rm", "busybox", "sh", "-c", command]).spawn();
    host.process("sleep 0.1");
    run.signal_all(Signal::SIGINT);
    std::thread::sleep(std::time::Duration::from_millis(400));
    assert!(run.runs(), "the wrapper did not wait");
    run.wait().exits(5).stdout_has("late");
    host.assert_clean();
}

fn status_is_the_last_stages() {
    let host = busybox();
    for (line, status) in [
        ("run --rm busybox /etc", 126),
        ("run --rm busybox nothing", 127),
        ("run --rm -u nobody-at-all busybox true", 125),
        ("run --rm --pull never localhost:1/absent true", 125),
        ("run --rm --nonsense busybox true", 125),
        ("run", 125),
        ("run -it busybox sh", 125),
        ("image inspect absent", 1),
        ("tag absent a:b", 1),
        ("images --nonsense", 2),
        ("images --filter nonsense=1", 2),
        ("images --format '{{nonsense}}'", 2),
    ] {
        host.sh(&format!("ctr {line}")).fails(status);
    }
    host.assert_clean();
}

fn images_are_listed_in_dockers_columns() {
    let host = busybox();
    let id = host.sh("ctr images -q --no-trunc").ok().text();
    let short = &id.trim()["sha256:".len()..][..12];
    let text = host.sh("ctr images").ok().text();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("REPOSITORY   TAG       IMAGE ID       CREATED"), "{text}");
    assert!(lines[0].ends_with("SIZE"), "{text}");
    assert!(lines[1].starts_with(&format!("busybox      latest    {short}   ")), "{text}");
    assert!(lines[1].contains(" ago ") && lines[1].ends_with('B'), "{text}");
    host.sh("ctr image ls -q").ok().stdout_is(&format!("{short}\n"));
    host.sh("ctr images --digests | head -n 1").ok().stdout_has("DIGEST");
    host.sh("ctr images --format '{{.Repository}}:{{.Tag}}' 'busy*'").ok().stdout_is("busybox:latest\n");
    host.sh("ctr images --format json | jq -r .ID").ok().stdout_is(&format!("{short}\n"));
    host.sh("ctr images nothing").ok().stdout_is("REPOSITORY   TAG       IMAGE ID   CREATED   SIZE\n");
    host.sh("ctr images --filter dangling=true -q").ok().stdout_is("");
    host.sh("ctr images --format '{{.Nothing}}' nothing").fails(2).stderr_has(".Nothing");
}

fn images_are_tagged_and_removed() {
    let host = busybox();
    host.sh("ctr tag busybox other:1").ok().stdout_is("");
    host.sh("ctr rmi other:1").ok().stdout_is("Untagged: other:1\n");
    host.sh("ctr run --name user busybox true").ok();
    host.sh("ctr rmi busybox").fails(1).stdout_is("").stderr_has("user");
    host.sh("ctr rm user && ctr image rm busybox").ok().stdout_has("Untagged: busybox:latest\nDeleted: sha256:");
    host.sh("ctr images -q").ok().stdout_is("");
}

fn images_are_loaded_and_imported() {
    let host = Host::new();
    let archive = images::archive("busybox");
    host.sh(&format!("ctr load -i {}", archive.display())).ok().stdout_is("Loaded image: busybox:latest\n");
    host.sh(&format!("ctr image load <{}", archive.display())).ok().stdout_is("Loaded image: busybox:latest\n");
    let id = host.sh("tar -C /etc -c hostname | ctr import -c 'ENV A=b' - made:1").ok().text();
    assert!(id.starts_with("sha256:") && id.len() == 72, "{id}");
    host.sh("ctr inspect -f '{{.Id}} {{index .Config.Env 0}}' made:1").ok().stdout_is(&format!("{} A=b\n", id.trim()));
    host.sh("ctr load </dev/null").fails(1).stdout_is("");
    host.sh("ctr import absent.tar x").fails(1).stdout_is("");
}

fn info_counts() {
    let host = busybox();
    host.sh("ctr run --name kept busybox true").ok();
    let format = "{{.Containers}} {{.ContainersRunning}} {{.ContainersStopped}} {{.Images}} {{.Layers}} {{.Driver}}";
    host.sh(&format!("ctr info -f '{format}'")).ok().stdout_is("1 0 1 1 1 overlay\n");
    let text = host.sh("ctr system info").ok().text();
    assert!(text.contains(" Images: 1\n") && text.contains(" Storage Driver: overlay\n"), "{text}");
}

fn pull_prints_the_reference() {
    let host = Host::new();
    let reference = registry::plain().push("busybox");
    host.sh(&format!("ctr pull {reference}")).ok().stdout_is(&format!("{reference}:latest\n"));
    host.sh("ctr info -f '{{.Images}} {{.Layers}}'").ok().stdout_is("1 1\n");
    host.sh("ctr pull localhost:5000/absent").fails(1).stdout_is("");
    host.sh("ctr pull UPPER").fails(1).stdout_is("");
}

fn help_and_version() {
    let host = Host::new();
    for line in ["ctr", "ctr help", "ctr --help"] {
        host.sh(line).ok().stdout_has("Commands:").stdout_has("  run ");
    }
    for line in ["ctr help image ls", "ctr image ls --help", "ctr help images"] {
        host.sh(line).ok().stdout_has("List images").stdout_has("--digests");
    }
    let version = env!("CARGO_PKG_VERSION");
    host.sh("ctr --version").ok().stdout_is(&format!("ctr version {version}\n"));
    host.sh("ctr version -f '{{.Client.Version}}'").ok().stdout_is(&format!("{version}\n"));
    host.sh("ctr version").ok().stdout_has(&format!(" Version:    {version}\n"));
}

fn what_is_not_there_is_refused() {
    let host = Host::new();
    for flag in [
        "--link-local-ip ::1",
        "--runtime runc",
        "--gpus all",
        "--volume-driver x",
        "--cpu-rt-period 1",
        "-d --annotation a=b",
    ] {
        host.sh(&format!("ctr run {flag} busybox true")).fails(125).stderr_has("not there yet");
    }
    host.sh("ctr compose").fails(1).stderr_has("not there yet");
    assert!(!host.root().exists(), "something was made");
}

fn finds_its_tools_beside_itself() {
    let host = Host::new();
    let bin = suite::suite().bin();
    let path = suite::system_path();
    host.cmd("sh", &["-c", &format!("{}/ctr version -f json", bin.display())]).env("PATH", &path).run().ok();
    // Under another name and elsewhere, by PATH.
    host.sh(&format!("mkdir d && ln -s {}/ctr d/name && d/name version -f json", bin.display())).ok();
}

fn formats_are_checked() {
    let host = Host::new();
    let fmt = |format: &str| host.cmd("ctr-fmt", &[format]).stdin("{\"a\":{\"b\":[1,2]}}\n{\"a\":{\"b\":[]}}").run();
    fmt("{{len .a.b}}").ok().stdout_is("2\n0\n");
    fmt("table {{.a.b}}\t{{json .a}}").ok().stdout_is("B         A\n[1 2]     {\"b\":[1,2]}\n[]        {\"b\":[]}\n");
    fmt("{{.c}}").fails(1).stderr_has(".c");
    fmt("{{").fails(2).stdout_is("");
    fmt("{{nothing}}").fails(2).stderr_has("nothing");
    host.cmd("ctr-fmt", &["{{.a}}"]).stdin("{\"a\":1} not json").run().fails(1).stdout_is("1\n");
    host.cmd("ctr-fmt", &["{{.a}}"]).stdin("{\"a\":1} 7").run().exits(7).stdout_is("1\n");
    let error = r#"{"ctr":1,"error":{"tool":"x","code":"io","message":"m","exit":125}}"#;
    host.cmd("ctr-fmt", &["table {{.a}}"]).stdin(error).run().exits(125).stdout_is("");
    host.sh("yes '{\"a\":1}' | ctr-fmt '{{.a}}' | head -n 1").ok().stdout_is("1\n");
}

/// The lines of a help text that are flags, as (`--long`, whether it has a value).
fn flags(help: &str) -> Vec<(String, bool)> {
    // The rest of a wrapped `[aliases: --name]` is no flag.
    let rest = |line: &str| line.ends_with(']') && !line.contains(' ');
    let lines = help.lines().map(str::trim).filter(|line| line.starts_with('-') && !rest(line));
    lines
        .filter_map(|line| {
            let at = line.find("--")?;
            let long = line[at..].split_whitespace().next()?.trim_end_matches("...");
            Some((long.to_owned(), line[at + long.len()..].trim_start_matches("...").starts_with(" <")))
        })
        .collect()
}

fn flags_that_are_handed_on_are_taken() {
    let host = Host::new();
    let mut handed_on = 0;
    for (command, operands) in [
        ("run", "x"),
        ("create", "x"),
        ("pull", "x"),
        ("images", ""),
        ("rmi", "x"),
        ("load", ""),
        ("import", "-"),
        ("rm", "x"),
        ("ps", ""),
        ("exec", "x y"),
        ("logs", "x"),
        ("start", "x"),
        ("stop", "x"),
        ("kill", "x"),
        ("wait", "x"),
        ("attach", "x"),
        ("cp", "x:/ y"),
        ("commit", "x"),
        ("export", "x"),
        ("events", ""),
        ("container prune", ""),
        ("update", "x"),
    ] {
        for (flag, has_value) in flags(&host.sh(&format!("ctr {command} --help")).ok().text()) {
            if ["--help", "--pull", "--network", "--wait", "--rm", "--cgroups"].contains(&flag.as_str())
                || (command == "create" && flag == "--detach")
            {
                continue;
            }
            let value = if has_value { "=-v" } else { "" };
            let plan = host.sh(&format!("ctr --show {command} {flag}{value} {operands}")).ok().text();
            for stage in plan.split(" | ").map(str::trim) {
                let words: Vec<&str> = stage.split(' ').take_while(|w| *w != "--" && *w != "||").collect();
                // A value that begins with a hyphen makes the flag's long name be used.
                let Some(tool) = words.iter().find(|w| suite::tools().iter().any(|tool| tool == *w)) else { continue };
                let known = format!("{flag}{value}");
                if words.iter().any(|word| *word == known) {
                    let taken = flags(&host.tool(tool, &["--help"]).ok().text());
                    assert!(taken.contains(&(flag.clone(), has_value)), "{tool} does not take {flag}: {plan}");
                    handed_on += 1;
                }
            }
        }
    }
    assert!(handed_on > 60, "only {handed_on} flags were seen to be handed on");
}
