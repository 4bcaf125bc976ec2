//! Words of a registry, made safe to print: they come from a stranger.

/// At most `max` characters of `text`; control and bidirectional formatting characters become spaces.
pub(crate) fn clean(text: &str, max: usize) -> String {
    let safe = |c: char| {
        let steers = c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
        if steers { ' ' } else { c }
    };
    let mut chars = text.trim().chars().map(safe);
    let mut out: String = chars.by_ref().take(max).collect();
    if chars.next().is_some() {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_reaches_the_terminal_that_steers_it() {
        assert_eq!(clean("a\u{1b}[2Jb\r\nc\u{202e}d\u{9b}1m", 100), "a [2Jb  c d 1m");
        assert_eq!(clean("abcdef", 3), "abc…");
        assert_eq!(clean(" abc ", 3), "abc");
    }
}
