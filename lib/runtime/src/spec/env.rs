//! The environment: defaults, the image's, files, flags; later ones win.

use super::{Flags, part};
use ctr_core::{Cannot, Code, Error, Result, Value};
use std::{env, fs::File, io::Read, path::Path};

/// Docker's PATH for Unix.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Most bytes of an environment file: the kernel takes no more at execve(2) either.
const MAX_FILE: u64 = 2 << 20;

/// The variables in their order, each once.
#[derive(Debug, Default)]
pub struct Env(Vec<String>);

impl Env {
    /// What a container has that says nothing: PATH, HOSTNAME, TERM on a terminal; then the image's.
    pub fn of_image(image: Option<&Value>, hostname: Option<&str>, tty: bool) -> Result<Self> {
        let mut env = Self(vec![format!("PATH={PATH}")]);
        if let Some(name) = hostname {
            env.0.push(format!("HOSTNAME={name}"));
        }
        if tty {
            env.0.push("TERM=xterm".to_owned());
        }
        for variable in part::strings(image.and_then(|i| i.get("Env")), "Env")? {
            // A name alone says nothing; only a flag takes the caller's value.
            if variable.contains('=') {
                env.set(variable)?;
            }
        }
        Ok(env)
    }

    /// What a spec has already, its `process.env`.
    pub fn of_spec(list: &Value) -> Result<Self> {
        part::strings(Some(list), "env").map(Self)
    }

    /// What the files and then the flags say.
    pub fn apply(&mut self, flags: &Flags) -> Result<()> {
        for path in &flags.env_file {
            self.file(path)?;
        }
        for word in &flags.env {
            self.word(word)?;
        }
        Ok(())
    }

    /// Takes a variable away.
    pub fn unset(&mut self, name: &str) {
        self.0.retain(|v| name_of(v) != name);
    }

    /// A variable, unless something set it.
    pub fn fallback(&mut self, name: &str, value: &str) {
        if !self.0.iter().any(|v| name_of(v) == name) {
            self.0.push(format!("{name}={value}"));
        }
    }

    /// HOME, unless something set it.
    pub fn home(&mut self, home: Option<&str>) {
        self.fallback("HOME", home.unwrap_or("/"));
    }

    /// `NAME=VALUE`, each.
    pub fn into_variables(self) -> Vec<String> {
        self.0
    }

    /// `NAME=VALUE`; or NAME, which takes the caller's value and is unset where the caller has none.
    fn word(&mut self, word: &str) -> Result<()> {
        if word.contains('=') {
            return self.set(word.to_owned());
        }
        match env::var(word) {
            Ok(value) => self.set(format!("{word}={value}")),
            Err(env::VarError::NotUnicode(_)) => {
                Err(Error::new(Code::Invalid, format!("environment variable {word:?} is not UTF-8")))
            }
            Err(env::VarError::NotPresent) => {
                self.unset(word);
                Ok(())
            }
        }
    }

    fn set(&mut self, variable: String) -> Result<()> {
        let name = name_of(&variable);
        if name.is_empty() || variable.contains('\0') {
            return Err(Error::new(Code::Invalid, format!("invalid environment variable {variable:?}")));
        }
        match self.0.iter_mut().find(|v| name_of(v) == name) {
            Some(old) => *old = variable,
            None => self.0.push(variable),
        }
        Ok(())
    }

    fn file(&mut self, path: &Path) -> Result<()> {
        let mut text = String::new();
        let file = File::open(path).cannot(|| format!("open {}", path.display()))?;
        file.take(MAX_FILE + 1).read_to_string(&mut text).cannot(|| format!("read {}", path.display()))?;
        if text.len() as u64 > MAX_FILE {
            return Err(Error::new(Code::Limit, format!("{} is over {} MiB", path.display(), MAX_FILE >> 20)));
        }
        self.lines(text.strip_prefix('\u{feff}').unwrap_or(&text))
            .map_err(|e| Error::new(e.code, format!("{}: {}", path.display(), e.message)))
    }

    /// Docker's form: `#` begins a comment line, blanks before a name go, the value is the rest as it is.
    fn lines(&mut self, text: &str) -> Result<()> {
        for line in text.lines().map(str::trim_start).filter(|l| !l.is_empty() && !l.starts_with('#')) {
            if name_of(line).contains(char::is_whitespace) {
                return Err(Error::new(Code::Invalid, format!("variable {:?} contains whitespace", name_of(line))));
            }
            self.word(line)?;
        }
        Ok(())
    }
}

fn name_of(variable: &str) -> &str {
    variable.split_once('=').map_or(variable, |(name, _)| name)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use ctr_core::json;

    #[test]
    fn later_ones_win_in_place() {
        let image = json!({"Env": ["PATH=/bin", "A=1", "B=2", "bare"]});
        let mut env = Env::of_image(Some(&image), Some("h"), true).unwrap();
        let flags = Flags {
            env: ["A=9", "C=x=y", "E=", "CTR_NOT_SET_ANYWHERE", "B"].map(str::to_owned).to_vec(),
            ..Flags::default()
        };
        env.apply(&flags).unwrap();
        env.home(Some("/root"));
        assert_eq!(env.0, ["PATH=/bin", "HOSTNAME=h", "TERM=xterm", "A=9", "C=x=y", "E=", "HOME=/root"]);
    }

    #[test]
    fn home_is_kept() {
        let mut env = Env::of_image(Some(&json!({"Env": ["HOME=/h"]})), None, false).unwrap();
        env.home(Some("/root"));
        assert_eq!(env.0, [format!("PATH={PATH}"), "HOME=/h".to_owned()]);
    }

    #[test]
    fn env_files() {
        let mut env = Env(Vec::new());
        env.lines("# comment\n\n  A=1\nB= two words \nC='q'\nCTR_NOT_SET_ANYWHERE\n").unwrap();
        assert_eq!(env.0, ["A=1", "B= two words ", "C='q'"]);
        assert_eq!(env.lines("A B=1\n").unwrap_err().code, Code::Invalid);
        assert_eq!(env.lines("=1\n").unwrap_err().code, Code::Invalid);
    }
}
