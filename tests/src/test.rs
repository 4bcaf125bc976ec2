//! One test: a name, what it needs, what it does.

use crate::requires;
use libtest_mimic::{Completion, Failed, Trial};
use std::{cell::RefCell, panic};

/// A test case; it fails by panicking.
pub struct Test {
    name: String,
    needs: Vec<&'static str>,
    run: fn(),
}

/// The test `name` (`tool::case`), which needs every word of `needs` (see [`requires`]).
pub fn test(name: &str, needs: &[&'static str], run: fn()) -> Test {
    Test { name: name.to_owned(), needs: needs.to_vec(), run }
}

impl Test {
    /// Whether it is among the tests that `list` is of, a line each: a test, or a module as `name::`. What needs
    /// cgroup v2 always is.
    pub fn is_in(&self, list: &str) -> bool {
        self.needs.contains(&"cgroup2") || list.lines().any(|line| self.is_named(line))
    }

    /// Whether `line` of such a list names it, or its module.
    pub fn is_named(&self, line: &str) -> bool {
        line == self.name || line == self.module()
    }

    /// Its module, with `::`.
    fn module(&self) -> &str {
        self.name.find("::").map_or("", |at| &self.name[..at + 2])
    }
}

/// A list of tests, named after the functions that they are:
/// `tests!("img-pull", ["root", "docker-registry"]: busybox, resumes; ["root"]: bad_reference)`.
#[macro_export]
macro_rules! tests {
    ($tool:literal, $($needs:tt: $($case:ident),+ $(,)?);+ $(;)?) => {
        vec![$($($crate::test(
            concat!($tool, "::", stringify!($case)), &$needs, $case
        )),+),+]
    };
}

thread_local! {
    /// Set while this thread runs a test: where and why it panicked last.
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Lets a panicking test say where and why, once, in its own result; call once, before any test.
pub fn quiet_panics() {
    panic::set_hook(Box::new(|info| {
        let text = info.to_string();
        PANIC.with_borrow_mut(|slot| match slot {
            Some(last) => *last = text,
            None => eprintln!("{text}"),
        });
    }));
}

impl From<Test> for Trial {
    fn from(test: Test) -> Self {
        Trial::ignorable_test(test.name, move || {
            match requires::unmet(&test.needs) {
                None => {}
                Some(reason) if requires::strict() && !requires::elsewhere(&test.needs, requires::in_vm()) => {
                    return Err(reason.into());
                }
                Some(reason) => return Ok(Completion::ignored_with(reason)),
            }
            PANIC.set(Some(String::new()));
            let result = panic::catch_unwind(test.run);
            let text = PANIC.take().unwrap_or_default();
            result.map(|()| Completion::Completed).map_err(|_| Failed::from(text))
        })
    }
}
