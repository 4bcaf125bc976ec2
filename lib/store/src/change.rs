//! `--change`: a Dockerfile instruction applied to an image config (image-spec, config.md).

use ctr_core::{Code, Error, Map, Result, Value, json};

/// Applies instructions, `CMD ["sh"]` say, one after the other to the `config` object of an image config.
///
/// As with docker an ENTRYPOINT takes away the command that was made for another, unless one of them is a CMD.
///
/// # Errors
/// `usage` for an instruction that cannot be applied to an image without running something, or a malformed one.
pub fn apply_all(config: &mut Map<String, Value>, instructions: &[String]) -> Result<()> {
    let is = |instruction: &str, word: &str| {
        instruction.split_whitespace().next().is_some_and(|first| first.eq_ignore_ascii_case(word))
    };
    let commands = instructions.iter().any(|instruction| is(instruction, "cmd"));
    for instruction in instructions {
        apply(config, instruction)?;
        if is(instruction, "entrypoint") && !commands {
            config.shift_remove("Cmd");
        }
    }
    Ok(())
}

fn apply(config: &mut Map<String, Value>, instruction: &str) -> Result<()> {
    let bad = |why: &str| Error::new(Code::Usage, format!("change {instruction:?}: {why}"));
    let (word, rest) = instruction.trim().split_once(char::is_whitespace).unwrap_or((instruction.trim(), ""));
    let rest = rest.trim();
    if rest.is_empty() {
        return Err(bad("an instruction and its argument are expected"));
    }
    match word.to_ascii_uppercase().as_str() {
        "CMD" => set(config, "Cmd", command(config, rest)),
        "ENTRYPOINT" => set(config, "Entrypoint", command(config, rest)),
        "SHELL" => set(config, "Shell", json!(list(rest).ok_or_else(|| bad("a JSON list of strings is expected"))?)),
        "ENV" => {
            for (key, value) in pairs(rest).ok_or_else(|| bad("KEY=VALUE is expected"))? {
                set_env(config, &key, &value);
            }
        }
        "LABEL" => {
            for (key, value) in pairs(rest).ok_or_else(|| bad("KEY=VALUE is expected"))? {
                put(config, "Labels", key, json!(value));
            }
        }
        "EXPOSE" => {
            for port in rest.split_whitespace() {
                let (number, protocol) = port.split_once('/').unwrap_or((port, "tcp"));
                let good = number.parse::<u16>().is_ok_and(|n| n != 0) && ["tcp", "udp", "sctp"].contains(&protocol);
                if !good {
                    return Err(bad("PORT[/tcp|udp|sctp] is expected"));
                }
                put(config, "ExposedPorts", format!("{number}/{protocol}"), json!({}));
            }
        }
        "VOLUME" => {
            for path in list(rest).unwrap_or_else(|| rest.split_whitespace().map(str::to_owned).collect()) {
                put(config, "Volumes", path, json!({}));
            }
        }
        "USER" => set(config, "User", json!(rest)),
        "WORKDIR" => {
            let before = config.get("WorkingDir").and_then(Value::as_str).unwrap_or("/");
            let path = if rest.starts_with('/') {
                rest.to_owned()
            } else {
                format!("{}/{rest}", before.trim_end_matches('/'))
            };
            set(config, "WorkingDir", json!(path));
        }
        "STOPSIGNAL" => set(config, "StopSignal", json!(rest)),
        "ONBUILD" => {
            let list = config.entry("OnBuild").or_insert_with(|| json!([]));
            if let Some(list) = list.as_array_mut() {
                list.push(json!(rest));
            }
        }
        "HEALTHCHECK" => {
            let check = healthcheck(rest).ok_or_else(|| bad("NONE or [--OPTION=…] CMD … is expected"))?;
            set(config, "Healthcheck", check);
        }
        _ => {
            let known = "CMD ENTRYPOINT ENV EXPOSE HEALTHCHECK LABEL ONBUILD SHELL STOPSIGNAL USER VOLUME WORKDIR";
            return Err(bad(&format!("only {known} can be changed")));
        }
    }
    Ok(())
}

fn set(config: &mut Map<String, Value>, key: &str, value: Value) {
    config.insert(key.to_owned(), value);
}

/// Puts `item` into the object `key`, which is made where there is none.
fn put(config: &mut Map<String, Value>, key: &str, item: String, value: Value) {
    match config.get_mut(key) {
        Some(Value::Object(map)) => {
            map.insert(item, value);
        }
        _ => set(config, key, Value::Object(Map::from_iter([(item, value)]))),
    }
}

/// The exec form is a JSON list of strings; anything else is for the shell, that of SHELL or `/bin/sh`.
fn command(config: &Map<String, Value>, text: &str) -> Value {
    if let Some(words) = list(text) {
        return json!(words);
    }
    let shell = config.get("Shell").and_then(Value::as_array).cloned();
    let mut words = shell.unwrap_or_else(|| vec![json!("/bin/sh"), json!("-c")]);
    words.push(json!(text));
    Value::Array(words)
}

fn list(text: &str) -> Option<Vec<String>> {
    serde_json::from_str(text).ok()
}

fn set_env(config: &mut Map<String, Value>, key: &str, value: &str) {
    let env = config.entry("Env").or_insert_with(|| json!([]));
    if !env.is_array() {
        *env = json!([]);
    }
    let Some(list) = env.as_array_mut() else { return };
    let text = json!(format!("{key}={value}"));
    let same = |v: &Value| v.as_str().is_some_and(|v| v.split('=').next() == Some(key));
    match list.iter_mut().find(|v| same(v)) {
        Some(old) => *old = text,
        None => list.push(text),
    }
}

/// `KEY=VALUE …` with quotes and backslashes as the Dockerfile reference has them, or the old `KEY VALUE`.
fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    let words = words(text)?;
    if let Some((key, value)) = text.split_once(char::is_whitespace)
        && !key.contains('=')
    {
        return Some(vec![(key.to_owned(), value.trim().to_owned())]);
    }
    words
        .iter()
        .map(|w| w.split_once('=').filter(|(k, _)| !k.is_empty()).map(|(k, v)| (k.to_owned(), v.to_owned())))
        .collect()
}

fn words(text: &str) -> Option<Vec<String>> {
    let (mut words, mut word, mut quote, mut any) = (Vec::new(), String::new(), None, false);
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, quote) {
            ('\\', None | Some('"')) => word.push(chars.next()?),
            ('"' | '\'', None) => {
                quote = Some(c);
                any = true;
            }
            (c, Some(q)) if c == q => quote = None,
            (c, None) if c.is_whitespace() => {
                if any || !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                any = false;
            }
            (c, _) => word.push(c),
        }
    }
    if any || !word.is_empty() {
        words.push(word);
    }
    quote.is_none().then_some(words)
}

fn healthcheck(text: &str) -> Option<Value> {
    if text.eq_ignore_ascii_case("none") {
        return Some(json!({"Test": ["NONE"]}));
    }
    let mut check = Map::new();
    let mut rest = text;
    while let Some(option) = rest.strip_prefix("--") {
        let (option, tail) = option.split_once(char::is_whitespace)?;
        let (key, value) = option.split_once('=')?;
        let (key, value) = match key {
            "interval" => ("Interval", json!(nanoseconds(value)?)),
            "timeout" => ("Timeout", json!(nanoseconds(value)?)),
            "start-period" => ("StartPeriod", json!(nanoseconds(value)?)),
            "start-interval" => ("StartInterval", json!(nanoseconds(value)?)),
            "retries" => ("Retries", json!(value.parse::<u32>().ok()?)),
            _ => return None,
        };
        check.insert(key.to_owned(), value);
        rest = tail.trim_start();
    }
    let (word, command) = rest.split_once(char::is_whitespace)?;
    if !word.eq_ignore_ascii_case("cmd") {
        return None;
    }
    let test = match list(command.trim()) {
        Some(words) => std::iter::once("CMD".to_owned()).chain(words).collect::<Vec<_>>(),
        None => vec!["CMD-SHELL".to_owned(), command.trim().to_owned()],
    };
    check.insert("Test".to_owned(), json!(test));
    Some(Value::Object(check))
}

/// `1m30s`, `500ms`: Go's durations, in nanoseconds.
fn nanoseconds(text: &str) -> Option<u64> {
    let (mut total, mut rest) = (0_u64, text);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        let unit_end = rest[digits..].find(|c: char| c.is_ascii_digit()).map_or(rest.len(), |at| digits + at);
        let unit = match &rest[digits..unit_end] {
            "ns" => 1,
            "us" | "µs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return None,
        };
        total = total.checked_add(number.checked_mul(unit)?)?;
        rest = &rest[unit_end..];
    }
    (!text.is_empty()).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(instructions: &[&str]) -> Value {
        let mut config = Map::new();
        apply_all(&mut config, &instructions.iter().map(|&i| i.to_owned()).collect::<Vec<_>>()).unwrap();
        Value::Object(config)
    }

    #[test]
    fn instructions_become_config() {
        assert_eq!(
            changed(&[
                "CMD [\"a\", \"b\"]",
                "entrypoint run me",
                "ENV A=1 B=\"two words\"",
                "ENV A 3",
                "EXPOSE 80 53/udp",
                "WORKDIR /a",
                "WORKDIR b",
                "VOLUME /data",
                "LABEL x=y",
                "HEALTHCHECK --interval=1m30s --retries=2 CMD true",
            ]),
            json!({"Cmd": ["a", "b"], "Entrypoint": ["/bin/sh", "-c", "run me"], "Env": ["A=3", "B=two words"],
                "ExposedPorts": {"80/tcp": {}, "53/udp": {}}, "WorkingDir": "/a/b", "Volumes": {"/data": {}},
                "Labels": {"x": "y"},
                "Healthcheck": {"Interval": 90_000_000_000_u64, "Retries": 2, "Test": ["CMD-SHELL", "true"]}})
        );
    }

    #[test]
    fn an_entrypoint_takes_the_command_of_another() {
        assert_eq!(changed(&["SHELL [\"sh\", \"-ec\"]", "CMD a b"])["Cmd"], json!(["sh", "-ec", "a b"]));
        let mut config = Map::from_iter([("Cmd".to_owned(), json!(["old"]))]);
        apply_all(&mut config, &["ENTRYPOINT [\"e\"]".to_owned()]).unwrap();
        assert_eq!(Value::Object(config), json!({"Entrypoint": ["e"]}));
        assert_eq!(changed(&["cmd [\"c\"]", "entrypoint [\"e\"]"]), json!({"Cmd": ["c"], "Entrypoint": ["e"]}));
    }

    #[test]
    fn what_needs_a_build_is_refused() {
        for bad in
            ["RUN true", "COPY a b", "CMD", "EXPOSE 0", "EXPOSE 99999", "ENV =x", "HEALTHCHECK maybe", "SHELL sh"]
        {
            assert!(apply(&mut Map::new(), bad).is_err(), "{bad}");
        }
    }
}
