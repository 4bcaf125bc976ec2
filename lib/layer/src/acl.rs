//! POSIX access control lists: the text that tar carries (`SCHILY.acl.*`) as the xattr the kernel takes.

use crate::{corrupt, name::show, pax::decimal};
use ctr_core::{Code, Error, Result};

/// `POSIX_ACL_XATTR_VERSION` (linux/posix_acl_xattr.h).
const VERSION: u32 = 2;
/// The id of entries that name nobody.
const NOBODY: u32 = u32::MAX;

/// Turns `user::rwx,user:lisa:r-x:502,group::r--,mask::rwx,other::---` into `system.posix_acl_*`'s value.
///
/// A named entry counts by its number: the fourth field, as star and GNU tar write it, or a name that is digits.
///
/// # Errors
/// `corrupt` where the text has not its form; `unsupported` where it has a name without a number, for whom the
/// host's own users would be the wrong ones.
pub(crate) fn from_text(text: &[u8]) -> Result<Vec<u8>> {
    let mut entries = Vec::new();
    for line in text.split(|b| matches!(b, b',' | b'\n')) {
        let line = line.split(|b| *b == b'#').next().unwrap_or_default().trim_ascii();
        if !line.is_empty() {
            entries.push(entry(line)?);
        }
    }
    // The kernel wants them in this order (posix_acl_valid).
    entries.sort_unstable();
    let mut value = VERSION.to_le_bytes().to_vec();
    for (tag, id, permissions) in entries {
        value.extend(tag.to_le_bytes());
        value.extend(permissions.to_le_bytes());
        value.extend(id.to_le_bytes());
    }
    Ok(value)
}

fn entry(line: &[u8]) -> Result<(u16, u32, u16)> {
    let malformed = || corrupt(format!("access control list entry {} is malformed", show(line)));
    let fields: Vec<&[u8]> = line.split(|b| *b == b':').collect();
    let (kind, who, bits, number) = match fields[..] {
        [kind, who, bits] => (kind, who, bits, None),
        [kind, who, bits, number] => (kind, who, bits, Some(number)),
        // `mask:rwx` and `other:r-x`, as Solaris writes them.
        [kind, bits] => (kind, &[][..], bits, None),
        _ => return Err(malformed()),
    };
    let named = !who.is_empty();
    // ACL_USER_OBJ, ACL_USER, ACL_GROUP_OBJ, ACL_GROUP, ACL_MASK, ACL_OTHER.
    let tag = match (kind, named) {
        (b"user" | b"u", false) => 0x01,
        (b"user" | b"u", true) => 0x02,
        (b"group" | b"g", false) => 0x04,
        (b"group" | b"g", true) => 0x08,
        (b"mask" | b"m", false) => 0x10,
        (b"other" | b"o", false) => 0x20,
        _ => return Err(malformed()),
    };
    let id = match (named, decimal(number.unwrap_or(who))) {
        (false, _) => NOBODY,
        (true, Some(id)) => u32::try_from(id).map_err(|_| malformed())?,
        (true, None) => {
            let message = format!("access control list entry {} has no number", show(line));
            return Err(Error::new(Code::Unsupported, message).hint("pack it with numeric owners"));
        }
    };
    let permissions = bits.iter().try_fold(0, |bits, b| match b {
        b'r' => Some(bits | 4),
        b'w' => Some(bits | 2),
        b'x' => Some(bits | 1),
        b'-' => Some(bits),
        _ => None,
    });
    Ok((tag, id, permissions.ok_or_else(malformed)?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn text_becomes_the_kernels_form_in_its_order() {
        let value = from_text(b"user::rwx,other::---,group::r--,user:lisa:r-x:502,mask::rwx,user:7:-w-").unwrap();
        let mut want = vec![2, 0, 0, 0];
        for (tag, bits, id) in
            [(1_u8, 7_u8, NOBODY), (2, 2, 7), (2, 5, 502), (4, 4, NOBODY), (0x10, 7, NOBODY), (0x20, 0, NOBODY)]
        {
            want.extend([tag, 0, bits, 0]);
            want.extend(id.to_le_bytes());
        }
        assert_eq!(value, want);
        assert_eq!(from_text(b"user::rw-\ngroup::r-- #effective:r--\nother::r--\n").unwrap().len(), 4 + 3 * 8);
    }

    #[test]
    fn names_without_numbers_and_nonsense_are_refused() {
        assert_eq!(from_text(b"user:lisa:rwx").unwrap_err().code, Code::Unsupported);
        for bad in [&b"user"[..], b"user::rwq", b"mask:x:rwx", b"a:b:c:d:e", b"user:x:r:99999999999"] {
            assert_eq!(from_text(bad).unwrap_err().code, Code::Corrupt);
        }
    }
}
