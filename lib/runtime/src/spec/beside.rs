//! The spec of a process that is started beside a container's own: its confinement, another command.

use super::{Flags, capabilities, env::Env, part, user};
use ctr_core::{Code, Error, Map, Result, Value, json};
use std::path::Path;

/// Makes of a container's finished `spec` that of a process in it.
///
/// Taken from `flags` are the command, terminal, environment, user, groups, working directory and `privileged`, which
/// gives it every capability that the caller has; the seccomp filter, no-new-privileges and limits stay the
/// container's. `rootfs` is where its account files are read; `image_env` tells a HOME of the image's own from one
/// that the user's account gave.
///
/// # Errors
/// `invalid` where the spec is not finished, the user is not there, a flag is not of its form.
pub fn beside(spec: &mut Map<String, Value>, flags: &Flags, rootfs: &Path, image_env: Option<&Value>) -> Result<()> {
    let process = part::object(spec, "process")?;
    if flags.command.is_empty() {
        return Err(Error::new(Code::Usage, "no command to run"));
    }
    process.insert("args".to_owned(), json!(flags.command));
    process.insert("terminal".to_owned(), json!(flags.tty));
    let mut env = Env::of_spec(process.get("env").unwrap_or(&Value::Null))?;
    let mut home = None;
    if flags.user.is_some() || !flags.group_add.is_empty() {
        let accounts = user::Accounts::read(rootfs)?;
        if let Some(word) = &flags.user {
            let user = accounts.user(word)?;
            let section = json!({"uid": user.uid, "gid": user.gid, "additionalGids": user.groups});
            process.insert("user".to_owned(), section);
            if !part::strings(image_env, "Env")?.iter().any(|v| v.starts_with("HOME=")) {
                env.unset("HOME");
            }
            home = user.home;
        }
        for word in &flags.group_add {
            let gid = json!(accounts.gid(word)?);
            part::list(part::object(process, "user")?, "additionalGids")?.push(gid);
        }
    }
    env.unset("TERM");
    if flags.tty {
        env.fallback("TERM", "xterm");
    }
    env.apply(flags)?;
    env.home(home.as_deref());
    process.insert("env".to_owned(), json!(env.into_variables()));
    if let Some(dir) = &flags.workdir {
        if !dir.starts_with('/') || dir.contains('\0') {
            return Err(Error::new(
                Code::Invalid,
                format!("invalid working directory {dir:?}: expected an absolute path"),
            ));
        }
        process.insert("cwd".to_owned(), json!(dir));
    }
    if flags.privileged || flags.user.is_some() {
        let bounding = match process.get("capabilities").and_then(|c| c.get("bounding")) {
            _ if flags.privileged => capabilities::Set::own(),
            bounding => capabilities::Set::of_names(&part::strings(bounding, "bounding")?),
        };
        let root = process.get("user").and_then(|u| u.get("uid")) == Some(&json!(0));
        process.insert("capabilities".to_owned(), capabilities::section(bounding, root || flags.privileged));
    }
    for key in ["hostname", "domainname", "mounts", "hooks"] {
        spec.shift_remove(key);
    }
    let linux = part::object(spec, "linux")?;
    for key in ["sysctl", "devices", "maskedPaths", "readonlyPaths", "timeOffsets", "cgroupsPath", "resources"] {
        linux.shift_remove(key);
    }
    Ok(())
}
