//! net-attach as a plugin of CNI (Container Network Interface, SPEC.md 1.1): attaches the network namespace of another runtime's
//! container to a network of ours.

mod call;
mod result;
mod verbs;

use call::Call;
use ctr_core::{Code, Error, Value, json, print_line, trace};
use std::process::ExitCode;

/// The versions that are spoken, oldest first.
const VERSIONS: [&str; 3] = ["0.4.0", "1.0.0", "1.1.0"];
/// The latest.
const LATEST: &str = VERSIONS[VERSIONS.len() - 1];

/// A failure in CNI's words (SPEC.md, section 5, "Error").
#[derive(Debug)]
struct Failure {
    /// Below 100 the specification's, from there on ours: net-attach(1).
    code: u32,
    msg: String,
    details: Option<String>,
}

impl Failure {
    fn new(code: u32, msg: impl Into<String>) -> Self {
        Self { code, msg: msg.into(), details: None }
    }
}

impl From<Error> for Failure {
    fn from(e: Error) -> Self {
        let code = match e.code {
            Code::Version => 1,
            Code::Io => 5,
            Code::Invalid | Code::Usage => 7,
            Code::Busy => 11,
            Code::NotFound => 100,
            Code::Exists => 101,
            Code::Denied => 102,
            Code::Unsupported => 103,
            Code::Limit => 104,
            Code::Corrupt => 105,
            Code::Network | Code::Unauthorized => 106,
            Code::Internal => 199,
        };
        Self { code, msg: e.message, details: e.hint }
    }
}

/// Does what `CNI_COMMAND` says: configuration on stdin, a result or an error on stdout.
pub fn run(command: &str) -> ExitCode {
    trace::init("net-attach", false, false);
    let mut version = LATEST.to_owned();
    let answer = Call::read(command, &mut version).and_then(|call| match call.command.as_str() {
        "VERSION" => Ok(Some(json!({"cniVersion": version, "supportedVersions": VERSIONS}))),
        "ADD" => verbs::add(&call).map(Some),
        "DEL" => verbs::del(&call).map(|()| None),
        "CHECK" => verbs::check(&call).map(|()| None),
        "GC" => verbs::gc(&call).map(|()| None),
        _ => verbs::status(&call).map(|()| None),
    });
    let (text, status) = match answer {
        Ok(text) => (text, ExitCode::SUCCESS),
        Err(Failure { code, msg, details }) => {
            let mut error: Value = json!({"cniVersion": version, "code": code, "msg": msg});
            if let Some(details) = details {
                error["details"] = json!(details);
            }
            (Some(error), ExitCode::FAILURE)
        }
    };
    if let Some(Err(e)) = text.map(|text| print_line(&text)) {
        trace::warn(&e.to_string());
        return ExitCode::FAILURE;
    }
    status
}
