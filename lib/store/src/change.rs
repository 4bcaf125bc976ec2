//! `--change`: a Dockerfile instruction applied to an image config (image-spec, config.md).

use ctr_core::{Code, Error, Map, Result, Value, container, json};
use std::{iter::Peekable, str::Chars};

/// What EXPOSE takes.
const PORTS: &str = "PORT[-PORT][/tcp|udp|sctp] is expected";

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
    // As they were before the instruction (Dockerfile reference, Environment replacement).
    let env = environment(config);
    let one = |text: &str| words(text, &env, false).and_then(|words| words.into_iter().next());
    let unquoted = |text: &str| one(text).ok_or_else(|| bad("its quotes or variables do not end"));
    match word.to_ascii_uppercase().as_str() {
        "CMD" => set(config, "Cmd", command(config, rest)),
        "ENTRYPOINT" => set(config, "Entrypoint", command(config, rest)),
        "SHELL" => set(config, "Shell", json!(list(rest).ok_or_else(|| bad("a JSON list of strings is expected"))?)),
        "ENV" => {
            for (key, value) in pairs(rest, &env).ok_or_else(|| bad("KEY=VALUE is expected"))? {
                set_env(config, &key, &value);
            }
        }
        "LABEL" => {
            for (key, value) in pairs(rest, &env).ok_or_else(|| bad("KEY=VALUE is expected"))? {
                put(config, "Labels", key, json!(value));
            }
        }
        "EXPOSE" => {
            for port in unquoted(rest)?.split_whitespace() {
                let (numbers, protocol) = port.split_once('/').unwrap_or((port, "tcp"));
                let (first, last) = numbers.split_once('-').unwrap_or((numbers, numbers));
                let (Ok(first), Ok(last)) = (first.parse::<u16>(), last.parse::<u16>()) else {
                    return Err(bad(PORTS));
                };
                if first == 0 || first > last || !["tcp", "udp", "sctp"].contains(&protocol) {
                    return Err(bad(PORTS));
                }
                for number in first..=last {
                    put(config, "ExposedPorts", format!("{number}/{protocol}"), json!({}));
                }
            }
        }
        "VOLUME" => {
            let paths = match list(rest) {
                Some(paths) => paths.iter().map(|path| unquoted(path)).collect::<Result<_>>()?,
                None => words(rest, &env, true).ok_or_else(|| bad("its quotes or variables do not end"))?,
            };
            for path in paths {
                // One that no container could be made with.
                if !path.starts_with('/') {
                    return Err(bad("absolute paths are expected"));
                }
                put(config, "Volumes", path, json!({}));
            }
        }
        "USER" => set(config, "User", json!(unquoted(rest)?)),
        "WORKDIR" => {
            let before = config.get("WorkingDir").and_then(Value::as_str).unwrap_or("/");
            let rest = unquoted(rest)?;
            let path = if rest.starts_with('/') { rest } else { format!("{}/{rest}", before.trim_end_matches('/')) };
            set(config, "WorkingDir", json!(path));
        }
        "STOPSIGNAL" => {
            let signal = unquoted(rest)?;
            container::parse_signal(&signal).map_err(|e| bad(&e.message))?;
            set(config, "StopSignal", json!(signal));
        }
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

/// The variables of the config.
fn environment(config: &Map<String, Value>) -> Map<String, Value> {
    let list = config.get("Env").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    list.filter_map(|text| text.split_once('=')).map(|(name, value)| (name.to_owned(), json!(value))).collect()
}

/// `KEY=VALUE …` with quotes and backslashes as the Dockerfile reference has them, or the old `KEY VALUE`.
fn pairs(text: &str, env: &Map<String, Value>) -> Option<Vec<(String, String)>> {
    if let Some((key, value)) = text.split_once(char::is_whitespace)
        && !key.contains('=')
    {
        return Some(vec![(key.to_owned(), words(value.trim(), env, false)?.concat())]);
    }
    words(text, env, true)?
        .iter()
        .map(|w| w.split_once('=').filter(|(k, _)| !k.is_empty()).map(|(k, v)| (k.to_owned(), v.to_owned())))
        .collect()
}

/// Text without its quotes and backslashes and with its variables replaced, but between single quotes; with `split`
/// its words. `None` where something does not end.
fn words(text: &str, env: &Map<String, Value>, split: bool) -> Option<Vec<String>> {
    let (mut words, mut word, mut quote, mut any) = (Vec::new(), String::new(), None, false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, quote) {
            ('\\', None | Some('"')) => word.push(chars.next()?),
            ('$', None | Some('"')) => word.push_str(&variable(&mut chars, env)?),
            ('"' | '\'', None) => {
                quote = Some(c);
                any = true;
            }
            (c, Some(q)) if c == q => quote = None,
            (c, None) if split && c.is_whitespace() => {
                if any || !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                any = false;
            }
            (c, _) => word.push(c),
        }
    }
    if any || !split || !word.is_empty() {
        words.push(word);
    }
    quote.is_none().then_some(words)
}

/// What stands for `$NAME`, `${NAME}`, `${NAME:-OTHER}` and `${NAME:+OTHER}`, of which the `$` was read; it is empty where
/// there is no such variable.
fn variable(chars: &mut Peekable<Chars<'_>>, env: &Map<String, Value>) -> Option<String> {
    let braced = chars.next_if_eq(&'{').is_some();
    let mut name = String::new();
    while let Some(c) = chars.next_if(|c| c.is_ascii_alphanumeric() || *c == '_') {
        name.push(c);
    }
    let value = env.get(&name).and_then(Value::as_str).unwrap_or_default();
    if !braced {
        return Some(if name.is_empty() { "$".to_owned() } else { value.to_owned() });
    }
    let mut other = String::new();
    loop {
        match chars.next()? {
            '}' => break,
            c => other.push(c),
        }
    }
    match other.get(..2) {
        _ if name.is_empty() => None,
        None if other.is_empty() => Some(value.to_owned()),
        Some(":-") if value.is_empty() => words(&other[2..], env, false).map(|words| words.concat()),
        Some(":-") => Some(value.to_owned()),
        Some(":+") if value.is_empty() => Some(String::new()),
        Some(":+") => words(&other[2..], env, false).map(|words| words.concat()),
        _ => None,
    }
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
                "EXPOSE 80 53-54/udp",
                "STOPSIGNAL SIGRTMIN+3",
                "WORKDIR /a",
                "WORKDIR b",
                "VOLUME /data",
                "LABEL x=y",
                "HEALTHCHECK --interval=1m30s --retries=2 CMD true",
            ]),
            json!({"Cmd": ["a", "b"], "Entrypoint": ["/bin/sh", "-c", "run me"], "Env": ["A=3", "B=two words"],
                "ExposedPorts": {"80/tcp": {}, "53/udp": {}, "54/udp": {}}, "StopSignal": "SIGRTMIN+3", "WorkingDir": "/a/b", "Volumes": {"/data": {}},
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
    fn variables_are_those_before_the_instruction() {
        let env = [
            "ENV A=1 B=\"x y\"",
            "ENV A=$A$B C=\"${A}-$B\" D='$A' E=\\$A F=${N:-$A}${A:+yes}${N:+no} G=$",
            "ENV H a $A",
        ];
        let expected = json!(["A=1x y", "B=x y", "C=1-x y", "D=$A", "E=$A", "F=1yes", "G=$", "H=a 1x y"]);
        assert_eq!(changed(&env)["Env"], expected);
        let other = [
            "ENV P=/srv",
            "WORKDIR $P/in",
            "USER ${U:-nobody}",
            "VOLUME $P \"/a b\"",
            "VOLUME [\"$P/x\"]",
            "EXPOSE ${N:-53}/udp",
        ];
        let config = changed(&other);
        assert_eq!((&config["WorkingDir"], &config["User"]), (&json!("/srv/in"), &json!("nobody")));
        assert_eq!(config["Volumes"], json!({"/srv": {}, "/a b": {}, "/srv/x": {}}));
        assert_eq!(config["ExposedPorts"], json!({"53/udp": {}}));
        assert_eq!(changed(&["ENV A=1", "CMD echo $A"])["Cmd"], json!(["/bin/sh", "-c", "echo $A"]));
        for bad in ["ENV A=${B", "ENV A='x", "USER \"x", "ENV A=${B:?x}", "ENV A=${}", "WORKDIR ${A"] {
            assert!(apply(&mut Map::new(), bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_needs_a_build_is_refused() {
        for bad in ["RUN true", "COPY a b", "CMD", "ENV =x", "HEALTHCHECK maybe", "SHELL sh"] {
            assert!(apply(&mut Map::new(), bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_no_container_could_have_is_refused() {
        for bad in [
            "EXPOSE 0",
            "EXPOSE 99999",
            "EXPOSE 82-80",
            "EXPOSE 80-",
            "EXPOSE 80-82/icmp",
            "VOLUME rel",
            "VOLUME /a b",
            "VOLUME [\"rel\"]",
            "STOPSIGNAL FOO",
            "STOPSIGNAL 0",
        ] {
            assert_eq!(apply(&mut Map::new(), bad).unwrap_err().code, Code::Usage, "{bad}");
        }
    }
}
