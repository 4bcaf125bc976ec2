//! Who the process is: names and numbers, looked up in the image's own /etc/passwd and /etc/group.
//!
//! Both files are the image's, so hostile: found beneath the root, regular files before they are opened, of bounded size.
//! A word of digits is a number and nothing else, whatever the image calls its users: an entry named
//! `1000` with uid 0 must not make `-u 1000` root.

use crate::reopen::HostProc;
use ctr_core::{Cannot, Code, Error, Result, Root};
use rustix::fs::{FileType, Mode, OFlags};
use std::{fs::File, io::Read, path::Path};

/// Most bytes of a passwd or group file.
const MAX: u64 = 4 << 20;

/// Who a process runs as.
#[derive(Debug, PartialEq, Eq)]
pub struct User {
    /// User id in the container.
    pub uid: u32,
    /// Group id in the container.
    pub gid: u32,
    /// Supplementary groups; the primary one is the first, lest giving it up opened files that deny it.
    pub groups: Vec<u32>,
    /// Home directory, where the image says one.
    pub home: Option<String>,
}

/// The two files of an image.
#[derive(Default)]
pub struct Accounts {
    passwd: String,
    group: String,
}

impl Accounts {
    /// Reads them from the root at `rootfs`; what is not there is empty.
    pub fn read(rootfs: &Path) -> Result<Self> {
        let root = rustix::fs::open(rootfs, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
            .map(Root::new)
            .cannot(|| format!("open the root file system {}", rootfs.display()))?;
        let proc = HostProc::open()?;
        let read = |path| read_in_root(&root, path, &proc);
        Ok(Self { passwd: read("etc/passwd")?, group: read("etc/group")? })
    }

    /// The user that `word` (`[USER][:[GROUP]]`) means; the empty word is root.
    ///
    /// # Errors
    /// `not-found` for a name that the image has not, `invalid` for a number out of range.
    pub fn user(&self, word: &str) -> Result<User> {
        let (user, group) = word.split_once(':').unwrap_or((word, ""));
        if group.contains(':') {
            return Err(Error::new(Code::Invalid, format!("invalid user {word:?}: expected USER[:GROUP]")));
        }
        let wanted = if user.is_empty() { Some(0) } else { number(user)? };
        let entry = self.passwd.lines().filter_map(passwd_entry).find(|entry| match wanted {
            Some(uid) => entry.uid == uid,
            None => entry.name == user,
        });
        let uid = match (&entry, wanted) {
            (Some(entry), _) => entry.uid,
            (None, Some(uid)) => uid,
            (None, None) => {
                return Err(Error::new(Code::NotFound, format!("no user {user:?} in the image's /etc/passwd")));
            }
        };
        let gid = match group {
            "" => entry.as_ref().map_or(0, |e| e.gid),
            name => self.gid(name)?,
        };
        let mut groups = vec![gid];
        // With a group named, it is all the user gets; without, the image's groups that list the user.
        if let (Some(entry), "") = (&entry, group) {
            for (_, member_of, members) in self.group.lines().filter_map(group_entry) {
                if members.split(',').any(|m| m == entry.name) && !groups.contains(&member_of) {
                    groups.push(member_of);
                }
            }
        }
        Ok(User { uid, gid, groups, home: entry.map(|e| e.home.to_owned()).filter(|h| h.starts_with('/')) })
    }

    /// The id of the group `word`, a name or a number.
    ///
    /// # Errors
    /// As [`Accounts::user`].
    pub fn gid(&self, word: &str) -> Result<u32> {
        if let Some(gid) = number(word)? {
            return Ok(gid);
        }
        self.group
            .lines()
            .filter_map(group_entry)
            .find(|(name, ..)| *name == word)
            .map(|(_, gid, _)| gid)
            .ok_or_else(|| Error::new(Code::NotFound, format!("no group {word:?} in the image's /etc/group")))
    }
}

struct Entry<'a> {
    name: &'a str,
    uid: u32,
    gid: u32,
    home: &'a str,
}

/// One line of passwd(5). A line of another form is no entry.
fn passwd_entry(line: &str) -> Option<Entry<'_>> {
    let mut fields = line.split(':');
    let name = fields.next().filter(|n| !n.is_empty())?;
    let uid = number(fields.nth(1)?).ok()??;
    let gid = number(fields.next()?).ok()??;
    Some(Entry { name, uid, gid, home: fields.nth(1).unwrap_or_default() })
}

/// One line of group(5): name, id, members.
fn group_entry(line: &str) -> Option<(&str, u32, &str)> {
    let mut fields = line.split(':');
    let name = fields.next().filter(|n| !n.is_empty())?;
    let gid = number(fields.nth(1)?).ok()??;
    Some((name, gid, fields.next().unwrap_or_default()))
}

/// The id that `word` is, `None` where it is a name.
///
/// Digits only: no sign, no blank, no other base. 4294967295 is "no id" to the kernel (chown(2)).
fn number(word: &str) -> Result<Option<u32>> {
    if word.is_empty() || !word.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(None);
    }
    match word.parse::<u32>() {
        Ok(id) if id != u32::MAX => Ok(Some(id)),
        _ => Err(Error::new(Code::Invalid, format!("id {word} is out of range"))),
    }
}

fn read_in_root(root: &Root, path: &str, proc: &HostProc) -> Result<String> {
    let what = || format!("read /{path} of the image");
    let held = match root.open(path, OFlags::PATH) {
        Ok(fd) => fd,
        Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => return Ok(String::new()),
        Err(e) => return Err(e).cannot(what),
    };
    let stat = rustix::fs::fstat(&held).cannot(what)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(Error::new(Code::Invalid, format!("cannot {}: it is not a regular file", what())));
    }
    let fd = proc.reopen(&held, OFlags::RDONLY).cannot(what)?;
    let mut bytes = Vec::with_capacity(usize::try_from(stat.st_size).unwrap_or(0).min(MAX as usize) + 1);
    File::from(fd).take(MAX + 1).read_to_end(&mut bytes).cannot(what)?;
    if bytes.len() as u64 > MAX {
        return Err(Error::new(Code::Limit, format!("cannot {}: it is over {} MiB", what(), MAX >> 20)));
    }
    Ok(match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(e) => String::from_utf8_lossy(e.as_bytes()).into_owned(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::fs::symlink;

    fn accounts() -> Accounts {
        let passwd = "root:x:0:0:root:/root:/bin/sh\n\
            # comment\n\
            broken\n\
            :x:7:7::/:\n\
            plus:x:+5:5::/:\n\
            hex:x:0x10:5::/:\n\
            blank:x: 5:5::/:\n\
            1000:x:0:0::/evil:/bin/sh\n\
            big:x:4294967295:0::/:\n\
            www:x:33:34:www:/var/www:/bin/false\n\
            relative:x:50:50::home:\n";
        let group = "root:x:0:\nwww:x:34:\nadm:x:4:root,www\nwheel:x:10:www\n12:x:0:\nbad:x:-1:www\n";
        Accounts { passwd: passwd.to_owned(), group: group.to_owned() }
    }

    #[test]
    fn names_and_numbers() {
        let a = accounts();
        let user = |uid, gid, groups: &[u32], home: Option<&str>| User {
            uid,
            gid,
            groups: groups.to_vec(),
            home: home.map(str::to_owned),
        };
        for (word, expected) in [
            ("", user(0, 0, &[0, 4], Some("/root"))),
            ("root", user(0, 0, &[0, 4], Some("/root"))),
            ("www", user(33, 34, &[34, 4, 10], Some("/var/www"))),
            ("33", user(33, 34, &[34, 4, 10], Some("/var/www"))),
            ("www:adm", user(33, 4, &[4], Some("/var/www"))),
            ("www:99", user(33, 99, &[99], Some("/var/www"))),
            ("www:", user(33, 34, &[34, 4, 10], Some("/var/www"))),
            (":wheel", user(0, 10, &[10], Some("/root"))),
            ("12345", user(12345, 0, &[0], None)),
            ("relative", user(50, 50, &[50], None)),
            // Digits are a number, whatever the image calls its users and groups.
            ("1000", user(1000, 0, &[0], None)),
            ("1000:12", user(1000, 12, &[12], None)),
            ("0033", user(33, 34, &[34, 4, 10], Some("/var/www"))),
        ] {
            assert_eq!(a.user(word).unwrap(), expected, "{word:?}");
        }
    }

    #[test]
    fn what_is_no_user() {
        let a = accounts();
        for (word, code) in [
            ("nobody", Code::NotFound),
            ("plus", Code::NotFound),
            ("hex", Code::NotFound),
            ("blank", Code::NotFound),
            ("big", Code::NotFound),
            ("+0", Code::NotFound),
            ("-1", Code::NotFound),
            ("0x0", Code::NotFound),
            (" 0", Code::NotFound),
            ("root\n", Code::NotFound),
            ("www:bad", Code::NotFound),
            ("4294967295", Code::Invalid),
            ("99999999999999999999", Code::Invalid),
            ("www:4294967296", Code::Invalid),
            ("a:b:c", Code::Invalid),
        ] {
            assert_eq!(a.user(word).unwrap_err().code, code, "{word:?}");
        }
    }

    #[test]
    fn the_files_are_the_images_own() {
        let dir = std::env::temp_dir().join(format!("ctr-user-{}", ctr_core::ident::token()));
        let etc = dir.join("etc");
        std::fs::create_dir_all(&etc).unwrap();
        assert_eq!(Accounts::read(&dir).unwrap().passwd, "", "no file is an empty one");
        // An absolute link stays in the root: the host's file is not read.
        symlink("/etc/hostname", etc.join("passwd")).unwrap();
        assert_eq!(Accounts::read(&dir).unwrap().passwd, "");
        symlink("../../../../proc/self/status", etc.join("group")).unwrap();
        assert_eq!(Accounts::read(&dir).unwrap().group, "");
        std::fs::write(etc.join("hostname"), "inside:x:1:1::/:\n").unwrap();
        assert_eq!(Accounts::read(&dir).unwrap().user("inside").unwrap().uid, 1);
        std::fs::remove_file(etc.join("passwd")).unwrap();
        nix::unistd::mkfifo(&etc.join("passwd"), nix::sys::stat::Mode::S_IRUSR).unwrap();
        assert_eq!(Accounts::read(&dir).err().unwrap().code, Code::Invalid, "a fifo");
        std::fs::remove_file(etc.join("passwd")).unwrap();
        std::fs::File::create(etc.join("passwd")).unwrap().set_len(MAX + 1).unwrap();
        assert_eq!(Accounts::read(&dir).err().unwrap().code, Code::Limit, "a huge file");
        std::fs::remove_dir_all(dir).unwrap();
    }
}
