//! What is executed: the command looked up by the container's own PATH, and what its failure means.

use crate::sys;
use ctr_core::{Code, Error, Result};
use std::{ffi::CString, io};

/// Where execvp(3) looks without a PATH.
const DEFAULT_PATH: &str = "/bin:/usr/bin";

/// Exit statuses of `ctr-document(5)`: cannot run, not found.
const CANNOT_RUN: u8 = 126;
const NOT_FOUND: u8 = 127;

/// A command with its arguments and environment, ready for execve(2).
pub struct Command {
    name: String,
    /// It has no slash: it is looked for along PATH.
    searched: bool,
    candidates: Vec<CString>,
    /// Arguments, the name first.
    pub argv: Vec<CString>,
    /// Environment, `KEY=value`.
    pub envp: Vec<CString>,
}

impl Command {
    /// The command of `args` in the environment `env`: a name without a slash is looked for along its PATH.
    pub fn new(args: &[String], env: &[String]) -> Result<Self> {
        let Some(name) = args.first().filter(|n| !n.is_empty()) else {
            return Err(Error::new(Code::Invalid, "no command to run").exit(CANNOT_RUN));
        };
        let searched = !name.contains('/');
        let candidates = if searched {
            let path = env.iter().rev().find_map(|e| e.strip_prefix("PATH=")).unwrap_or(DEFAULT_PATH);
            path.split(':').map(|dir| format!("{}/{name}", if dir.is_empty() { "." } else { dir })).collect()
        } else {
            vec![name.clone()]
        };
        let (name, candidates) = (name.clone(), strings(&candidates)?);
        Ok(Self { name, searched, candidates, argv: strings(args)?, envp: strings(env)? })
    }

    /// Becomes the command; returns only to say why it could not.
    ///
    /// Each place is tried by execve(2) itself, as execvp(3) does: what is found is what is run. A file found but
    /// not allowed is remembered, for a later one may do.
    pub fn exec(&self) -> Error {
        let mut denied = None;
        for path in &self.candidates {
            let error = sys::execve(path, &self.argv, &self.envp);
            match error.raw_os_error() {
                Some(libc::ENOENT | libc::ENOTDIR) if self.searched => {}
                Some(libc::EACCES) if self.searched => {
                    if !is_dir(path) {
                        denied = Some(path);
                    }
                }
                _ => return explain(&path.to_string_lossy(), &error, is_dir(path)),
            }
        }
        match denied {
            Some(path) => explain(&path.to_string_lossy(), &io::Error::from_raw_os_error(libc::EACCES), false),
            None => Error::new(Code::NotFound, format!("cannot run {}: not found in $PATH", self.name)).exit(NOT_FOUND),
        }
    }
}

fn is_dir(path: &CString) -> bool {
    rustix::fs::stat(path.as_c_str())
        .is_ok_and(|s| rustix::fs::FileType::from_raw_mode(s.st_mode) == rustix::fs::FileType::Directory)
}

fn explain(path: &str, error: &io::Error, is_dir: bool) -> Error {
    let what = format!("run {path}");
    match error.raw_os_error() {
        Some(libc::ENOENT) if rustix::fs::lstat(path).is_ok() => {
            Error::new(Code::NotFound, format!("cannot {what}: its interpreter is missing"))
                .hint("the file after #! or the dynamic loader is not in the image, or is of another platform")
                .exit(NOT_FOUND)
        }
        Some(libc::ENOENT) => Error::io(what, error).exit(NOT_FOUND),
        Some(libc::EACCES) if is_dir => {
            Error::new(Code::Denied, format!("cannot {what}: it is a directory")).exit(CANNOT_RUN)
        }
        Some(libc::ENOEXEC) => Error::new(Code::Invalid, format!("cannot {what}: not an executable format"))
            .hint("is it of another platform, or a script without #!")
            .exit(CANNOT_RUN),
        _ => Error::io(what, error).exit(CANNOT_RUN),
    }
}

/// Strings as the kernel takes them.
pub fn strings(list: &[String]) -> Result<Vec<CString>> {
    list.iter()
        .map(|s| {
            CString::new(s.as_str())
                .map_err(|_| Error::new(Code::Invalid, "an argument or environment variable has a zero byte in it"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn candidates(name: &str, env: &[&str]) -> Vec<String> {
        let env: Vec<String> = env.iter().map(|&e| e.to_owned()).collect();
        let command = Command::new(&[name.to_owned()], &env).unwrap();
        command.candidates.iter().map(|c| c.to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn a_name_is_looked_for_along_the_path_of_the_container() {
        assert_eq!(candidates("ls", &["PATH=/a::/b"]), ["/a/ls", "./ls", "/b/ls"]);
        assert_eq!(candidates("./ls", &["PATH=/a"]), ["./ls"]);
        assert_eq!(candidates("ls", &[]), ["/bin/ls", "/usr/bin/ls"]);
        assert_eq!(Command::new(&[], &[]).err().unwrap().exit, 126);
    }

    #[test]
    fn failures_have_the_status_of_a_shell() {
        let error = |code| explain("/nowhere/x", &io::Error::from_raw_os_error(code), false);
        assert_eq!(error(libc::ENOENT).exit, 127);
        assert_eq!(error(libc::EACCES).exit, 126);
        assert_eq!(error(libc::ENOEXEC).exit, 126);
    }
}
