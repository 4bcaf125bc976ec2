//! What this machine can do and what the store holds, as one JSON object with docker's names where docker has them.

mod cgroup;
mod machine;
mod probe;
mod stored;

use clap::Args;
use ctr_core::{DOCUMENT_VERSION, Map, Result, Value, json, paths, print_line};

/// The tool's name.
pub const NAME: &str = "ctr-info";
/// The first line of its help.
pub const ABOUT: &str = "Tell what this machine can do and what the store holds, as JSON";

/// The arguments of ctr-info(1).
#[derive(Args, Debug)]
pub struct CtrInfo {
    /// Only the release: the object that docker's `version --format` is about
    #[arg(long)]
    versions: bool,
}

/// Prints one object.
///
/// # Errors
/// What reading the store gives; what the machine does not tell is null.
pub fn run(args: CtrInfo) -> Result<()> {
    if args.versions {
        return print_line(&versions());
    }
    let mut all = Map::new();
    all.insert("ClientInfo".to_owned(), json!({"Version": VERSION, "Document": DOCUMENT_VERSION}));
    all.insert("ServerVersion".to_owned(), json!(VERSION));
    all.extend(stored::counts()?);
    all.insert("Driver".to_owned(), json!("overlay"));
    all.insert("DockerRootDir".to_owned(), json!(paths::root()));
    all.insert("RunDir".to_owned(), json!(paths::run()));
    all.extend(machine::facts());
    all.extend(cgroup::facts());
    // Last, for the probes leave this process in namespaces of its own.
    let isolation = probe::all();
    all.insert("Warnings".to_owned(), json!(warnings(&isolation)));
    all.insert("Isolation".to_owned(), Value::Object(isolation));
    print_line(&Value::Object(all))
}

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Client and server are one: there is no daemon.
fn versions() -> Value {
    let kernel = machine::kernel_release();
    let (os, arch) = ("linux", machine::architecture());
    json!({
        "Client": {"Version": VERSION, "Document": DOCUMENT_VERSION, "Os": os, "Arch": arch, "KernelVersion": kernel},
        "Server": {"Version": VERSION, "Os": os, "Arch": arch, "KernelVersion": kernel},
    })
}

/// One line for each part of isolation that containers are built on and cannot have here.
fn warnings(isolation: &Map<String, Value>) -> Vec<String> {
    let optional = ["landlock", "apparmor", "selinux"];
    let missing =
        isolation.iter().filter(|(name, works)| **works == json!(false) && !optional.contains(&name.as_str()));
    missing.map(|(name, _)| format!("no {name} for this user on this kernel")).collect()
}
