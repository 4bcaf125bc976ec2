//! Words for a POSIX shell.

/// The word as a shell reads it back, quoted only where it must be.
///
/// Between single quotes nothing is special but the single quote itself (POSIX, Shell Command Language, 2.2.2).
pub fn quote(word: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_./:=@%+,".contains(&b);
    if !word.is_empty() && word.bytes().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::quote;
    use proptest::prelude::*;
    use std::process::Command;

    /// What a shell makes of the quoted words.
    fn read_back(shell: &[&str], words: &[String]) -> Vec<String> {
        let line: Vec<_> = words.iter().map(|w| quote(w)).collect();
        let script = format!("printf '%s\\0' x {}", line.join(" "));
        let out = Command::new(shell[0]).args(&shell[1..]).arg("-c").arg(script).output().unwrap();
        assert!(out.status.success(), "{shell:?}: {}", String::from_utf8_lossy(&out.stderr));
        let text = String::from_utf8(out.stdout).unwrap();
        text.split_terminator('\0').skip(1).map(str::to_owned).collect()
    }

    #[test]
    fn plain_words_stay_plain() {
        for word in ["busybox", "localhost:5000/a-b_c:1.0", "A=b", "--name", "name@sha256:00", "50%"] {
            assert_eq!(quote(word), word);
        }
        assert_eq!(quote(""), "''");
        assert_eq!(quote("it's"), r"'it'\''s'");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]
        #[test]
        fn a_shell_reads_back_every_word(words in prop::collection::vec("[^\0]{0,8}|[ -~\n\t]{0,12}", 1..6)) {
            prop_assert_eq!(read_back(&["sh"], &words), words);
        }
    }
}
