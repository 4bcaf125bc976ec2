//! Verifies all that lies under the root: blobs, layers, images, records, and what killed processes left.

mod beside;
mod bytes;
mod finding;
mod images;
mod leftovers;
mod records;
mod repair;
mod strays;
mod survey;

use clap::Args;
use ctr_core::{Code, Error, Result, json, paths, print_line};
use survey::Survey;

/// The tool's name.
pub const NAME: &str = "ctr-fsck";
/// The first line of its help.
pub const ABOUT: &str = "Verify images, layers and containers on the disk";

/// The arguments of ctr-fsck(1).
#[derive(Args, Debug)]
pub struct CtrFsck {
    /// Remove what is torn or orphaned, and fetch again what is missing
    #[arg(long)]
    repair: bool,
    /// With --repair: take the references of images that cannot be fetched now, too
    #[arg(long, requires = "repair")]
    drop: bool,
    /// Do not read the bytes of blobs, nor look into the trees of layers
    #[arg(long)]
    quick: bool,
    /// Print what is wrong alone, without the line about what was looked at
    #[arg(long)]
    findings: bool,
}

/// Prints a JSON line for each thing that is wrong, and one that says what was looked at.
///
/// # Errors
/// `corrupt` where something is wrong, and with `--repair` where something stays so.
pub fn run(args: CtrFsck) -> Result<()> {
    let mut survey = if paths::root().exists() { Survey::take(args.quick, args.repair)? } else { Survey::default() };
    let found = survey.findings.len();
    let mut left = found;
    if args.repair && found > 0 {
        repair::repair(&mut survey.findings, args.drop)?;
        // What was said to be done is looked at once more; what was read byte by byte is not read again.
        let after = Survey::take(true, false)?;
        for finding in &mut survey.findings {
            if after.findings.iter().any(|still| still.is_same(finding)) {
                finding.stays();
            }
        }
        let new = after.findings.iter().filter(|still| !survey.findings.iter().any(|f| f.is_same(still)));
        left = survey.findings.iter().filter(|f| f.is_left()).count() + new.count();
    }
    survey.findings.iter().try_for_each(|finding| print_line(&finding.line()))?;
    if !args.findings {
        print_line(&json!({"checked": survey.checked, "found": found, "left": left}))?;
    }
    match left {
        0 => Ok(()),
        1 => Err(wrong("1 thing is wrong", args.repair)),
        n => Err(wrong(&format!("{n} things are wrong"), args.repair)),
    }
}

fn wrong(what: &str, repaired: bool) -> Error {
    let e = Error::new(Code::Corrupt, what);
    if repaired { e } else { e.hint("--repair removes, fetches and unpacks what can be") }
}
