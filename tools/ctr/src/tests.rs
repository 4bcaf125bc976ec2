//! docker command line → pipe: the table that says what each command is.

#![allow(clippy::unwrap_used)]

use crate::{Plan, plan};
use ctr_core::{Code, Result};

/// Words as a shell would split them, without its other rules: single quotes only.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (i, part) in line.split('\'').enumerate() {
        if i % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_ascii_whitespace().map(str::to_owned));
        }
    }
    words
}

fn planned(line: &str) -> Result<Plan> {
    plan(&words(line))
}

/// The pipe without what every `run` that keeps its container has.
fn pipe_of(line: &str) -> String {
    planned(line).unwrap().line.replace(" --rm=failed", "").replace(" --provisional", "")
}

const PULL: &str = "img-pull --stream --pull missing";

#[test]
fn run_deals_its_flags_out_to_the_tools() {
    for (line, pipe) in [
        ("run busybox", "PULL busybox | img-unpack | overlay-mount | net-attach | cg-limit | ns-spawn"),
        (
            "run --rm busybox true",
            "PULL busybox | img-unpack | overlay-mount --volatile | net-attach | cg-limit | ns-spawn --rm -- true",
        ),
        (
            "run --rm -it --name web busybox sh",
            "PULL busybox | img-unpack | overlay-mount --volatile --name web | net-attach | cg-limit | ns-spawn -it --rm -- sh",
        ),
        ("container run -t busybox", "PULL busybox | img-unpack | overlay-mount | net-attach | cg-limit | ns-spawn -t"),
        (
            "run -i --rm busybox wc -c",
            "{ PULL busybox | img-unpack | overlay-mount --volatile \
             | net-attach | cg-limit | ns-spawn -f /dev/fd/3 -i --rm -- wc -c 3<&0 0<&4; } 4<&0",
        ),
        // What follows the image is the command's, whatever it looks like.
        (
            "run busybox ls --rm -it -- x",
            "PULL busybox | img-unpack | overlay-mount | net-attach | cg-limit | ns-spawn -- ls --rm -it -- x",
        ),
        ("run --rm=false -i=0 busybox", "PULL busybox | img-unpack | overlay-mount | net-attach | cg-limit | ns-spawn"),
        (
            "run --pull=always -q --platform linux/arm64 a/b:c",
            "img-pull --stream --pull always -q --platform linux/arm64 a/b:c | img-unpack | overlay-mount | net-attach | cg-limit | ns-spawn",
        ),
        (
            "run -l a=b --label 'c=d e' --read-only --name x --name y img",
            "PULL img | img-unpack | overlay-mount -l a=b -l 'c=d e' --read-only --name y | net-attach | cg-limit | ns-spawn",
        ),
        (
            "run -e A=b -eC -e 'D=it is $HOME' --env-file f -w /x -u 1000:1000 -h host --init img",
            "PULL img | img-unpack | overlay-mount \
             | net-attach | cg-limit | ns-spawn -e A=b -e C -e 'D=it is $HOME' --env-file f -w /x -u 1000:1000 --hostname host --init",
        ),
        (
            "run --entrypoint '' --ulimit nofile=10:20 --group-add 5 --add-host a:1.2.3.4 --sysctl net.a=1 img",
            "PULL img | img-unpack | overlay-mount \
             | net-attach | cg-limit | ns-spawn --entrypoint= --ulimit nofile=10:20 --group-add 5 --add-host a:1.2.3.4 --sysctl net.a=1",
        ),
        (
            "run --cap-add ALL --cap-drop NET_RAW --privileged --security-opt seccomp=unconfined --shm-size 1g img",
            "PULL img | img-unpack | overlay-mount \
             | net-attach | cg-limit --privileged | ns-spawn --cap-add ALL --cap-drop NET_RAW --privileged --security-opt seccomp=unconfined --shm-size 1g",
        ),
        (
            "run -m 64m --memory-swap -1 --cpus 1.5 -c 512 --device /dev/null:/dev/x:r --device /dev/zero img",
            "PULL img | img-unpack | overlay-mount \
             | net-attach | cg-limit -m 64m --memory-swap=-1 --cpus 1.5 -c 512 --device /dev/null:/dev/x:r --device /dev/zero | ns-spawn",
        ),
        ("run --cgroups disabled img", "PULL img | img-unpack | overlay-mount | net-attach | ns-spawn"),
        (
            "run -p 80:80 --publish=81:81 --expose 82 -P --net web --dns 192.0.2.1 --ip 10.9.0.2 img",
            "PULL img | img-unpack | overlay-mount \
             | net-attach --network web -p 80:80 -p 81:81 --expose 82 -P --dns 192.0.2.1 --ip 10.9.0.2 | cg-limit | ns-spawn",
        ),
        (
            "run --network a --network name=b,alias=c --network-alias d --ip6 fd00::2 img",
            "PULL img | img-unpack | overlay-mount \
             | net-attach --network a --network name=b,alias=c --network-alias d --ip6 fd00::2 | cg-limit | ns-spawn",
        ),
        ("run -P --network none img", "PULL img | img-unpack | overlay-mount | cg-limit | ns-spawn --network none"),
        ("run --net host img", "PULL img | img-unpack | overlay-mount | cg-limit | ns-spawn --network host"),
        (
            "run --pid container:x img",
            "PULL img | img-unpack | overlay-mount | net-attach | cg-limit | ns-spawn --pid container:x",
        ),
        (
            "run --oom-score-adj -5 img",
            "PULL img | img-unpack | overlay-mount | net-attach | cg-limit | ns-spawn --oom-score-adj=-5",
        ),
        ("run -d=false img", "PULL img | img-unpack | overlay-mount | net-attach | cg-limit | ns-spawn"),
        ("run -- -img", "PULL -- -img | img-unpack | overlay-mount | net-attach | cg-limit | ns-spawn"),
        (
            "run img sh -c 'echo \"$A\" `x` | y; z'",
            "PULL img | img-unpack | overlay-mount | net-attach | cg-limit | ns-spawn -- sh -c 'echo \"$A\" `x` | y; z'",
        ),
    ] {
        assert_eq!(pipe_of(line), pipe.replace("PULL", PULL), "{line}");
    }
    assert!(planned("run busybox").unwrap().line.ends_with("| ns-spawn --rm=failed"));
    assert!(planned("run -it img").unwrap().terminal);
    assert!(!planned("run -t img").unwrap().terminal);
}

#[test]
fn commands_about_images() {
    const TABLE: &str =
        "ctr-fmt --view image 'table {{.Repository}}\\t{{.Tag}}\\t{{.ID}}\\t{{.CreatedSince}}\\t{{.Size}}'";
    for (line, pipe) in [
        ("pull busybox", "img-pull --stream busybox | img-unpack | ctr-fmt '{{.image.ref}}'"),
        (
            "image pull -q --platform linux/arm64 a",
            "img-pull --stream -q --platform linux/arm64 a | img-unpack | ctr-fmt '{{.image.ref}}'",
        ),
        ("images", &format!("{{ img-ls || echo $?; }} | {TABLE}")),
        ("image ls -a", &format!("{{ img-ls || echo $?; }} | {TABLE}")),
        (
            "image list --filter dangling=true -f 'label=a b' 'busy*'",
            &format!("{{ img-ls -f dangling=true -f 'label=a b' 'busy*' || echo $?; }} | {TABLE}"),
        ),
        ("images -q", "{ img-ls || echo $?; } | ctr-fmt --view image '{{.ID}}'"),
        ("images -q --no-trunc", "{ img-ls || echo $?; } | ctr-fmt --view image --no-trunc '{{.ID}}'"),
        ("images --format '-{{.ID}}'", "{ img-ls || echo $?; } | ctr-fmt --view image -- '-{{.ID}}'"),
        ("images --tree --format json", "{ img-ls --layers || echo $?; } | ctr-fmt json"),
        ("images --format json", "{ img-ls || echo $?; } | ctr-fmt --view image json"),
        ("images -q --format '{{.Tag}}'", "{ img-ls || echo $?; } | ctr-fmt --view image '{{.Tag}}'"),
        (
            "rmi -f a b",
            "{ img-rm -f a b || echo $?; } | ctr-fmt '{{range $done, $what := .}}{{$done}}: {{$what}}{{end}}'",
        ),
        ("tag a b:c", "img-tag a b:c"),
        (
            "load -i 'a file.tar'",
            "img-load -i 'a file.tar' | img-unpack \
             | ctr-fmt '{{range $i, $name := .loaded}}{{if $i}}\\n{{end}}Loaded image: {{$name}}{{end}}'",
        ),
        (
            "import - a:b -c 'CMD [\"sh\"]' -m text",
            "img-import -c 'CMD [\"sh\"]' -m text - a:b | img-unpack | ctr-fmt '{{.image.id}}'",
        ),
        ("commit c", "ctr-commit c '' | ctr-fmt '{{.image.id}}'"),
        (
            "container commit -p -a me -m 'a word' -c 'CMD [\"sh\"]' c a:b",
            "ctr-commit -a me -m 'a word' -c 'CMD [\"sh\"]' c a:b | ctr-fmt '{{.image.id}}'",
        ),
        ("commit --pause=false c a", "ctr-commit --pause=false c a | ctr-fmt '{{.image.id}}'"),
        ("image inspect a b", "{ img-inspect a b || echo $?; } | ctr-fmt"),
        ("image inspect -f '{{.Id}}' a", "{ img-inspect a || echo $?; } | ctr-fmt '{{.Id}}'"),
    ] {
        assert_eq!(pipe_of(line), pipe, "{line}");
    }
}

#[test]
fn detached_ones_print_their_id() {
    const PIPE: &str = "img-pull --stream --pull missing img | img-unpack | overlay-mount";
    for (line, pipe) in [
        ("run -d img", format!("{PIPE} | net-attach | cg-limit | ns-spawn -dq")),
        (
            "run -dit --restart always --health-cmd 'a b' img c",
            format!("{PIPE} | net-attach | cg-limit | ns-spawn -dq -it --restart always --health-cmd 'a b' -- c"),
        ),
        ("run -d --rm img", format!("{PIPE} --volatile | net-attach | cg-limit | ns-spawn -dq --rm")),
        ("create --rm --name x img", format!("{PIPE} --name x | net-attach | cg-limit | ns-spawn --create -q --rm")),
        (
            "run -d --wait healthy:60s img",
            format!(
                "id=$({PIPE} | net-attach | cg-limit | ns-spawn -dq) && echo \"$id\" \
                 && ctr-wait --condition healthy --timeout 60s \"$id\" >/dev/null"
            ),
        ),
    ] {
        assert_eq!(pipe_of(line), pipe, "{line}");
    }
    for line in ["run --wait healthy img", "run -d --wait soon img", "create -d img"] {
        assert_eq!(planned(line).unwrap_err().code, Code::Usage, "{line}");
    }
}

#[test]
fn commands_about_containers_and_the_machine() {
    const PRUNED: &str = "{{if .ContainersDeleted}}Deleted Containers:\\n{{range .ContainersDeleted}}{{println .}}{{end}}\\n\
                          {{end}}Total reclaimed space: {{size .SpaceReclaimed}}";
    for (line, pipe) in [
        ("rm a b", "ctr-rm a b"),
        ("port web 80/udp", "ctr-port web 80/udp"),
        ("port ls web", "ctr-port web"),
        ("port add 80", "ctr-port add 80"),
        ("port add web 8080:80 53:53/udp", "ctr-port --add 8080:80 --add 53:53/udp web"),
        ("port rm web 8080", "ctr-port --rm 8080 web"),
        (
            "network create --subnet 10.1.0.0/16 -o mtu=1400 --internal a",
            "ctr-network create --subnet 10.1.0.0/16 -o mtu=1400 --internal a",
        ),
        ("network ls -q", "{ ctr-network ls || echo $?; } | ctr-fmt --view network '{{.ID}}'"),
        ("volume ls", "{ ctr-volume ls || echo $?; } | ctr-fmt --view volume table"),
        ("network inspect -f json a", "{ ctr-network inspect a || echo $?; } | ctr-fmt json"),
        ("network connect --alias x --ip 10.1.0.2 a b", "ctr-network connect --alias x --ip 10.1.0.2 a b"),
        ("network disconnect -f a b", "ctr-network disconnect -f a b"),
        ("network rm a b", "ctr-network rm a b"),
        (
            "network prune -f",
            "{ ctr-network prune -f || echo $?; } | ctr-fmt --skip-empty '{{if .NetworksDeleted}}Deleted Networks:\\n\
             {{range .NetworksDeleted}}{{println .}}{{end}}{{end}}'",
        ),
        (
            "volume prune -af",
            "{ ctr-volume prune -a -f || echo $?; } | ctr-fmt '{{if .VolumesDeleted}}Deleted Volumes:\\n\
             {{range .VolumesDeleted}}{{println .}}{{end}}\\n{{end}}Total reclaimed space: {{size .SpaceReclaimed}}'",
        ),
        ("volume mount a b:/b", "vol-mount --into a b:/b"),
        (
            "volume mount --tmpfs /m -v b:/b --mount type=bind,src=/c,dst=/c a",
            "vol-mount --into a --tmpfs /m -v b:/b --mount type=bind,src=/c,dst=/c",
        ),
        ("container rm -f a", "ctr-rm -f a"),
        ("inspect --type image a", "{ img-inspect a || echo $?; } | ctr-fmt"),
        ("inspect --type network a", "{ ctr-network inspect a || echo $?; } | ctr-fmt"),
        ("inspect --type=volume -f json a", "{ ctr-volume inspect a || echo $?; } | ctr-fmt json"),
        ("inspect --type image -f '' a", "{ img-inspect a || echo $?; } | ctr-fmt"),
        ("container inspect -s a", "{ ctr-inspect --docker -s a || echo $?; } | ctr-fmt"),
        ("ps -a -f name=x", "{ ctr-ls -a -f name=x || echo $?; } | ctr-fmt --view container table"),
        ("container ls -q --no-trunc", "{ ctr-ls || echo $?; } | ctr-fmt --view container --no-trunc '{{.ID}}'"),
        ("exec -it -u root web sh -c 'a b'", "ns-enter -i -t -u root -- web sh -c 'a b'"),
        ("exec web -- ls -l", "ns-enter -- web -- ls -l"),
        ("logs -f --tail 5 web", "ctr-logs -f -n 5 web"),
        ("start a b", "ctr-start a b"),
        ("start -a a", "ctr-start --hold a >/dev/null && ctr-attach --no-stdin a"),
        ("start -ai --detach-keys x a", "ctr-start --hold a >/dev/null && ctr-attach --detach-keys x a"),
        ("start --all-restart", "ctr-start --boot"),
        ("stop --time 3 a", "ctr-stop -t 3 a"),
        ("restart -t 3 a", "ctr-stop -t 3 a >/dev/null && ctr-start a"),
        (
            "restart a b",
            "s=0; { ctr-stop a >/dev/null && ctr-start a || s=$?; }; { ctr-stop b >/dev/null && ctr-start b || s=$?; }; \
             (exit $s)",
        ),
        ("kill -s HUP a", "ctr-kill -s HUP a"),
        ("unpause a", "ctr-pause --undo a"),
        ("wait --condition healthy a", "ctr-wait --condition healthy a"),
        ("top a -o pid", "ctr-top a -o pid"),
        (
            "stats",
            "{ cg-stat --running --list --prime 200ms --interval 1s 2>&1 || echo $?; } | ctr-fmt --view stats --live table",
        ),
        (
            "container stats --no-stream --no-trunc --format json a b",
            "{ cg-stat --prime 500ms a b || echo $?; } | ctr-fmt --view stats --no-trunc json",
        ),
        ("stats -a --no-stream", "{ cg-stat --all --prime 500ms || echo $?; } | ctr-fmt --view stats table"),
        ("cp - a:/x", "ctr-cp - a:/x"),
        ("update -m 1g --restart no a b", "ctr-update -m 1g --restart no a b"),
        ("container prune -f", &format!("{{ ctr-prune -f || echo $?; }} | ctr-fmt '{PRUNED}'")),
        ("save -o f busybox a:b", "img-save -o f busybox a:b"),
        ("image save --format oci-archive a", "img-save --format oci-archive a"),
        ("history a", "{ img-history a || echo $?; } | ctr-fmt --view history table"),
        (
            "history -H=false --no-trunc a",
            "{ img-history a || echo $?; } | ctr-fmt --view history --exact --no-trunc \
             'table {{.ID}}\\t{{.CreatedAt}}\\t{{.CreatedBy}}\\t{{.Size}}\\t{{.Comment}}'",
        ),
        ("history -q --no-trunc a", "{ img-history a || echo $?; } | ctr-fmt --view history --no-trunc '{{.ID}}'"),
        (
            "image diff --json a b",
            "img-pull --pull never a | img-unpack >/dev/null && img-pull --pull never b | img-unpack >/dev/null && \
             img-diff --json a b",
        ),
        ("system df", "{ ctr-df || echo $?; } | ctr-fmt --view usage table"),
        ("system df --format json", "{ ctr-df || echo $?; } | ctr-fmt --view usage json"),
        ("fsck --repair --format json", "{ ctr-fsck --repair || echo $?; } | ctr-fmt json"),
        ("info -f '{{.Driver}}'", "{ ctr-info || echo $?; } | ctr-fmt '{{.Driver}}'"),
        ("version -f json", "{ ctr-info --versions || echo $?; } | ctr-fmt json"),
        ("help", "ctr-plan --print-help"),
        ("", "ctr-plan --print-help"),
        ("help run", "ctr-plan --print-help run"),
        ("run --rm --help x", "ctr-plan --print-help run"),
        ("image ls --help", "ctr-plan --print-help image ls"),
        ("image", "ctr-plan --print-help image"),
    ] {
        assert_eq!(pipe_of(line), pipe, "{line}");
    }
}

#[test]
fn what_is_not_there_says_so() {
    use Code::{Unsupported, Usage};
    for (line, code, part) in [
        ("nope", Usage, "'nope' is not a ctr command"),
        ("image nope", Usage, "'image nope' is not a ctr command"),
        ("compose", Unsupported, "compose: not there yet"),
        ("image push", Unsupported, "image push: not there yet"),
        ("--debug run x", Usage, "unknown flag --debug"),
        ("run", Usage, "an image is missing"),
        ("exec a", Usage, "exec needs a container and a command"),
        ("ps a", Usage, "ps takes no operand"),
        ("logs a b", Usage, "logs needs one container"),
        ("start -a a b", Usage, "start attaches to one container"),
        ("run --nope x", Usage, "unknown flag --nope"),
        ("run --network a --network none x", Usage, "network none stands alone"),
        ("run --network none -p 80:80 x", Usage, "-p needs a network, not none"),
        ("network connect a", Usage, "network connect needs a network and a container"),
        ("port add web", Usage, "port add needs a container and ports"),
        ("network create", Usage, "network create needs one name"),
        ("network create --attachable x", Unsupported, "--attachable: not there yet"),
        ("network ls x", Usage, "network ls takes no operand"),
        ("port", Usage, "port needs a container"),
        ("run --volume-driver nfs -v a:/b x", Unsupported, "--volume-driver: not there yet"),
        ("run --cpu-rt-period 1 x", Unsupported, "--cpu-rt-period: not there yet"),
        ("run --cgroups disabled -m 64m x", Usage, "limits and devices are set by control groups"),
        ("run --cgroups split x", Usage, "--cgroups is enabled or disabled"),
        ("update a", Usage, "update needs something to change"),
        ("update -m 1g", Usage, "update needs a container"),
        ("run --pull now x", Usage, "--pull is always, missing or never"),
        ("pull -a x", Unsupported, "--all-tags: not there yet"),
        ("pull", Usage, "pull needs one image"),
        ("tag a", Usage, "tag needs"),
        ("save", Usage, "save needs an image"),
        ("history", Usage, "history needs one image"),
        ("images --tree --format '{{.ID}}'", Usage, "--tree has a form of its own"),
        ("images --tree -q", Usage, "--tree and --quiet"),
        ("images --tree --digests", Usage, "--tree has no column of digests"),
        ("image prune x", Usage, "prune takes no operand"),
        ("image diff a", Usage, "image diff needs two images"),
        ("save --platform x a", Unsupported, "--platform: not there yet"),
        ("system df x", Usage, "system df takes no operand"),
        ("system df -v --format json", Usage, "-v has its own tables"),
        ("fsck x", Usage, "fsck takes no operand"),
        ("load x", Usage, "load takes no operand"),
        ("import https://x", Unsupported, "import: not there yet"),
        ("inspect --type pod x", Usage, "--type is container, image, network or volume"),
        ("rm", Usage, "rm needs a container"),
    ] {
        let e = planned(line).unwrap_err();
        assert_eq!(e.code, code, "{line}: {e}");
        assert!(e.message.contains(part), "{line}: {e}");
    }
}

#[test]
fn what_is_nearly_a_command_is_told() {
    for (line, hint) in [
        ("imagse", "did you mean 'ctr image' or 'ctr images'?"),
        ("comit web", "did you mean 'ctr commit'?"),
        ("volume inspct x", "did you mean 'ctr volume inspect' or 'ctr volume list'?"),
        ("netwrok ls", "did you mean 'ctr network'?"),
        ("zzzz", "see ctr help"),
        ("image zzzz", "see ctr help"),
    ] {
        assert_eq!(planned(line).unwrap_err().hint.as_deref(), Some(hint), "{line}");
    }
}

#[test]
fn help_is_there_for_every_command() {
    for verb in crate::verbs::VERBS {
        for name in verb.names {
            let text = crate::help::text(&words(name));
            assert!(text.contains(verb.about) && text.contains(&format!("Usage: ctr {name}")), "{name}: {text}");
        }
    }
    crate::command().debug_assert();
}

#[test]
fn inspect_looks_for_each_kind_in_turn() {
    let each = |name: &str, flags: &str| {
        format!(
            "{{ ctr-inspect{flags} --if-any {name}; }} || {{ [ $? = 3 ] && img-inspect --if-any {name}; }} \
             || {{ [ $? = 3 ] && ctr-network inspect --if-any {name}; }} \
             || {{ [ $? = 3 ] && ctr-volume inspect --if-any {name}; }} \
             || {{ [ $? = 3 ] && printf '%s\\n' 'ctr: no container, image, network or volume {name}' >&2; echo 1; }};"
        )
    };
    for (line, pipe) in [
        ("inspect a", format!("{{ {} }} | ctr-fmt", each("a", " --docker"))),
        ("inspect --document a", format!("{{ {} }} | ctr-fmt json", each("a", ""))),
        (
            "inspect --document -f '{{json .}}' a b",
            format!("{{ {} {} }} | ctr-fmt '{{{{json .}}}}'", each("a", ""), each("b", "")),
        ),
    ] {
        assert_eq!(pipe_of(line), pipe, "{line}");
    }
}

#[test]
fn a_word_of_a_group_alone_is_told_whole() {
    for (line, name) in [("df", "ctr system df"), ("prune", "ctr system prune"), ("connect", "ctr network connect")] {
        let e = planned(line).unwrap_err();
        assert_eq!(e.hint.as_deref(), Some(format!("did you mean '{name}'?").as_str()), "{line}");
    }
}

#[test]
fn h_is_help_where_it_is_no_other_flag() {
    for (line, pipe) in [
        ("network create -h", "ctr-plan --print-help network create"),
        ("cp -h", "ctr-plan --print-help cp"),
        ("network -h", "ctr-plan --print-help network"),
        ("exec web ls -h", "ns-enter -- web ls -h"),
    ] {
        assert_eq!(pipe_of(line), pipe, "{line}");
    }
    assert!(pipe_of("run -h host img").contains("--hostname host"));
}

#[test]
fn an_empty_format_is_none() {
    for (empty, none) in [("ps --format ''", "ps"), ("ps -q --format=", "ps -q"), ("fsck --format ''", "fsck")] {
        assert_eq!(pipe_of(empty), pipe_of(none), "{empty}");
    }
    assert!(pipe_of("fsck --format '{{.name}}'").contains("ctr-fsck --findings "));
    assert!(!pipe_of("fsck --format json").contains("--findings"));
}
