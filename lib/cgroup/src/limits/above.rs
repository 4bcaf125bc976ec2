//! What the groups above allow: a limit beyond that is taken by the kernel, and is none.

use crate::Group;
use ctr_core::{Code, Error, Result};

/// Refuses `value` where a group above has less of it; `read` understands the text of `file`, and gives none for "no
/// limit".
///
/// # Errors
/// `limit`, naming the group and what it has.
pub fn check(what: &str, value: f64, group: &Group, read: impl Fn(&Group) -> Option<f64>) -> Result<()> {
    let above = std::iter::successors(group.above(), Group::above);
    for group in above {
        if let Some(most) = read(&group).filter(|most| *most < value) {
            return Err(Error::new(
                Code::Limit,
                format!("{what} {value} is over that of control group {}, which is {most}", group.dir().display()),
            ));
        }
    }
    Ok(())
}

/// The number in a file; none for `max`, -1, and what version 1 of the memory controller says for no limit.
pub fn number(group: &Group, file: &str) -> Option<f64> {
    let text = group.read(file).ok()?;
    text.trim().parse::<f64>().ok().filter(|n| *n >= 0.0 && *n < 9e18)
}
