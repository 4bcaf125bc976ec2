//! The commands about this machine and this release.

use crate::{
    Plan,
    flags::{Flag, Given, usage, value},
    pipe::{Stage, printed},
};
use ctr_core::Result;

/// `ctr info` and `ctr version`
pub const FORMAT: &[Flag] = &[value("format", "FORMAT", "A TEMPLATE, or `json`").short('f')];

/// docker's lines for `info`, and what this machine can and cannot do.
const INFO: &str = "\
Client:
 Version:    {{.ClientInfo.Version}}

Server:
 Containers: {{.Containers}}
  Running: {{.ContainersRunning}}
  Paused: {{.ContainersPaused}}
  Stopped: {{.ContainersStopped}}
 Images: {{.Images}}
 Layers: {{.Layers}}
 Server Version: {{.ServerVersion}}
 Storage Driver: {{.Driver}}
 Cgroup Driver: {{.CgroupDriver}}
 Cgroup Version: {{.CgroupVersion}} ({{.Cgroup.Layout}}: {{.Cgroup.Controllers | join \" \"}})
 Isolation:{{range $name, $works := .Isolation}}
  {{$name}}: {{if eq $works true}}yes{{else if $works}}{{$works}}{{else}}no{{end}}{{end}}
 Kernel Version: {{.KernelVersion}}
 Operating System: {{.OperatingSystem}}
 OSType: {{.OSType}}
 Architecture: {{.Architecture}}
 CPUs: {{.NCPU}}
 Total Memory: {{size .MemTotal}}
 Name: {{.Name}}
 Root Dir: {{.DockerRootDir}}
 Run Dir: {{.RunDir}}{{range .Warnings}}
WARNING: {{.}}{{end}}";

/// docker's lines for `version`.
const VERSION: &str = "\
Client:
 Version:    {{.Client.Version}}
 Document:   {{.Client.Document}}
 OS/Arch:    {{.Client.Os}}/{{.Client.Arch}}
 Kernel:     {{.Client.KernelVersion}}";

/// What this machine can do and what the store holds.
pub fn info(given: &Given) -> Result<Plan> {
    print(given, Stage::new("ctr-info"), INFO)
}

/// The release.
pub fn version(given: &Given) -> Result<Plan> {
    print(given, Stage::new("ctr-info").words(["--versions"]), VERSION)
}

fn print(given: &Given, gather: Stage, lines: &str) -> Result<Plan> {
    if let Some(word) = given.operands.first() {
        return Err(usage(format!("unexpected {word:?}")));
    }
    let format = given.last("format").unwrap_or(lines);
    Ok(Plan::of(printed(&gather, &Stage::new("ctr-fmt").operands([format]))))
}
