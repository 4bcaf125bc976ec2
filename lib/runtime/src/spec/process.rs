//! `process`: what runs, as whom, where, with what environment.

use super::{Flags, Source, capabilities, env::Env, part, rlimits, user};
use ctr_core::{Code, Error, Map, Result, Value, json};

/// Completes `process`; what it has already stays unless a flag says otherwise.
///
/// `hostname` is what HOSTNAME will say; `available` the capabilities there are to give.
pub fn complete(
    process: &mut Map<String, Value>,
    flags: &Flags,
    source: &Source<'_>,
    hostname: Option<&str>,
    available: capabilities::Set,
) -> Result<()> {
    if flags.tty || !process.contains_key("terminal") {
        process.insert("terminal".to_owned(), json!(flags.tty));
    }
    let home = user(process, flags, source)?;
    if !flags.command.is_empty() || flags.entrypoint.is_some() || !process.contains_key("args") {
        process.insert("args".to_owned(), json!(args(flags, source.image)?));
    }
    let mut env = match process.get("env") {
        Some(list) => Env::of_spec(list)?,
        None => Env::of_image(source.image, hostname, flags.tty)?,
    };
    env.apply(flags)?;
    env.home(home.as_deref());
    process.insert("env".to_owned(), json!(env.into_variables()));
    if flags.workdir.is_some() || !process.contains_key("cwd") {
        process.insert("cwd".to_owned(), json!(cwd(flags, source.image)?));
    }
    if capabilities::flagged(flags) || !process.contains_key("capabilities") {
        let bounding = capabilities::bounding(flags, available)?;
        let root = process.get("user").and_then(|u| u.get("uid")) == Some(&json!(0));
        process.insert("capabilities".to_owned(), capabilities::section(bounding, root));
    }
    if !flags.ulimit.is_empty() {
        rlimits::complete(part::list(process, "rlimits")?, &flags.ulimit)?;
    }
    if let Some(score) = flags.oom_score_adj {
        if !(-1000..=1000).contains(&score) {
            return Err(Error::new(Code::Invalid, format!("invalid OOM score {score}: expected -1000 to 1000")));
        }
        process.insert("oomScoreAdj".to_owned(), json!(score));
    }
    Ok(())
}

/// Sets `user`, and gives the home directory it has.
fn user(process: &mut Map<String, Value>, flags: &Flags, source: &Source<'_>) -> Result<Option<String>> {
    let known = process.contains_key("user") && flags.user.is_none();
    if known && flags.group_add.is_empty() {
        return Ok(None);
    }
    let accounts = user::Accounts::read(source.rootfs)?;
    let mut home = None;
    if !known {
        let word = flags.user.as_deref().or(part::string(source.image, "User")).unwrap_or_default();
        let user = accounts.user(word)?;
        let section = json!({"uid": user.uid, "gid": user.gid, "additionalGids": user.groups});
        process.insert("user".to_owned(), section);
        home = user.home;
    }
    if !flags.group_add.is_empty() {
        let groups = part::list(part::object(process, "user")?, "additionalGids")?;
        for word in &flags.group_add {
            let gid = json!(accounts.gid(word)?);
            if !groups.contains(&gid) {
                groups.push(gid);
            }
        }
    }
    Ok(home)
}

/// Docker's rule: a command replaces the image's, an entrypoint by flag resets the image's command.
fn args(flags: &Flags, image: Option<&Value>) -> Result<Vec<String>> {
    let mut args = match flags.entrypoint.as_deref() {
        Some("") => Vec::new(),
        Some(word) => vec![word.to_owned()],
        None => part::strings(image.and_then(|i| i.get("Entrypoint")), "Entrypoint")?,
    };
    if !flags.command.is_empty() {
        args.extend_from_slice(&flags.command);
    } else if flags.entrypoint.is_none() {
        args.extend(part::strings(image.and_then(|i| i.get("Cmd")), "Cmd")?);
    }
    match args.first().map(String::as_str) {
        None => Err(Error::new(Code::Invalid, "no command: the image has none")
            .hint("name one after the options: ns-spawn -- COMMAND")),
        Some("") => Err(Error::new(Code::Invalid, "the command is the empty string").exit(127)),
        Some(_) => Ok(args),
    }
}

fn cwd(flags: &Flags, image: Option<&Value>) -> Result<String> {
    let dir = flags.workdir.as_deref().or(part::string(image, "WorkingDir")).unwrap_or("/");
    if dir.starts_with('/') && !dir.contains('\0') {
        return Ok(dir.to_owned());
    }
    Err(Error::new(Code::Invalid, format!("invalid working directory {dir:?}: expected an absolute path")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn entrypoint_and_command() {
        let image = json!({"Entrypoint": ["/entry", "-x"], "Cmd": ["cmd"]});
        let bare = json!({"Entrypoint": null, "Cmd": ["sh"]});
        for (image, entrypoint, command, expected) in [
            (&image, None, vec![], vec!["/entry", "-x", "cmd"]),
            (&image, None, vec!["a", "b"], vec!["/entry", "-x", "a", "b"]),
            (&image, Some("/e"), vec![], vec!["/e"]),
            (&image, Some("/e"), vec!["a"], vec!["/e", "a"]),
            (&image, Some(""), vec!["a"], vec!["a"]),
            (&bare, None, vec![], vec!["sh"]),
        ] {
            let flags = Flags {
                entrypoint: entrypoint.map(str::to_owned),
                command: command.iter().map(|w: &&str| (*w).to_owned()).collect(),
                ..Flags::default()
            };
            assert_eq!(args(&flags, Some(image)).unwrap(), expected);
        }
        let reset = Flags { entrypoint: Some(String::new()), ..Flags::default() };
        assert_eq!(args(&reset, Some(&image)).unwrap_err().code, Code::Invalid);
        assert_eq!(args(&Flags::default(), None).unwrap_err().code, Code::Invalid);
        assert_eq!(args(&Flags::default(), Some(&json!({"Cmd": "sh"}))).unwrap_err().code, Code::Invalid);
    }

    #[test]
    fn the_working_directory_is_absolute() {
        let dir = |w: Option<&str>, image: Value| {
            cwd(&Flags { workdir: w.map(str::to_owned), ..Flags::default() }, Some(&image))
        };
        assert_eq!(dir(None, json!({})).unwrap(), "/");
        assert_eq!(dir(None, json!({"WorkingDir": ""})).unwrap(), "/");
        assert_eq!(dir(None, json!({"WorkingDir": "/app"})).unwrap(), "/app");
        assert_eq!(dir(Some("/w"), json!({"WorkingDir": "/app"})).unwrap(), "/w");
        assert!(dir(Some("w"), json!({})).is_err());
    }
}
