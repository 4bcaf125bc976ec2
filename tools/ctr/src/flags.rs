//! docker's flags: what they are called, and to whom they go.

use ctr_core::{Code, Error, Result};

/// Who acts on a flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goes {
    /// The plan itself.
    Here,
    /// The tool of this name, which has the same flag.
    To(&'static str),
    /// Nobody yet: what is not there.
    NotYet(&'static str),
}

/// One flag of a command.
#[derive(Clone, Copy, Debug)]
pub struct Flag {
    /// Its name without the hyphens.
    pub long: &'static str,
    /// Its letter.
    pub short: Option<char>,
    /// Another name that docker takes.
    pub alias: Option<&'static str>,
    /// The name of its value; none for a switch.
    pub value: Option<&'static str>,
    /// Whether every value counts, not only the last.
    pub list: bool,
    /// Its line in the help.
    pub help: &'static str,
    /// Who acts on it.
    pub goes: Goes,
}

/// A flag that is on or off.
pub const fn switch(long: &'static str, help: &'static str) -> Flag {
    Flag { long, short: None, alias: None, value: None, list: false, help, goes: Goes::Here }
}

/// A flag with a value.
pub const fn value(long: &'static str, value: &'static str, help: &'static str) -> Flag {
    Flag { value: Some(value), ..switch(long, help) }
}

/// A flag that may be given more than once.
pub const fn list(long: &'static str, name: &'static str, help: &'static str) -> Flag {
    Flag { list: true, ..value(long, name, help) }
}

/// Lists of flags as one; `N` is how many they have together.
pub const fn joined<const N: usize>(parts: &[&[Flag]]) -> [Flag; N] {
    let mut all = [switch("", ""); N];
    let (mut part, mut at) = (0, 0);
    while part < parts.len() {
        let mut place = 0;
        while place < parts[part].len() {
            all[at] = parts[part][place];
            (place, at) = (place + 1, at + 1);
        }
        part += 1;
    }
    assert!(at == N, "every place has its flag");
    all
}

impl Flag {
    /// With a letter.
    pub const fn short(self, letter: char) -> Self {
        Self { short: Some(letter), ..self }
    }

    /// With another name.
    pub const fn alias(self, name: &'static str) -> Self {
        Self { alias: Some(name), ..self }
    }

    /// Not there yet: `what` is missing.
    pub const fn not_yet(self, what: &'static str) -> Self {
        Self { goes: Goes::NotYet(what), ..self }
    }

    /// Passed on to `tool`.
    pub const fn to(self, tool: &'static str) -> Self {
        Self { goes: Goes::To(tool), ..self }
    }

    /// The flag as a user writes it.
    pub fn shown(&self) -> String {
        format!("--{}", self.long)
    }
}

/// A command line that was read: flags in their order, then what follows them.
#[derive(Debug, Default)]
pub struct Given {
    flags: Vec<(Flag, String)>,
    /// The operands.
    pub operands: Vec<String>,
    /// `--help` was among the flags, or `-h` where that is no other flag; nothing after it was read.
    pub help: bool,
}

impl Given {
    /// Reads `args` by docker's rules: `--flag value`, `--flag=value`, `-f value`, `-fvalue`, `-it`, `--switch=false`.
    ///
    /// With `stop` flags end at the first operand: what follows belongs to the command in the container.
    ///
    /// # Errors
    /// `usage` for a flag that is not in `table`, a value that is missing, a switch that is neither true nor false;
    /// `unsupported` for a flag that is not there yet.
    pub fn read(table: &[&[Flag]], args: &[String], stop: bool) -> Result<Self> {
        let mut given = Self::default();
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            if arg == "--" {
                given.operands.extend(args.cloned());
                break;
            } else if let Some(long) = arg.strip_prefix("--") {
                let (name, inline) = match long.split_once('=') {
                    Some((name, value)) => (name, Some(value)),
                    None => (long, None),
                };
                if long == "help" {
                    given.help = true;
                    return Ok(given);
                }
                let flag = find(table, |f| f.long == name || f.alias == Some(name))
                    .ok_or_else(|| usage(format!("unknown flag --{name}")))?;
                let value = inline.map(str::to_owned);
                given.add(flag, value.or_else(|| Self::next(flag, &mut args)))?;
            } else if arg == "-h" && find(table, |f| f.short == Some('h')).is_none() {
                given.help = true;
                return Ok(given);
            } else if let Some(letters) = arg.strip_prefix('-').filter(|l| !l.is_empty()) {
                given.letters(table, letters, &mut args)?;
            } else {
                given.operands.push(arg.clone());
                if stop {
                    given.operands.extend(args.cloned());
                    break;
                }
            }
        }
        Ok(given)
    }

    /// `-it`, `-eA=b`, `-e=A=b`, `-t=false`.
    fn letters<'a>(
        &mut self,
        table: &[&[Flag]],
        letters: &str,
        args: &mut impl Iterator<Item = &'a String>,
    ) -> Result<()> {
        let mut rest = letters.chars();
        while let Some(letter) = rest.next() {
            let flag =
                find(table, |f| f.short == Some(letter)).ok_or_else(|| usage(format!("unknown flag -{letter}")))?;
            let inline = rest.as_str();
            if let Some(value) = inline.strip_prefix('=') {
                return self.add(flag, Some(value.to_owned()));
            }
            if flag.value.is_some() {
                let inline = Some(inline.to_owned()).filter(|v| !v.is_empty());
                return self.add(flag, inline.or_else(|| Self::next(flag, args)));
            }
            self.add(flag, Self::next(flag, args))?;
        }
        Ok(())
    }

    /// The value of a flag that came without `=`.
    fn next<'a>(flag: Flag, args: &mut impl Iterator<Item = &'a String>) -> Option<String> {
        if flag.value.is_some() { args.next().cloned() } else { Some("true".to_owned()) }
    }

    fn add(&mut self, flag: Flag, value: Option<String>) -> Result<()> {
        let shown = flag.shown();
        let mut value = value.ok_or_else(|| usage(format!("{shown} needs a value")))?;
        if flag.value.is_none() {
            value = match value.to_ascii_lowercase().as_str() {
                "true" | "t" | "1" => "true".to_owned(),
                "false" | "f" | "0" => "false".to_owned(),
                _ => return Err(usage(format!("{shown} is true or false, not {value:?}"))),
            };
        }
        if let Goes::NotYet(what) = flag.goes {
            // A switch that is off asks for nothing.
            if flag.value.is_some() || value == "true" {
                return Err(Error::new(Code::Unsupported, format!("{shown}: not there yet ({what})")));
            }
        }
        // As docker has it an empty format is none.
        if flag.long == "format" && value.is_empty() {
            self.flags.retain(|(f, _)| f.long != flag.long);
            return Ok(());
        }
        self.flags.push((flag, value));
        Ok(())
    }

    /// The value of `--long`; the last one where it was given more than once.
    pub fn last(&self, long: &str) -> Option<&str> {
        self.flags.iter().rev().find(|(f, _)| f.long == long).map(|(_, v)| v.as_str())
    }

    /// The operands, of which `verb` needs one at least: a `what`.
    ///
    /// # Errors
    /// `usage` without one.
    pub fn some(&self, verb: &str, what: &str) -> Result<&[String]> {
        if self.operands.is_empty() {
            return Err(usage(format!("{verb} needs a {what}")));
        }
        Ok(&self.operands)
    }

    /// That `verb` has no operand.
    ///
    /// # Errors
    /// `usage`, naming the first.
    pub fn none(&self, verb: &str) -> Result<()> {
        match self.operands.first() {
            Some(word) => Err(usage(format!("{verb} takes no operand, not {word:?}"))),
            None => Ok(()),
        }
    }

    /// Every value of `--long`.
    pub fn all(&self, long: &str) -> Vec<&str> {
        self.flags.iter().filter(|(f, _)| f.long == long).map(|(_, v)| v.as_str()).collect()
    }

    /// Whether the switch `--long` is on.
    pub fn on(&self, long: &str) -> bool {
        self.last(long) == Some("true")
    }

    /// The words that hand on to `tool` what is for it.
    pub fn for_tool(&self, tool: &str) -> Vec<String> {
        let mut words = Vec::new();
        for (i, (flag, value)) in self.flags.iter().enumerate() {
            let overruled = !flag.list && self.flags[i + 1..].iter().any(|(f, _)| f.long == flag.long);
            if overruled || !matches!(flag.goes, Goes::To(whose) if whose == tool) {
                continue;
            }
            match flag.value {
                Some(_) if value.starts_with('-') || value.is_empty() => words.push(format!("--{}={value}", flag.long)),
                Some(_) => words.extend([flag.name(), value.clone()]),
                None if value == "true" => words.push(flag.name()),
                None => {}
            }
        }
        words
    }
}

impl Flag {
    /// The shortest way to write it to a tool of ours, where -h is help.
    fn name(&self) -> String {
        self.short.filter(|letter| *letter != 'h').map_or_else(|| self.shown(), |letter| format!("-{letter}"))
    }
}

fn find(table: &[&[Flag]], by: impl Fn(&Flag) -> bool) -> Option<Flag> {
    table.iter().copied().flatten().find(|f| by(f)).copied()
}

/// A command line that is wrong.
pub fn usage(message: impl Into<String>) -> Error {
    Error::new(Code::Usage, message)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const TABLE: &[Flag] = &[
        switch("tty", "").short('t').to("x"),
        switch("interactive", "").short('i').to("x"),
        list("env", "V", "").short('e').to("x"),
        value("network", "N", "").alias("net").to("y"),
        list("volume", "V", "").short('v').not_yet("volumes"),
        switch("later", "").not_yet("that"),
    ];

    fn read(line: &str) -> Result<Given> {
        let args: Vec<_> = line.split_ascii_whitespace().map(str::to_owned).collect();
        Given::read(&[TABLE], &args, true)
    }

    #[test]
    fn flags_are_read_as_docker_reads_them() {
        for (line, words, operands) in [
            ("-it img -t", "-i -t", "img -t"),
            ("--tty --tty=false img", "", "img"),
            ("-eA=b -e C=d --env E --env=F= img", "-e A=b -e C=d -e E -e F=", "img"),
            ("-ite A img", "-i -t -e A", "img"),
            ("-e=-x -e -y --env= img", "--env=-x --env=-y --env=", "img"),
            ("-t=false -i=1 img", "-i", "img"),
            ("-- -t", "", "-t"),
            ("- -t", "", "- -t"),
            ("--later=false img -- a", "", "img -- a"),
        ] {
            let given = read(line).unwrap();
            assert_eq!(given.for_tool("x").join(" "), words, "{line}");
            assert_eq!(given.operands.join(" "), operands, "{line}");
        }
        assert_eq!(read("--network a --net none").unwrap().for_tool("y"), ["--network", "none"]);
        assert_eq!(read("--net a --network b").unwrap().last("network"), Some("b"));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (line, code, message) in [
            ("--nope img", Code::Usage, "unknown flag --nope"),
            ("-tz img", Code::Usage, "unknown flag -z"),
            ("-e", Code::Usage, "--env needs a value"),
            ("--tty=maybe", Code::Usage, "--tty is true or false, not \"maybe\""),
            ("-v /a:/b", Code::Unsupported, "--volume: not there yet (volumes)"),
            ("--later", Code::Unsupported, "--later: not there yet (that)"),
        ] {
            let e = read(line).unwrap_err();
            assert_eq!((e.code, e.message.as_str()), (code, message), "{line}");
        }
    }
}
