//! Checks documents against the published JSON Schema (`man/ctr-document.schema.json`), by Debian's
//! python3-jsonschema: another's reading of the schema, not ours.

use crate::{Cmd, Value, suite};

const CHECK: &str = r"
import json, sys, jsonschema
schema = json.load(open(sys.argv[1]))
kind = jsonschema.validators.validator_for(schema)
kind.check_schema(schema)
for line in sys.stdin:
    for e in kind(schema).iter_errors(json.loads(line)):
        print('/'.join(map(str, e.absolute_path)), e.message[:300])
";

/// What in `documents` the schema does not allow, one line each.
pub fn errors(documents: &[Value]) -> String {
    let schema = suite::repository().join("man/ctr-document.schema.json");
    let input: String = documents.iter().map(|doc| format!("{doc}\n")).collect();
    let ran = Cmd::new("/usr/bin/python3").args(&["-c", CHECK]).arg(schema).stdin(input).run();
    assert!(ran.status == 0, "{ran}");
    ran.text()
}

/// Every document is one that the schema allows.
#[track_caller]
pub fn assert_valid(documents: &[Value]) {
    let errors = errors(documents);
    assert!(errors.is_empty(), "not allowed by ctr-document.schema.json:\n{errors}");
}
