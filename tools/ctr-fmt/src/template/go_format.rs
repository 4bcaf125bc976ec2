//! Values as Go's fmt prints them.

use super::misfit;
use ctr_core::{Result, Value};

/// Widest field of a verb: a typing error must not fill the memory.
const WIDEST: usize = 1 << 12;

/// `%v`
pub fn display(value: &Value) -> String {
    match value {
        Value::Null => "<no value>".to_owned(),
        Value::String(s) => s.clone(),
        Value::Array(list) => format!("[{}]", list.iter().map(inner).collect::<Vec<_>>().join(" ")),
        Value::Object(map) => {
            let mut fields: Vec<_> = map.iter().map(|(k, v)| format!("{k}:{}", inner(v))).collect();
            fields.sort();
            format!("map[{}]", fields.join(" "))
        }
        other => other.to_string(),
    }
}

/// A value inside of a list or map, where Go writes nil in its other form.
fn inner(value: &Value) -> String {
    if value.is_null() { "<nil>".to_owned() } else { display(value) }
}

/// `fmt.Sprint`: a space between two values of which none is a string.
pub fn sprint(values: &[Value]) -> String {
    let mut out = String::new();
    for (i, value) in values.iter().enumerate() {
        if i > 0 && !value.is_string() && !values[i - 1].is_string() {
            out.push(' ');
        }
        out.push_str(&inner(value));
    }
    out
}

/// `fmt.Sprintln`
pub fn sprintln(values: &[Value]) -> String {
    values.iter().map(inner).collect::<Vec<_>>().join(" ") + "\n"
}

/// `fmt.Sprintf` for the verbs `%s %v %d %q %t %x %f %%` with width, precision, `-` and `0`.
///
/// # Errors
/// `invalid` for other verbs; for verbs and values that do not pair.
pub fn sprintf(values: &[Value]) -> Result<String> {
    let [Value::String(format), values @ ..] = values else { return Err(misfit("printf takes a format")) };
    let mut values = values.iter();
    let mut out = String::new();
    let mut rest = format.as_str();
    while let Some((text, verb)) = rest.split_once('%') {
        out.push_str(text);
        let (verb, after) = Verb::parse(verb)?;
        rest = after;
        if verb.letter == '%' {
            out.push('%');
            continue;
        }
        let value = values.next().ok_or_else(|| misfit(format!("printf {format:?}: too few values")))?;
        out.push_str(&verb.apply(value)?);
    }
    if values.next().is_some() {
        return Err(misfit(format!("printf {format:?}: too many values")));
    }
    out.push_str(rest);
    Ok(out)
}

struct Verb {
    letter: char,
    left: bool,
    zeros: bool,
    width: usize,
    precision: Option<usize>,
}

impl Verb {
    /// Parses what follows `%`; gives the text after the verb too.
    fn parse(text: &str) -> Result<(Self, &str)> {
        let bad = || misfit(format!("printf: bad verb %{}", text.chars().take(8).collect::<String>()));
        let flags = text.find(|c| c != '-' && c != '0').unwrap_or(text.len());
        let (flags, rest) = text.split_at(flags);
        let digits = |text: &str| text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let number = |text: &str| text.parse::<usize>().ok().filter(|n| *n <= WIDEST);
        let (width, rest) = rest.split_at(digits(rest));
        let width = if width.is_empty() { 0 } else { number(width).ok_or_else(bad)? };
        let (precision, rest) = match rest.strip_prefix('.') {
            None => (None, rest),
            Some(rest) => {
                let (digits, rest) = rest.split_at(digits(rest));
                (Some(if digits.is_empty() { 0 } else { number(digits).ok_or_else(bad)? }), rest)
            }
        };
        let letter = rest.chars().next().filter(|c| "svdqtxf%".contains(*c)).ok_or_else(bad)?;
        Ok((
            Self { letter, left: flags.contains('-'), zeros: flags.contains('0'), width, precision },
            &rest[letter.len_utf8()..],
        ))
    }

    fn apply(&self, value: &Value) -> Result<String> {
        let cut = |text: String| match self.precision {
            Some(n) => text.chars().take(n).collect(),
            None => text,
        };
        let text = match (self.letter, value) {
            ('v', value) => inner(value),
            ('s', Value::String(s)) => cut(s.clone()),
            ('s', Value::Array(_) | Value::Object(_)) => cut(display(value)),
            ('q', Value::String(s)) => Value::String(s.clone()).to_string(),
            ('t', Value::Bool(b)) => b.to_string(),
            ('d', Value::Number(n)) if !n.is_f64() => n.to_string(),
            ('x', Value::Number(n)) if n.is_u64() => format!("{:x}", n.as_u64().unwrap_or_default()),
            ('x', Value::String(s)) => ctr_core::ident::hex(s.as_bytes()),
            ('f', Value::Number(n)) => format!("{:.*}", self.precision.unwrap_or(6), n.as_f64().unwrap_or_default()),
            (letter, value) => return Err(misfit(format!("printf: %{letter} of {value}"))),
        };
        let fill = self.width.saturating_sub(text.chars().count());
        Ok(match (self.left, self.zeros && value.is_number()) {
            (true, _) => text + &" ".repeat(fill),
            (false, false) => " ".repeat(fill) + &text,
            (false, true) => match text.strip_prefix('-') {
                Some(digits) => format!("-{}{digits}", "0".repeat(fill)),
                None => "0".repeat(fill) + &text,
            },
        })
    }
}
