//! The functions of a template: Go's, docker's, and four for people.

use super::{
    eval::Val,
    go_format::{display, sprint, sprintf, sprintln},
    misfit,
    place::Place,
};
use crate::units;
use ctr_core::{Result, Value, json};
use std::cmp::Ordering;

/// Every function, for people.
pub const NAMES: &str = "and or not eq ne lt le gt ge len index slice print println printf \
    json join split lower upper title truncate pad short since size bar";

/// Whether there is a function `name`.
pub fn exists(name: &str) -> bool {
    NAMES.split_ascii_whitespace().any(|n| n == name)
}

/// Whether `name` makes text of its own, also in a header.
pub fn prints(name: &str) -> bool {
    matches!(name, "print" | "println" | "printf")
}

/// Calls function `name`; a value that came by `|` is the last argument.
pub fn call(name: &str, arguments: Vec<Val>) -> Result<Val> {
    // These may be asked about a field that is not there.
    match name {
        "and" => return pick(name, arguments, |v| !v.truth()),
        "or" => return pick(name, arguments, Val::truth),
        "not" => {
            let [value] = take(name, arguments)?;
            return Ok(Val::made(json!(!value.truth())));
        }
        _ => {}
    }
    let place = if name == "index" { place(&arguments) } else { None };
    let lenient = matches!(name, "eq" | "ne" | "len" | "index");
    let values: Result<Vec<_>> =
        arguments.into_iter().map(|v| if lenient { Ok(v.or_null()) } else { v.present() }).collect();
    strict(name, values?).map(|value| Val::Is(value, place))
}

/// Where what `index` gives is in the record.
fn place(arguments: &[Val]) -> Option<Place> {
    let [Val::Is(_, Some(place)), keys @ ..] = arguments else { return None };
    let within = |place: Place, key: &Val| match key {
        Val::Is(Value::String(name), _) => place.field(name),
        _ => place.any(),
    };
    Some(keys.iter().fold(place.clone(), within))
}

fn strict(name: &str, values: Vec<Value>) -> Result<Value> {
    Ok(match name {
        "print" => json!(sprint(&values)),
        "println" => json!(sprintln(&values)),
        "printf" => json!(sprintf(&values)?),
        "index" => index(values)?,
        "slice" => slice(&values)?,
        "eq" => match values.as_slice() {
            [first, others @ ..] if !others.is_empty() => json!(others.iter().any(|v| equal(first, v))),
            _ => return Err(misfit("eq takes two or more values")),
        },
        "ne" => {
            let [a, b] = take(name, values)?;
            json!(!equal(&a, &b))
        }
        "lt" | "le" | "gt" | "ge" => {
            let [a, b] = take(name, values)?;
            let order = order(&a, &b)?;
            json!(match name {
                "lt" => order.is_lt(),
                "le" => order.is_le(),
                "gt" => order.is_gt(),
                _ => order.is_ge(),
            })
        }
        "len" => match take(name, values)? {
            [Value::String(s)] => json!(s.len()),
            [Value::Array(a)] => json!(a.len()),
            [Value::Object(o)] => json!(o.len()),
            [Value::Null] => json!(0),
            [other] => return Err(misfit(format!("len of {other}"))),
        },
        "json" => {
            let [value] = take(name, values)?;
            json!(value.to_string())
        }
        "join" => match take(name, values)? {
            [Value::Array(list), Value::String(by)] | [Value::String(by), Value::Array(list)] => {
                json!(list.iter().map(display).collect::<Vec<_>>().join(&by))
            }
            [Value::Null, _] => json!(""),
            [list, _] => return Err(misfit(format!("join of {list}"))),
        },
        "split" => {
            let [value, by] = take(name, values)?;
            json!(text(name, &value)?.split(text(name, &by)?).collect::<Vec<_>>())
        }
        "lower" | "upper" | "title" | "short" => {
            let [value] = take(name, values)?;
            let value = text(name, &value)?;
            json!(match name {
                "lower" => value.to_lowercase(),
                "upper" => value.to_uppercase(),
                "title" => title(value),
                _ => units::short(value).to_owned(),
            })
        }
        "truncate" => {
            let [value, n] = take(name, values)?;
            json!(text(name, &value)?.chars().take(count(name, &n)?).collect::<String>())
        }
        "pad" => {
            let [value, before, after] = take(name, values)?;
            let value = text(name, &value)?;
            if value.is_empty() {
                return Ok(json!(""));
            }
            let (before, after) = (count(name, &before)?, count(name, &after)?);
            json!(format!("{:before$}{value}{:after$}", "", ""))
        }
        "since" | "bar" => {
            let [value] = take(name, values)?;
            let value = text(name, &value)?;
            json!(if name == "since" { units::since(value) } else { units::bar(value) })
        }
        "size" => match take(name, values)? {
            [Value::Number(n)] => json!(units::size(n.as_f64().unwrap_or_default())),
            [other] => return Err(misfit(format!("size of {other}"))),
        },
        other => return Err(misfit(format!("function {other:?} is not there"))),
    })
}

/// The first argument that `stops`, else the last: what Go's `and` and `or` give.
fn pick(name: &str, arguments: Vec<Val>, stops: impl Fn(&Val) -> bool) -> Result<Val> {
    let mut last = None;
    for value in arguments {
        if stops(&value) {
            return Ok(value);
        }
        last = Some(value);
    }
    last.ok_or_else(|| misfit(format!("{name} takes one or more values")))
}

fn take<T, const N: usize>(name: &str, values: Vec<T>) -> Result<[T; N]> {
    let given = values.len();
    values.try_into().map_err(|_| misfit(format!("{name} takes {N} values, not {given}")))
}

fn text<'a>(name: &str, value: &'a Value) -> Result<&'a str> {
    value.as_str().ok_or_else(|| misfit(format!("{name} of {value}, which is not a string")))
}

/// Longest padding and text cut to: a typing error must not fill the memory.
const LONGEST: usize = 1 << 16;

fn count(name: &str, value: &Value) -> Result<usize> {
    let n = value.as_u64().and_then(|n| usize::try_from(n).ok()).filter(|n| *n <= LONGEST);
    n.ok_or_else(|| misfit(format!("{name} by {value}")))
}

fn index(values: Vec<Value>) -> Result<Value> {
    let mut values = values.into_iter();
    let mut value = values.next().unwrap_or_default();
    for key in values {
        value = match (value, &key) {
            // As with Go's map of strings, a key that is not there is no error.
            (Value::Object(mut map), Value::String(key)) => map.remove(key).unwrap_or_else(|| json!("")),
            (Value::Null, Value::String(_)) => json!(""),
            (Value::Array(list), Value::Number(n)) => {
                let at = n.as_u64().and_then(|n| list.get(usize::try_from(n).ok()?));
                at.cloned().ok_or_else(|| misfit(format!("index {n} of a list of {}", list.len())))?
            }
            (value, key) => return Err(misfit(format!("cannot index {} by {key}", kind(&value)))),
        };
    }
    Ok(value)
}

fn slice(values: &[Value]) -> Result<Value> {
    let [value, bounds @ ..] = values else { return Err(misfit("slice takes a value")) };
    let length = match value {
        Value::String(s) => s.len(),
        Value::Array(a) => a.len(),
        other => return Err(misfit(format!("cannot slice {}", kind(other)))),
    };
    let bound = |i: usize, default: usize| bounds.get(i).map_or(Ok(default), |v| count("slice", v));
    let (from, to) = (bound(0, 0)?, bound(1, length)?);
    let out = || misfit(format!("slice {from}:{to} of a length of {length}"));
    match value {
        Value::String(s) => s.get(from..to).map(|s| json!(s)).ok_or_else(out),
        Value::Array(a) => a.get(from..to).map(|a| json!(a)).ok_or_else(out),
        _ => Err(out()),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nil",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}

fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        // 1 and 1.0 are the same number.
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        _ => a == b,
    }
}

fn order(a: &Value, b: &Value) -> Result<Ordering> {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => match (a.as_i64(), b.as_i64()) {
            (Some(a), Some(b)) => Some(a.cmp(&b)),
            _ => a.as_f64().unwrap_or_default().partial_cmp(&b.as_f64().unwrap_or_default()),
        },
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        _ => None,
    }
    .ok_or_else(|| misfit(format!("cannot compare {} with {}", kind(a), kind(b))))
}

fn title(text: &str) -> String {
    let mut start = true;
    text.chars()
        .flat_map(|c| {
            let upper = start && c.is_alphabetic();
            start = !c.is_alphanumeric() && c != '_' && c != '\'';
            if upper { c.to_uppercase().collect::<Vec<_>>() } else { vec![c] }
        })
        .collect()
}
