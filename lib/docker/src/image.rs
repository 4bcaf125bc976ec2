//! The image's name as docker shows it.

use ctr_store::Reference;

/// `busybox` for `docker.io/library/busybox:latest`: what a user types for it. What is no reference, such as the id
/// of an image without one, stays as it is.
pub fn familiar(reference: &str) -> String {
    let Ok(parsed) = Reference::parse(reference) else { return reference.to_owned() };
    let mut name = parsed.familiar_name();
    // Where only `latest` was meant most people typed nothing.
    if let Some(tag) = parsed.tag.as_deref().filter(|tag| *tag != "latest" || parsed.digest.is_some()) {
        name = format!("{name}:{tag}");
    }
    match parsed.digest {
        Some(digest) => format!("{name}@{digest}"),
        None => name,
    }
}

#[cfg(test)]
mod tests {
    use super::familiar;

    #[test]
    fn names_as_they_are_typed() {
        let digest = format!("sha256:{}", "ab".repeat(32));
        for (full, typed) in [
            ("docker.io/library/busybox:latest", "busybox"),
            ("docker.io/library/busybox:1.36", "busybox:1.36"),
            ("localhost:5000/a/b:latest", "localhost:5000/a/b"),
            (digest.as_str(), digest.as_str()),
        ] {
            assert_eq!(familiar(full), typed);
        }
        assert_eq!(familiar(&format!("docker.io/a/b@{digest}")), format!("a/b@{digest}"));
    }
}
