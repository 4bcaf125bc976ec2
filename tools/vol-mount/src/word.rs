//! docker's words for mounts: `--volume`, `--mount`, `--tmpfs`.

use crate::how::How;
use ctr_core::{Cannot, Code, Error, Result, parse_size};
use std::path::{Component, Path, PathBuf};

/// A mount that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// What is mounted.
    pub what: What,
    /// Where: absolute, and without `.` and `..`.
    pub target: String,
    /// The word, for messages.
    pub word: String,
}

impl Wanted {
    /// A volume without a name.
    pub fn anonymous(target: String) -> Self {
        let (options, labels, how) = (Vec::new(), Vec::new(), How::default());
        let what = What::Volume { name: None, subpath: None, copy: true, options, labels, how };
        Self { what, word: target.clone(), target }
    }
}

/// What is mounted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A volume, made where it is missing; without a name one of its own.
    Volume {
        /// Its name.
        name: Option<String>,
        /// A path in it.
        subpath: Option<PathBuf>,
        /// An empty one gets what the image has at the place.
        copy: bool,
        /// For one that is made.
        options: Vec<(String, String)>,
        /// For one that is made.
        labels: Vec<(String, String)>,
        /// How.
        how: How,
    },
    /// A path of the host.
    Bind {
        /// Absolute.
        source: PathBuf,
        /// A directory is made where it is missing.
        create: bool,
        /// How.
        how: How,
    },
    /// Memory, with options of the mount and the file system.
    Tmpfs(Vec<String>),
    /// The files of another image, read-only.
    Image(String),
}

fn invalid(word: &str, why: impl std::fmt::Display) -> Error {
    Error::new(Code::Invalid, format!("cannot mount {word}: {why}"))
}

/// `[SOURCE:]TARGET[:OPTIONS]`.
///
/// # Errors
/// `invalid`, saying what is wrong with it.
pub fn volume(word: &str) -> Result<Wanted> {
    let parts: Vec<&str> = word.split(':').collect();
    let (source, place, options) = match parts.as_slice() {
        [place] => (None, *place, ""),
        [source, place] => (Some(*source), *place, ""),
        [source, place, options] => (Some(*source), *place, *options),
        _ => return Err(invalid(word, "more than SOURCE:TARGET:OPTIONS")),
    };
    let target = target(word, place)?;
    let mut how = How::default();
    let mut copy = true;
    for option in options.split(',').filter(|_| !options.is_empty()) {
        match option {
            "nocopy" => copy = false,
            "copy" => copy = true,
            _ => how.option(option).map_err(|why| invalid(word, why))?,
        }
    }
    let what = match source {
        Some("") => return Err(invalid(word, "it has no source")),
        Some(source) if is_path(source) => {
            if !copy {
                return Err(invalid(word, "nocopy is for volumes"));
            }
            What::Bind { source: absolute(word, source)?, create: true, how }
        }
        name => {
            let name = name.map(str::to_owned);
            if let Some(name) = &name {
                ctr_vol::check_name(name)
                    .map_err(|e| Error { message: format!("cannot mount {word}: {}", e.message), ..e })?;
            }
            how.for_volume().map_err(|why| invalid(word, why))?;
            What::Volume { name, subpath: None, copy, options: Vec::new(), labels: Vec::new(), how }
        }
    };
    Ok(Wanted { what, target, word: word.to_owned() })
}

/// docker's: a path begins like one, all else is a name.
fn is_path(source: &str) -> bool {
    source.starts_with('/') || source == "." || source == ".." || source.starts_with("./") || source.starts_with("../")
}

fn absolute(word: &str, source: &str) -> Result<PathBuf> {
    if source.contains('\0') {
        return Err(invalid(word, "its source has a null byte"));
    }
    let path = std::path::absolute(source).cannot(|| format!("find {source}"))?;
    Ok(if path.iter().any(|name| name == "..") { clean(&path) } else { path })
}

/// Without `.` and `..`, by its words alone, as docker does it.
fn clean(path: &Path) -> PathBuf {
    let mut out = PathBuf::from("/");
    for part in path.components() {
        match part {
            Component::Normal(name) => out.push(name),
            Component::ParentDir => drop(out.pop()),
            _ => {}
        }
    }
    out
}

/// Where it goes.
pub fn target(word: &str, place: &str) -> Result<String> {
    if !place.starts_with('/') || place.contains('\0') {
        return Err(invalid(word, format!("its target {place:?} is no absolute path")));
    }
    let target = clean(Path::new(place)).to_string_lossy().into_owned();
    if target == "/" {
        return Err(invalid(word, "nothing is mounted over the root of a container"));
    }
    Ok(target)
}

/// `type=…,source=…,target=…,…`, a line of comma-separated values.
///
/// # Errors
/// `invalid`, saying what is wrong with it.
pub fn mount(word: &str) -> Result<Wanted> {
    let fields = fields(word)?;
    let kind = fields.iter().find(|(key, _)| key == "type").and_then(|(_, value)| value.as_deref()).unwrap_or("volume");
    if !["bind", "volume", "tmpfs", "image"].contains(&kind) {
        return Err(invalid(word, format!("its type is bind, volume, tmpfs or image, not {kind:?}")));
    }
    let mut made = Fields {
        word,
        source: None,
        target: None,
        how: How::default(),
        create: false,
        copy: true,
        subpath: None,
        options: Vec::new(),
        labels: Vec::new(),
        memory: Vec::new(),
    };
    for (key, value) in &fields {
        made.set(kind, key, value.as_deref())?;
    }
    made.finish(kind)
}

struct Fields<'a> {
    word: &'a str,
    source: Option<String>,
    target: Option<String>,
    how: How,
    create: bool,
    copy: bool,
    subpath: Option<PathBuf>,
    options: Vec<(String, String)>,
    labels: Vec<(String, String)>,
    memory: Vec<String>,
}

impl Fields<'_> {
    fn bad(&self, why: impl std::fmt::Display) -> Error {
        invalid(self.word, why)
    }

    fn set(&mut self, kind: &str, key: &str, value: Option<&str>) -> Result<()> {
        let text = || {
            value.filter(|v| !v.is_empty()).map(str::to_owned).ok_or_else(|| self.bad(format!("{key} needs a value")))
        };
        let on = || match value {
            None | Some("true" | "1") => Ok(true),
            Some("false" | "0") => Ok(false),
            Some(other) => Err(self.bad(format!("{key} is true or false, not {other:?}"))),
        };
        match (kind, key) {
            (_, "type") => {}
            (_, "source" | "src") => self.source = Some(text()?),
            (_, "target" | "dst" | "destination") => self.target = Some(target(self.word, &text()?)?),
            (_, "readonly" | "ro") => self.how.readonly = on()?,
            (_, "consistency") => drop(text()?),
            ("bind", "bind-propagation") => {
                let word = text()?;
                self.how.propagation(&word).map_err(|why| self.bad(why))?;
            }
            ("bind", "bind-nonrecursive") => self.how.recursive = !on()?,
            ("bind", "bind-recursive") => match &*text()? {
                "enabled" => {}
                "disabled" => self.how.recursive = false,
                "writable" => self.how.below_writable = true,
                "readonly" => self.how.below_writable = false,
                other => {
                    return Err(
                        self.bad(format!("bind-recursive is enabled, disabled, writable or readonly, not {other:?}"))
                    );
                }
            },
            ("bind", "bind-create-src") => self.create = on()?,
            ("bind" | "volume", "idmap") => {
                let word = value.map_or_else(|| "idmap".to_owned(), |value| format!("idmap={value}"));
                self.how.option(&word).map_err(|why| self.bad(why))?;
            }
            ("volume", "volume-nocopy") => self.copy = !on()?,
            ("volume", "volume-subpath") => self.subpath = Some(subpath(self.word, &text()?)?),
            ("volume", "volume-label") => {
                let word = text()?;
                let (key, value) = word.split_once('=').unwrap_or((&word, ""));
                self.labels.push((key.to_owned(), value.to_owned()));
            }
            ("volume", "volume-opt") => {
                let word = text()?;
                let pair = word.split_once('=').ok_or_else(|| self.bad("volume-opt is KEY=VALUE"))?;
                self.options.push((pair.0.to_owned(), pair.1.to_owned()));
            }
            ("volume", "volume-driver") => match &*text()? {
                "local" => {}
                other => {
                    return Err(Error::new(
                        Code::Unsupported,
                        format!("cannot mount {}: no volume driver {other:?}", self.word),
                    )
                    .hint("the driver is local"));
                }
            },
            ("tmpfs", "tmpfs-size") => {
                let word = text()?;
                let size = if word.ends_with('%') { word } else { parse_size(&word)?.to_string() };
                self.memory.push(format!("size={size}"));
            }
            ("tmpfs", "tmpfs-mode") => {
                let word = text()?;
                if u32::from_str_radix(&word, 8).is_ok_and(|mode| mode <= 0o7777) {
                    self.memory.push(format!("mode={word}"));
                } else {
                    return Err(self.bad(format!("tmpfs-mode is octal, not {word:?}")));
                }
            }
            (kind, key) => {
                return Err(self.bad(format!("a mount of type {kind} has no {key:?}")));
            }
        }
        Ok(())
    }

    fn finish(mut self, kind: &str) -> Result<Wanted> {
        let target = self.target.take().ok_or_else(|| invalid(self.word, "it has no target"))?;
        let word = self.word.to_owned();
        let what = match (kind, self.source.take()) {
            ("bind", Some(source)) if is_path(&source) => {
                What::Bind { source: absolute(self.word, &source)?, create: self.create, how: self.how }
            }
            ("bind", Some(source)) => return Err(self.bad(format!("its source {source:?} is no absolute path"))),
            ("bind" | "image", None) => return Err(self.bad("it has no source")),
            ("image", Some(source)) => What::Image(source),
            ("tmpfs", Some(_)) => return Err(self.bad("a tmpfs has no source")),
            ("tmpfs", None) => What::Tmpfs(tmpfs_options(self.how.readonly, &self.memory)),
            (_, name) => {
                if let Some(name) = &name {
                    ctr_vol::check_name(name)
                        .map_err(|e| Error { message: format!("cannot mount {word}: {}", e.message), ..e })?;
                }
                self.how.for_volume().map_err(|why| self.bad(why))?;
                What::Volume {
                    name,
                    subpath: self.subpath,
                    copy: self.copy,
                    options: self.options,
                    labels: self.labels,
                    how: self.how,
                }
            }
        };
        Ok(Wanted { what, target, word })
    }
}

/// A path in a volume: the names alone.
fn subpath(word: &str, path: &str) -> Result<PathBuf> {
    let names = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
    if Path::new(path).components().all(names) && !path.contains('\0') {
        return Ok(Path::new(path).components().filter(|part| matches!(part, Component::Normal(_))).collect());
    }
    Err(invalid(word, format!("subpath {path:?} is no path in the volume")))
}

/// The fields of one line of comma-separated values (RFC 4180): a field may be quoted.
fn fields(word: &str) -> Result<Vec<(String, Option<String>)>> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    let mut chars = word.chars().peekable();
    while let Some(c) = chars.next() {
        let field = fields.len() - 1;
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                fields[field].push('"');
            }
            '"' if quoted => quoted = false,
            '"' if fields[field].is_empty() => quoted = true,
            '"' => return Err(invalid(word, "a quote within a field")),
            ',' if !quoted => fields.push(String::new()),
            c => fields[field].push(c),
        }
    }
    if quoted {
        return Err(invalid(word, "a quote that is not closed"));
    }
    Ok(fields
        .iter()
        .map(|field| match field.split_once('=') {
            Some((key, value)) => (key.to_ascii_lowercase(), Some(value.to_owned())),
            None => (field.to_ascii_lowercase(), None),
        })
        .collect())
}

/// `TARGET[:OPTIONS]`.
///
/// # Errors
/// `invalid` for an option that a tmpfs has not.
pub fn tmpfs(word: &str) -> Result<Wanted> {
    const FLAGS: [&str; 18] = [
        "ro",
        "rw",
        "exec",
        "noexec",
        "dev",
        "nodev",
        "suid",
        "nosuid",
        "atime",
        "noatime",
        "diratime",
        "nodiratime",
        "relatime",
        "norelatime",
        "strictatime",
        "nostrictatime",
        "defaults",
        "nosymfollow",
    ];
    const KEYS: [&str; 7] = ["size", "mode", "uid", "gid", "nr_inodes", "nr_blocks", "mpol"];
    let (place, options) = word.split_once(':').unwrap_or((word, ""));
    let target = target(word, place)?;
    let mut given = Vec::new();
    for option in options.split(',').filter(|_| !options.is_empty()) {
        let known = match option.split_once('=') {
            Some((key, value)) => KEYS.contains(&key) && !value.is_empty(),
            None => FLAGS.contains(&option),
        };
        if !known {
            return Err(invalid(word, format!("a tmpfs has no option {option:?}")));
        }
        given.push(option.to_owned());
    }
    Ok(Wanted { what: What::Tmpfs(tmpfs_options(false, &given)), target, word: word.to_owned() })
}

/// docker's defaults, and what is said beside or against them.
fn tmpfs_options(readonly: bool, given: &[String]) -> Vec<String> {
    let mut options: Vec<String> = ["noexec", "nosuid", "nodev"].map(str::to_owned).into();
    if readonly {
        options.push("ro".to_owned());
    }
    options.extend(given.iter().cloned());
    options
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn options(how: &How) -> String {
        how.options().join(",")
    }

    #[test]
    fn volumes_and_paths_are_told_apart() {
        let named = |wanted: Wanted| match wanted.what {
            What::Volume { name, copy, how, .. } => (name, copy, options(&how), wanted.target),
            other => panic!("{other:?}"),
        };
        assert_eq!(named(volume("/data").unwrap()), (None, true, "rbind,rprivate".into(), "/data".into()));
        let db = named(volume("db:/a/../var//lib/:ro,nocopy,z").unwrap());
        assert_eq!(db, (Some("db".into()), false, "rbind,rprivate,ro,rro".into(), "/var/lib".into()));
        let bound = |wanted: Wanted| match wanted.what {
            What::Bind { source, create, how } => (source, create, options(&how)),
            other => panic!("{other:?}"),
        };
        assert_eq!(
            bound(volume("/srv:/x:rslave,noexec").unwrap()),
            ("/srv".into(), true, "rbind,rslave,noexec".into())
        );
        let here = std::env::current_dir().unwrap();
        assert_eq!(bound(volume("./a:/x").unwrap()).0, here.join("a"));
        let mount = mount("type=bind,\"src=/a,b\",dst=/x,ro,bind-recursive=writable").unwrap();
        assert_eq!(bound(mount), ("/a,b".into(), false, "rbind,rprivate,ro".into()));
    }

    #[test]
    fn what_is_wrong_is_said() {
        for bad in [
            "",
            "data",
            "data:rel",
            "/a:/b:rox",
            "/a:/b:ro,rw",
            "/a:/b:/c:ro",
            ":/x",
            "a/b:/x",
            "/a:/",
            "db:/..",
            "x:/y",
            "/a:/b:nocopy",
            "db:/x:rshared",
            "/a:/b:idmap=uids=1-2;gids=0-0-1",
        ] {
            assert_eq!(volume(bad).unwrap_err().code, Code::Invalid, "{bad}");
        }
        for bad in [
            "type=bind,src=rel,dst=/x",
            "type=bind,dst=/x",
            "type=disk,dst=/x",
            "dst=rel",
            "src=a/b,dst=/x",
            "source=db",
            "type=tmpfs,dst=/x,tmpfs-mode=999",
            "type=bind,src=/a,dst=/x,volume-nocopy",
            "dst=/x,ro=maybe",
            "\"dst=/x",
            "dst=/x,volume-subpath=../y",
            "type=tmpfs,src=a,dst=/x",
            "type=bind,src=/a,dst=/x,bind-propagation=wide",
        ] {
            assert_eq!(mount(bad).unwrap_err().code, Code::Invalid, "{bad}");
        }
        for bad in ["x", "/x:size", "/x:bind", "/x:size="] {
            assert_eq!(tmpfs(bad).unwrap_err().code, Code::Invalid, "{bad}");
        }
    }
}
