//! `WWW-Authenticate` (RFC 9110, 11.6.1): what a registry wants to be shown.

/// One challenge of a header: a scheme and its parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// The scheme, lower case: `bearer`, `basic`.
    pub scheme: String,
    params: Vec<(String, String)>,
}

impl Challenge {
    /// The challenges of a header's value. What cannot be read is passed over, never an error:
    /// a registry that asks for nothing we understand refuses us soon enough.
    pub fn parse(header: &str) -> Vec<Self> {
        let mut found: Vec<Self> = Vec::new();
        let mut rest = Cursor(header);
        loop {
            rest.skip(|c| c == ',' || c.is_whitespace());
            let word = rest.take(is_token);
            if word.is_empty() {
                if !rest.bump() {
                    return found;
                }
                continue;
            }
            let mut after = Cursor(rest.0);
            after.skip(char::is_whitespace);
            if after.eat('=')
                && let Some(challenge) = found.last_mut()
            {
                after.skip(char::is_whitespace);
                let value = after.value();
                challenge.params.push((word.to_ascii_lowercase(), value));
                rest = after;
                continue;
            }
            found.push(Self { scheme: word.to_ascii_lowercase(), params: Vec::new() });
            rest.skip(char::is_whitespace);
            rest.skip_token68();
        }
    }

    /// The value of a parameter; the first one counts.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }
}

/// RFC 9110, 5.6.2.
fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)
}

#[derive(Clone, Copy)]
struct Cursor<'a>(&'a str);

impl<'a> Cursor<'a> {
    fn take(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let end = self.0.find(|c| !wanted(c)).unwrap_or(self.0.len());
        let (taken, rest) = self.0.split_at(end);
        self.0 = rest;
        taken
    }

    fn skip(&mut self, unwanted: impl Fn(char) -> bool) {
        self.take(unwanted);
    }

    fn eat(&mut self, c: char) -> bool {
        match self.0.strip_prefix(c) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }

    /// Goes on by one character; false at the end.
    fn bump(&mut self) -> bool {
        let mut chars = self.0.chars();
        let moved = chars.next().is_some();
        self.0 = chars.as_str();
        moved
    }

    /// A token or a quoted string (RFC 9110, 5.6.4).
    fn value(&mut self) -> String {
        if !self.eat('"') {
            return self.take(|c| c != ',' && !c.is_whitespace()).to_owned();
        }
        let mut value = String::new();
        let mut chars = self.0.chars();
        while let Some(c) = chars.next() {
            match c {
                '"' => break,
                '\\' => value.extend(chars.next()),
                c => value.push(c),
            }
        }
        self.0 = chars.as_str();
        value
    }

    /// Passes over `token68` (`NTLM TlRM=`), which no scheme of ours uses; a parameter's name stays.
    fn skip_token68(&mut self) {
        let mut ahead = *self;
        ahead.skip(|c| c.is_ascii_alphanumeric() || "-._~+/".contains(c));
        ahead.skip(|c| c == '=');
        let end = ahead;
        ahead.skip(char::is_whitespace);
        if ahead.0.is_empty() || ahead.0.starts_with(',') {
            *self = end;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn bearer_as_registries_send_it() {
        let header = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/busybox:pull,push",error="insufficient_scope""#;
        let all = Challenge::parse(header);
        assert_eq!(all.len(), 1);
        assert_eq!(all[0].scheme, "bearer");
        assert_eq!(all[0].param("realm"), Some("https://auth.docker.io/token"));
        assert_eq!(all[0].param("scope"), Some("repository:library/busybox:pull,push"));
        assert_eq!(all[0].param("error"), Some("insufficient_scope"));
        assert_eq!(all[0].param("none"), None);
    }

    #[test]
    fn several_challenges_in_one_header() {
        let all =
            Challenge::parse(r#"NTLM abc==, Negotiate , bAsIc Realm = "a \"b\", c" , charset=UTF-8,Bearer realm=x"#);
        let schemes: Vec<_> = all.iter().map(|c| c.scheme.as_str()).collect();
        assert_eq!(schemes, ["ntlm", "negotiate", "basic", "bearer"]);
        assert_eq!(all[2].param("realm"), Some("a \"b\", c"));
        assert_eq!(all[2].param("charset"), Some("UTF-8"));
        assert_eq!(all[3].param("realm"), Some("x"));
    }

    #[test]
    fn odd_headers_end() {
        for odd in [
            "",
            ",,,",
            "=",
            "\"",
            "Bearer",
            "Bearer realm=\"open",
            "Bearer realm=\"x\\",
            "a=b",
            "é é=\"é\"",
            "Basic realm=",
        ] {
            Challenge::parse(odd);
        }
        assert_eq!(Challenge::parse("Bearer realm=\"open")[0].param("realm"), Some("open"));
    }

    proptest! {
        #[test]
        fn never_panics_and_ends(header in "\\PC{0,200}") {
            Challenge::parse(&header);
        }

        #[test]
        fn reads_back_what_was_quoted(realm in "[ -~]{0,60}", service in "[ -~]{0,30}") {
            let quote = |s: &str| s.replace('\\', "\\\\").replace('"', "\\\"");
            let header = format!("Bearer realm=\"{}\",service=\"{}\"", quote(&realm), quote(&service));
            let all = Challenge::parse(&header);
            prop_assert_eq!(all.len(), 1);
            prop_assert_eq!(all[0].param("realm"), Some(realm.as_str()));
            prop_assert_eq!(all[0].param("service"), Some(service.as_str()));
        }
    }
}
