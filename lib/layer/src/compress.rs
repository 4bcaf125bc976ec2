//! How a layer is compressed, told by its bytes.

use crate::{corrupt, header, name};
use ctr_core::{Cannot, Code, Error, Result};
use flate2::bufread::MultiGzDecoder;
use std::io::{BufReader, Cursor, Read};

/// zstd(1)'s own limit unless told otherwise: a window of 128 MiB, all that a layer may ask of memory.
/// What the levels up to 19 write asks for 8 MiB at most.
const MAX_WINDOW_LOG: u32 = 27;
const INPUT_BUFFER: usize = 128 << 10;

/// Checks that a media type is one of a layer: OCI's or docker's, as `tar`, `tar+gzip` or `tar+zstd`.
///
/// Which compression it names does not matter: registries hold layers labelled wrongly, and [`open`] looks.
///
/// # Errors
/// `unsupported`, saying so for an encrypted layer.
pub fn check_media_type(media_type: &str) -> Result<()> {
    let unsupported = |why: &str| {
        Err(Error::new(Code::Unsupported, format!("media type {} {why}", name::show(media_type.as_bytes()))))
    };
    if media_type.ends_with("+encrypted") {
        return unsupported("is an encrypted layer");
    }
    let layer = ["application/vnd.oci.image.layer.", "application/vnd.docker.image.rootfs."];
    if layer.iter().any(|l| media_type.starts_with(l)) && media_type.contains(".tar") {
        return Ok(());
    }
    unsupported("is not a layer of files")
}

/// The tar inside `blob`: gzip (of any number of members), zstd (of any number of frames) or plain.
///
/// # Errors
/// `unsupported`, naming it, for another compression; `corrupt` for bytes that are nothing of the kind.
pub fn open<R: Read + Send + 'static>(mut blob: R) -> Result<Box<dyn Read + Send>> {
    let mut head = Vec::with_capacity(header::BLOCK);
    blob.by_ref().take(header::BLOCK as u64).read_to_end(&mut head).cannot(|| "read the layer")?;
    let kind = sniff(&head)?;
    let whole = BufReader::with_capacity(INPUT_BUFFER, Cursor::new(head).chain(blob));
    Ok(match kind {
        Kind::Tar => Box::new(whole),
        Kind::Gzip => Box::new(MultiGzDecoder::new(whole)),
        Kind::Zstd => {
            let mut decoder = zstd::Decoder::with_buffer(whole).cannot(|| "start zstd")?;
            decoder.window_log_max(MAX_WINDOW_LOG).cannot(|| "limit the window of zstd")?;
            Box::new(decoder)
        }
    })
}

enum Kind {
    Tar,
    Gzip,
    Zstd,
}

fn sniff(head: &[u8]) -> Result<Kind> {
    let others: [(&[u8], &str); 4] =
        [(b"\xfd7zXZ\0", "xz"), (b"BZh", "bzip2"), (b"\x04\x22\x4d\x18", "lz4"), (b"PK\x03\x04", "zip")];
    match head {
        [0x1f, 0x8b, ..] => Ok(Kind::Gzip),
        // RFC 8878: a frame, or a skippable frame before it.
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Ok(Kind::Zstd),
        _ if head.is_empty() || header::is_header_or_end(head) => Ok(Kind::Tar),
        _ => match others.iter().find(|(magic, _)| head.starts_with(magic)) {
            Some((_, name)) => Err(Error::new(Code::Unsupported, format!("it is compressed with {name}"))
                .hint("layers are gzip, zstd or plain tar")),
            None => Err(corrupt("it is neither gzip nor zstd nor tar")),
        },
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::io::Write;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        out.write_all(bytes).unwrap();
        out.finish().unwrap()
    }

    fn unpacked(blob: Vec<u8>) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        open(Cursor::new(blob))?.read_to_end(&mut bytes).cannot(|| "decompress")?;
        Ok(bytes)
    }

    #[test]
    fn content_tells() {
        let tar = vec![0; 1024];
        let (one, two) = tar.split_at(300);
        assert_eq!(unpacked(tar.clone()).unwrap(), tar);
        assert_eq!(unpacked([gzip(one), gzip(&[]), gzip(two)].concat()).unwrap(), tar);
        let frame = |b: &[u8]| zstd::encode_all(b, 3).unwrap();
        let skippable = [0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 9, 9];
        assert_eq!(unpacked([&skippable[..], &frame(one), &skippable, &frame(two)].concat()).unwrap(), tar);
        assert_eq!(unpacked(b"\xfd7zXZ\0...".to_vec()).unwrap_err().code, Code::Unsupported);
        assert_eq!(unpacked(b"<html>not found</html>".to_vec()).unwrap_err().code, Code::Corrupt);
        assert_eq!(unpacked(Vec::new()).unwrap(), b"");
    }

    #[test]
    fn cut_or_damaged_streams_are_errors() {
        let whole = gzip(&[7; 5000]);
        assert!(unpacked(whole[..whole.len() - 4].to_vec()).is_err());
        assert!(unpacked([whole.clone(), b"junk".to_vec()].concat()).is_err());
        let frame = zstd::encode_all(&[7; 5000][..], 3).unwrap();
        assert!(unpacked(frame[..frame.len() - 2].to_vec()).is_err());
    }

    #[test]
    fn a_window_beyond_the_limit_is_refused() {
        // Magic, a frame header without a single segment, window descriptor: exponent 21, so 2 GiB.
        assert!(unpacked(vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 21 << 3, 0, 0, 0, 0, 0]).is_err());
    }

    #[test]
    fn media_types_of_layers() {
        for good in [
            "application/vnd.oci.image.layer.v1.tar",
            "application/vnd.oci.image.layer.v1.tar+gzip",
            "application/vnd.oci.image.layer.v1.tar+zstd",
            "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
            "application/vnd.docker.image.rootfs.diff.tar.gzip",
            "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        ] {
            assert!(check_media_type(good).is_ok(), "{good}");
        }
        for bad in ["application/vnd.oci.image.layer.v1.tar+gzip+encrypted", "application/wasm", ""] {
            assert_eq!(check_media_type(bad).unwrap_err().code, Code::Unsupported, "{bad}");
        }
    }
}
