//! What templates print, beside what docker's Go prints for the same.

#![allow(clippy::unwrap_used)]

use super::Template;
use crate::view::{Headers, View};
use ctr_core::{Code, json};
use proptest::prelude::*;

fn render(template: &str) -> Result<String, String> {
    let record = json!({
        "ID": "sha256:0123456789abcdef0123", "Name": "web", "N": 3, "Big": 4_261_502, "Yes": true, "No": false, "Nil": null,
        "State": {"Status": "running", "Pid": 7}, "Labels": {"b": "2", "a.b/c": "1"}, "Cmd": ["sh", "-c", "a b"],
        "Mixed": [1, null, {"k": "v"}], "F": 1.5, "Esc": "a\u{1b}[31m<&>"
    });
    Template::parse(template).and_then(|t| t.render(&record, false)).map_err(|e| format!("{:?}: {e}", e.code))
}

#[test]
fn templates_print_what_go_prints() {
    for (template, text) in [
        ("plain", "plain"),
        ("{{.Name}}\\t{{.N}}\\n", "web\t3\n"),
        ("{{range .Cmd}}{{.}}{{\"\\n\"}}{{end}}\\t|", "sh\n-c\na b\n\t|"),
        ("{{printf \"%s\\t%v\\n\" .Name .N}}{{join .Cmd \"\\n\"}}", "web\t3\nsh\n-c\na b"),
        ("{{.Name}}\\n{{- .N}}", "web3"),
        ("{{ .State.Status }}", "running"),
        ("x{{/* no */}}y", "xy"),
        ("{{json .State}}", r#"{"Status":"running","Pid":7}"#),
        ("{{json .Esc}}", "\"a\\u001b[31m<&>\""),
        (
            "{{.State}} {{.Cmd}} {{.Mixed}} {{.Nil}}",
            "map[Pid:7 Status:running] [sh -c a b] [1 <nil> map[k:v]] <no value>",
        ),
        ("{{range .Cmd}}[{{.}}]{{end}}", "[sh][-c][a b]"),
        ("{{range $i, $c := .Cmd}}{{if $i}}, {{end}}{{$i}}={{$c}}{{end}}", "0=sh, 1=-c, 2=a b"),
        ("{{range $k, $v := .Labels}}{{$k}}={{$v}};{{end}}", "a.b/c=1;b=2;"),
        ("{{range .Nil}}x{{else}}none{{end}}", "none"),
        ("{{if .Yes}}a{{else}}b{{end}}{{if .No}}a{{else if .N}}c{{else}}b{{end}}", "ac"),
        ("{{if .Absent}}a{{else}}b{{end}}{{with .Absent.Deeper}}c{{end}}", "b"),
        ("{{with .State}}{{.Pid}}{{$.Name}}{{end}}", "7web"),
        ("{{$x := .N}}{{if .Yes}}{{$x = 5}}{{end}}{{$x}}", "5"),
        ("{{index .Labels \"a.b/c\"}}{{index .Labels \"none\"}}{{index .Cmd 1}}", "1-c"),
        ("{{len .Cmd}}{{len .Name}}{{slice .Name 1 2}}", "33e"),
        ("{{upper .Name}}{{.Name | upper | lower}}{{title \"a bc\"}}", "WEBwebA Bc"),
        ("{{join .Cmd \",\"}}|{{split \"a:b\" \":\"}}", "sh,-c,a b|[a b]"),
        ("{{println .Name 1}}{{print 1 2 \"a\"}}{{print \"a\" \"b\"}}", "web 1\n1 2aab"),
        (
            "{{printf \"%-5s|%5s|%03d|%.1f|%q|%v|%%\" .Name .Name .N .F .Name .Yes}}",
            "web  |  web|003|1.5|\"web\"|true|%",
        ),
        ("{{.Name | printf \"%s-%s\" \"x\"}}", "x-web"),
        ("{{eq .N 3}}{{eq .Name \"a\" \"web\"}}{{ne .N 3}}{{lt .N 4}}{{ge .F 2}}", "truetruefalsetruefalse"),
        ("{{and .Yes .Name}}{{or .No .Absent \"d\"}}{{not .Yes}}", "webdfalse"),
        ("{{(index .Mixed 2).k}}{{with (.State)}}{{.Pid}}{{end}}", "v7"),
        ("a {{- .Name -}} b{{- /* c */ -}} d", "awebbd"),
        ("{{truncate .Name 2}}{{pad .Name 1 2}}|", "we web  |"),
        ("{{short .ID}} {{size .Big}}", "0123456789ab 4.26MB"),
        ("{{`raw \"x\"`}}{{\"q\\\"x\"}}", "raw \"x\"q\"x"),
        ("{{.Cmd | json}}", r#"["sh","-c","a b"]"#),
    ] {
        assert_eq!(render(template), Ok(text.to_owned()), "{template}");
    }
}

#[test]
fn what_dockers_records_leave_out_is_what_go_has_there() {
    let record = json!({
        "State": {"Status": "exited"}, "Config": {"Labels": {"a": "1"}, "Entrypoint": null}, "Options": null,
        "Mounts": [{"Type": "bind", "Source": "/s"}],
        "NetworkSettings": {"Networks": {"none": {"IPAddress": ""}}, "Ports": {"80/tcp": null}},
    });
    let render = |template: &str| Template::parse(template).and_then(|t| t.render(&record, false));
    for (template, text) in [
        ("{{.Config.Labels.x}}|{{.Config.Labels.org.x.y}}|{{.Config.Labels.a}}", "<no value>|<no value>|1"),
        ("{{index .Config.Labels \"x\"}}|{{.Options.type}}|{{.Options}}", "|<no value>|map[]"),
        ("{{with .Config}}{{with .Labels}}{{.x}}{{end}}{{end}}", "<no value>"),
        (
            "{{$c := .Config}}{{$c.Labels.x}}|{{json .Config.Labels.x}}|{{println .Config.Labels.x}}",
            "<no value>|null|<nil>\n",
        ),
        ("{{.State.Health}}|{{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}}", "<nil>|none"),
        ("{{json .State.Health}}|{{with .State}}{{.Health}}{{end}}", "null|<nil>"),
        ("{{range .Mounts}}[{{.Name}}{{.Driver}}{{.Source}}]{{end}}", "[/s]"),
        ("{{(index .Mounts 0).Name}}{{len (index .Mounts 0).Name}}", "0"),
        ("{{.Config.Entrypoint}} {{.Config.ExposedPorts}} {{.Config.User}}.", "[] map[] ."),
        ("{{.SizeRw}} {{index .NetworkSettings.Ports \"80/tcp\"}}", "<nil> []"),
        ("{{.NetworkSettings.Networks.none.IPAddress}}|{{.NetworkSettings.Networks.x.IPAddress}}", "|<no value>"),
        ("{{range $name, $on := .NetworkSettings.Networks}}{{$name}} {{$on.Aliases}}{{end}}", "none []"),
    ] {
        assert_eq!(render(template).map_err(|e| e.to_string()), Ok(text.to_owned()), "{template}");
    }
    for (template, part) in [
        ("{{.Nope}}", "no field .Nope"),
        ("{{.State.Nope}}", "no field .State.Nope"),
        ("{{range .Mounts}}{{.Nope}}{{end}}", "no field .Nope"),
        ("{{(index .Mounts 0).Nope}}", "no field .Nope"),
        ("{{.Labels.x}}", "no field .Labels"),
        ("{{.State.Health.Status}}", "no field .State.Health.Status: .State.Health has no value"),
        ("{{.NetworkSettings.Networks.none.Nope}}", "no field .NetworkSettings.Networks.none.Nope"),
        ("{{.Config.Labels.a.b}}", "no field .Config.Labels.a.b"),
        ("{{upper .Config.Labels.x}}", "upper of null"),
    ] {
        let error = render(template).unwrap_err();
        assert!(error.code == Code::Invalid && error.message.contains(part), "{template}: {error}");
    }
}

#[test]
fn what_is_no_template_is_an_error_of_usage() {
    for template in [
        "{{",
        "{{.Name",
        "{{end}}",
        "{{else}}",
        "{{if .N}}",
        "{{if .N}}{{else}}{{else}}{{end}}",
        "{{nosuch .N}}",
        "{{}}",
        "{{.N .N}}",
        "{{.N | .N}}",
        "{{upper lower}}",
        "{{\"a}}",
        "{{(.N}}",
        "{{.N)}}",
        "{{.A..B}}",
        "{{/* }}",
        "{{#}}",
        "{{range .Cmd}}{{else if .N}}{{end}}",
        "{{`}}",
        "{{1x}}",
    ] {
        let got = Template::parse(template).map(|_| ());
        assert_eq!(got.map_err(|e| e.code), Err(Code::Usage), "{template}");
    }
    assert!(Template::parse(&"{{if 1}}".repeat(100_000)).is_err());
    assert!(Template::parse(&format!("{{{{{}", "(".repeat(100_000))).is_err());
}

#[test]
fn a_record_that_does_not_fit_is_told_by_its_field() {
    for (template, part) in [
        ("{{.Absent}}", ".Absent"),
        ("{{.State.Absent.x}}", ".State.Absent"),
        ("{{upper .Absent}}", ".Absent"),
        ("{{upper .N}}", "upper of 3"),
        ("{{index .Cmd 9}}", "index 9"),
        ("{{range .N}}{{end}}", "range over 3"),
        ("{{lt .N .Name}}", "compare"),
        ("{{printf \"%d\" .Name}}", "%d"),
        ("{{printf \"%s\"}}", "too few"),
        ("{{printf \"%999999999d\" 1}}", "bad verb"),
        ("{{$nosuch}}", "$nosuch"),
    ] {
        let error = render(template).unwrap_err();
        assert!(error.starts_with("Invalid: ") && error.contains(part), "{template}: {error}");
    }
}

#[test]
fn headers_are_the_titles_of_the_fields() {
    let header = |template: &str, view| Template::parse(template).and_then(|t| t.header(&Headers(view)));
    assert_eq!(header("{{.ID}}\\t{{upper .CreatedAt}}", None).unwrap(), "ID\tCREATED AT");
    assert_eq!(header("{{.ID}}\t{{json .CreatedSince}}", Some(View::Image)).unwrap(), "IMAGE ID\tCREATED");
    assert_eq!(header("{{range .Ports}}{{.Host}}{{end}}{{if .A}}{{.B}}{{end}}", None).unwrap(), "HOSTB");
    assert_eq!(header("{{.State.Status}}", None).unwrap(), "STATUS");
    assert_eq!(
        header("{{.ID}}\t{{.Label \"org.x.my-tier\"}}", Some(View::Container)).unwrap(),
        "CONTAINER ID\tmy tier"
    );
    assert_eq!(header("{{.Nothing}}", Some(View::Image)).unwrap_err().code, Code::Usage);
}

proptest! {
    #[test]
    fn no_template_makes_it_panic(template in "[ -~]{0,40}|(\\{\\{|\\}\\}|if |range |end|else|with |\\.A|\\$x|:=| - |\\(|\\)|\"|printf |index |%[0-9]{0,9}d| ){0,12}") {
        let _ = render(&template);
        let _ = Template::parse(&template).map(|t| t.header(&Headers(None)));
    }
}
