//! The suite: every tool by itself, the pipe as a whole, `ctr`. See `tests/README.md`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, missing_docs)]
// Text is built by format! where a test reads better so.
#![allow(clippy::format_collect, clippy::format_push_string)]

mod cg_limit;
mod cg_stat;
mod ctr;
mod ctr_attach;
mod ctr_commit;
mod ctr_cp;
mod ctr_df;
mod ctr_diff;
mod ctr_events;
mod ctr_export;
mod ctr_fmt;
mod ctr_fsck;
mod ctr_inspect;
mod ctr_kill;
mod ctr_logs;
mod ctr_ls;
mod ctr_pause;
mod ctr_prune;
mod ctr_rename;
mod ctr_stop;
mod ctr_top;
mod ctr_update;
mod ctr_wait;
mod detached;
mod harness;
mod images;
mod img_diff;
mod img_prune;
mod img_pull;
mod img_save;
mod img_squash;
mod img_unpack;
mod install;
mod lint;
mod living;
mod net_attach;
mod net_dns;
mod ns_enter;
mod ns_spawn;
mod overlay_mount;
mod pipe;
mod records;
mod run;
mod runtime;
mod runtime_escapes;
mod seccomp;
mod servers;
mod shelf;
mod store;
mod vol_mount;

use ctr_tests::{Test, leftovers::Snapshot, registry, suite};
use libtest_mimic::{Arguments, Trial};
use std::process::ExitCode;

/// Every module of tests, one line each.
fn all() -> Vec<Test> {
    let modules: &[fn() -> Vec<Test>] = &[
        cg_stat::tests,
        cg_limit::tests,
        ctr::tests,
        ctr_attach::tests,
        ctr_commit::tests,
        ctr_cp::tests,
        ctr_df::tests,
        ctr_diff::tests,
        ctr_events::tests,
        ctr_export::tests,
        ctr_fmt::tests,
        ctr_fsck::tests,
        ctr_inspect::tests,
        ctr_kill::tests,
        ctr_logs::tests,
        ctr_ls::tests,
        ctr_pause::tests,
        ctr_prune::tests,
        ctr_rename::tests,
        ctr_stop::tests,
        ctr_top::tests,
        ctr_update::tests,
        ctr_wait::tests,
        detached::tests,
        harness::tests,
        images::tests,
        img_diff::tests,
        img_prune::tests,
        img_pull::tests,
        img_save::tests,
        img_squash::tests,
        img_unpack::tests,
        install::tests,
        lint::tests,
        net_attach::tests,
        net_dns::tests,
        ns_enter::tests,
        ns_spawn::tests,
        overlay_mount::tests,
        pipe::tests,
        run::tests,
        runtime::tests,
        runtime_escapes::tests,
        seccomp::tests,
        servers::tests,
        shelf::tests,
        store::tests,
        vol_mount::tests,
    ];
    modules.iter().flat_map(|tests| tests()).collect()
}

fn main() -> ExitCode {
    if let Some(names) = std::env::var_os("CTR_TEST_MAKE_IMAGES") {
        names.to_string_lossy().split_whitespace().for_each(|name| drop(ctr_tests::images::layout(name)));
        return ExitCode::SUCCESS;
    }
    let mut args = Arguments::from_args();
    // Most tests wait for processes: more threads than cores.
    args.test_threads = args.test_threads.or(Some(4));
    if args.list {
        libtest_mimic::run(&args, trials()).exit();
    }
    ctr_tests::test::quiet_panics();
    ctr_tests::sys::default_interrupts();
    let before = Snapshot::take();
    let conclusion = libtest_mimic::run(&args, trials());
    registry::end();
    let mut left = suite::end();
    left.extend(before.more_now());
    for thing in &left {
        println!("left behind: {thing}");
    }
    // The machine as it was is a test too, passed or failed.
    let shared = std::env::var_os("CTR_TEST_SHARED_MACHINE").is_some();
    let clean = left.is_empty() || shared;
    let passed = conclusion.num_passed + u64::from(clean);
    let failed = conclusion.num_failed + u64::from(!clean);
    println!("{passed} passed, {failed} failed, {} skipped", conclusion.num_ignored);
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// All tests; where the variable `CTR_TEST_LIST` names a file, those that it lists; of these every `n`th from the `i`th,
/// where `CTR_TEST_PART` is `i/n`.
fn trials() -> Vec<Trial> {
    let list = std::env::var_os("CTR_TEST_LIST").map(|file| std::fs::read_to_string(file).unwrap());
    let listed = all().into_iter().filter(|test| list.as_ref().is_none_or(|list| test.is_in(list)));
    let (first, step) = part();
    listed.skip(first - 1).step_by(step).map(Trial::from).collect()
}

fn part() -> (usize, usize) {
    let Ok(part) = std::env::var("CTR_TEST_PART") else { return (1, 1) };
    let (first, step) = part.split_once('/').expect("CTR_TEST_PART is i/n");
    (first.parse().unwrap(), step.parse().unwrap())
}
