//! The files of a tar that is no layer, an archive of images say: read one after the other, and none is made.

use crate::{
    archive::Archive,
    entry::Kind,
    name::show,
    stream::{Stop, Stream},
};
use ctr_core::{Code, Error, Result};
use std::io::Read;

static NEVER: Stop = Stop::new(false);

/// Reads a tar within the bounds that layers have: of hostile headers no more is taken into memory.
pub struct Files {
    archive: Archive<'static>,
}

/// What a name in the tar is.
pub enum Member {
    /// A file; [`Files::chunk`] gives its data.
    File,
    /// A symbolic link with its text.
    Symlink(Vec<u8>),
    /// A hard link to the file of this path.
    Link(Vec<u8>),
    /// A directory or a device.
    Other,
}

impl Files {
    /// For a tar as [`crate::open`] gives it.
    pub fn new(tar: Box<dyn Read + Send>) -> Self {
        Self { archive: Archive::new(Stream::new(tar, None, &NEVER), "the archive") }
    }

    /// The next member with its path: names parted by one `/`, none of them `.` or `..`.
    ///
    /// # Errors
    /// `corrupt` for a tar that is damaged or cut short, `limit` for headers beyond the bounds, `unsupported` for a
    /// sparse file.
    pub fn member(&mut self) -> Result<Option<(Vec<u8>, Member)>> {
        let Some(entry) = self.archive.next()? else { return Ok(None) };
        let member = match entry.kind {
            Kind::File(None) => Member::File,
            Kind::File(Some(_)) => {
                return Err(Error::new(Code::Unsupported, format!("entry {} is a sparse file", show(&entry.path))));
            }
            Kind::Symlink(target) => Member::Symlink(target.into_bytes()),
            Kind::Link(target) => Member::Link(target),
            Kind::Directory | Kind::Node(..) => Member::Other,
        };
        Ok(Some((entry.path, member)))
    }

    /// Some more of the data of the file that came last; none at its end.
    ///
    /// # Errors
    /// `corrupt` where the tar is cut short.
    pub fn chunk(&mut self) -> Result<&[u8]> {
        if self.archive.left() == 0 { Ok(&[]) } else { self.archive.chunk(u64::MAX) }
    }

    /// Reads what stands behind the last member: only then it is known that the whole was sound.
    pub fn finish(self) -> Result<()> {
        self.archive.into_stream().finish().map(drop)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::io::Cursor;

    fn entry(flag: u8, name: &str, data: &[u8]) -> Vec<u8> {
        let mut header = tar::Header::new_gnu();
        header.set_size(data.len() as u64);
        header.set_mode(0o644);
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.as_old_mut().linkflag[0] = flag;
        header.set_link_name_literal("a/../b").unwrap();
        header.set_cksum();
        let mut bytes = [header.as_bytes(), data].concat();
        bytes.resize(bytes.len().next_multiple_of(512), 0);
        bytes
    }

    fn list(tar: Vec<u8>) -> Result<String, Code> {
        let mut files = Files::new(Box::new(Cursor::new(tar)));
        let mut list = Vec::new();
        let mut read = || -> Result<()> {
            while let Some((mut path, member)) = files.member()? {
                match member {
                    Member::File => path.extend([b"=", files.chunk()?].concat()),
                    Member::Symlink(target) => path.extend([&b">"[..], &target].concat()),
                    Member::Link(_) | Member::Other => path.push(b';'),
                }
                list.push(String::from_utf8(path).unwrap());
            }
            Ok(())
        };
        read().map_err(|e| e.code)?;
        files.finish().map_err(|e| e.code).map(|()| list.join(" "))
    }

    #[test]
    fn files_and_links_with_their_names() {
        let long = [b"n".repeat(300).as_slice(), b"/x\0"].concat();
        let all = [
            entry(b'5', "./d/", b""),
            entry(b'0', "/d/f", b"data"),
            entry(b'2', "d/l", b""),
            entry(b'0', "left/unread", &[b'x'; 1000]),
            entry(b'g', "global", b"12 comment=\n"),
            entry(b'0', "empty", b""),
            vec![0; 1024],
        ];
        let tar = all.concat();
        let expected = format!("d; d/f=data d/l>a/../b left/unread={} empty=", "x".repeat(1000));
        assert_eq!(list(tar.clone()).unwrap(), expected);
        assert_eq!(list(tar[..1900].to_vec()), Err(Code::Corrupt));
        let named = [entry(b'L', "L", &long), entry(b'0', "x", b"y"), vec![0; 1024]].concat();
        assert_eq!(list(named), Err(Code::Limit), "a name longer than the kernel's");
    }

    #[test]
    fn hostile_headers_are_bounded() {
        for flag in [b'L', b'K', b'x'] {
            let mut header = entry(flag, "x", b"");
            header[124..136].copy_from_slice(b"77777777777\0");
            header[148..156].fill(b' ');
            let sum: u32 = header.iter().map(|b| u32::from(*b)).sum();
            header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
            assert_eq!(list(header), Err(Code::Limit), "{}", char::from(flag));
        }
        assert_eq!(list(entry(b'S', "sparse", b"")), Err(Code::Unsupported));
        assert_eq!(list(entry(b'0', "../x", b"")), Err(Code::Corrupt));
    }
}
