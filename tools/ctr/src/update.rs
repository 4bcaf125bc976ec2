//! `ctr update`: other limits for containers that are there.

use crate::{
    Plan,
    flags::{Flag, Given, joined, usage, value},
    limits,
    pipe::Stage,
};
use ctr_core::Result;

const TOOL: &str = "ctr-update";

/// What is there, and what is refused.
pub const UPDATE: &[Flag] = &joined::<{ limits::COUNT + OTHERS.len() }>(&[&limits::of(TOOL), OTHERS]);

const OTHERS: &[Flag] = &[
    value("restart", "POLICY", "When to start it again: no, on-failure[:MAX], always, unless-stopped").to(TOOL),
    value("cpu-rt-period", "", "").not_yet("limits for real-time processes"),
    value("cpu-rt-runtime", "", "").not_yet("limits for real-time processes"),
];

/// Changes them one after the other.
pub fn update(given: &Given) -> Result<Plan> {
    if given.operands.is_empty() {
        return Err(usage("update needs a container"));
    }
    let words = given.for_tool(TOOL);
    if words.is_empty() {
        return Err(usage("update needs something to change").hint("ctr update --help"));
    }
    Ok(Plan::of(Stage::new(TOOL).words(words).operands(&given.operands).to_string()))
}
