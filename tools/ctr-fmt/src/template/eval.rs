//! The tree and a record into text.

use super::{
    functions, go_format, misfit,
    parser::{Command, Node, Operand, Pipeline},
    place::Place,
};
use crate::{
    safe,
    view::{Headers, LABEL, title_of_label},
};
use ctr_core::{Result, Value, json};

/// A value, or the path of a field that the record does not have: a condition may ask for one, nothing may print it.
#[derive(Clone, Debug)]
pub enum Val {
    /// A value, and where in the record it is; what a function made is nowhere.
    Is(Value, Option<Place>),
    /// The field that is not there.
    Missing(String),
}

impl Val {
    /// A value that is not the record's.
    pub fn made(value: Value) -> Self {
        Self::Is(value, None)
    }

    /// The value.
    ///
    /// # Errors
    /// `invalid` for a missing field.
    pub fn present(self) -> Result<Value> {
        match self {
            Self::Is(value, _) => Ok(value),
            Self::Missing(path) => Err(misfit(format!("there is no field {path}"))),
        }
    }

    /// The value, null for a missing field.
    pub fn or_null(self) -> Value {
        match self {
            Self::Is(value, _) => value,
            Self::Missing(_) => Value::Null,
        }
    }

    /// Go's truth: not false, zero, empty or nil.
    pub fn truth(&self) -> bool {
        match self {
            Self::Missing(_) | Self::Is(Value::Null, _) => false,
            Self::Is(Value::Bool(b), _) => *b,
            Self::Is(Value::Number(n), _) => n.as_f64() != Some(0.0),
            Self::Is(Value::String(s), _) => !s.is_empty(),
            Self::Is(Value::Array(a), _) => !a.is_empty(),
            Self::Is(Value::Object(o), _) => !o.is_empty(),
        }
    }

    /// As Go prints it.
    fn display(self) -> Result<String> {
        match self {
            Self::Is(Value::Null, Some(place)) => Ok(place.null().to_owned()),
            other => other.present().map(|value| go_format::display(&value)),
        }
    }
}

/// One rendering.
pub struct Eval<'a> {
    /// Innermost last; the first is the record, under the empty name.
    variables: Vec<(String, Val)>,
    dot: Val,
    /// Where set, every field stands for its column title.
    titles: Option<&'a Headers>,
    /// Replace what steers a terminal: values come from images.
    printable: bool,
    out: String,
}

impl<'a> Eval<'a> {
    /// A rendering of `record`.
    pub fn new(record: &Value, titles: Option<&'a Headers>, printable: bool) -> Self {
        let dot = Val::Is(record.clone(), Some(Place::default()));
        Self { variables: vec![(String::new(), dot.clone())], dot, titles, printable, out: String::new() }
    }

    /// The text of `nodes`.
    pub fn run(mut self, nodes: &[Node]) -> Result<String> {
        self.nodes(nodes)?;
        Ok(self.out)
    }

    fn nodes(&mut self, nodes: &[Node]) -> Result<()> {
        for node in nodes {
            match node {
                Node::Text(text) => self.out.push_str(text),
                Node::Print(pipeline) => {
                    let text = self.pipeline(pipeline)?.display()?;
                    self.out.push_str(&match pipeline.0.last() {
                        _ if !self.printable => text,
                        Some(Command::Call(name, _)) if functions::prints(name) || name == "join" => safe::lines(&text),
                        Some(Command::Call(name, _)) if name == "json" => safe::json(&text),
                        // The user's own words.
                        Some(Command::Operand(Operand::Literal(_))) => text,
                        _ => safe::text(&text),
                    });
                }
                Node::Set(name, pipeline, declare) => {
                    let value = self.pipeline(pipeline)?;
                    self.set(name, value, *declare)?;
                }
                Node::If(condition, body, other) => {
                    let branch = if self.pipeline(condition)?.truth() { body } else { other };
                    self.scope(self.dot.clone(), branch)?;
                }
                Node::With(pipeline, body, other) => {
                    let value = self.pipeline(pipeline)?;
                    if value.truth() { self.scope(value, body)? } else { self.scope(self.dot.clone(), other)? }
                }
                Node::Range(names, pipeline, body, other) => self.range(names, pipeline, body, other)?,
            }
        }
        Ok(())
    }

    /// Evaluates a block: what it declares ends with it.
    fn scope(&mut self, dot: Val, nodes: &[Node]) -> Result<()> {
        let outer = std::mem::replace(&mut self.dot, dot);
        let declared = self.variables.len();
        let done = self.nodes(nodes);
        self.variables.truncate(declared);
        self.dot = outer;
        done
    }

    fn range(&mut self, names: &[String], pipeline: &Pipeline, body: &[Node], other: &[Node]) -> Result<()> {
        let (value, place) = match self.pipeline(pipeline)? {
            Val::Is(value, place) => (value, place.map(|place| place.any())),
            Val::Missing(_) => (Value::Null, None),
        };
        let items: Vec<(Value, Value)> = match value {
            Value::Array(list) => list.into_iter().enumerate().map(|(i, v)| (json!(i), v)).collect(),
            Value::Object(map) => {
                let mut items: Vec<_> = map.into_iter().map(|(k, v)| (json!(k), v)).collect();
                // Go ranges over maps in the order of their keys.
                items.sort_by(|a, b| a.0.as_str().cmp(&b.0.as_str()));
                items
            }
            Value::Null => Vec::new(),
            title if self.titles.is_some() => vec![(json!(0), title)],
            other => return Err(misfit(format!("cannot range over {other}"))),
        };
        if items.is_empty() {
            return self.scope(self.dot.clone(), other);
        }
        for (key, value) in items {
            let outer = self.variables.len();
            let value = Val::Is(value, place.clone());
            let bound = [Val::made(key), value.clone()].into_iter().skip(2 - names.len());
            self.variables.extend(names.iter().cloned().zip(bound));
            let done = self.scope(value, body);
            self.variables.truncate(outer);
            done?;
        }
        Ok(())
    }

    fn set(&mut self, name: &str, value: Val, declare: bool) -> Result<()> {
        if declare {
            self.variables.push((name.to_owned(), value));
            return Ok(());
        }
        match self.variables.iter_mut().rev().find(|(n, _)| n == name) {
            Some((_, old)) => *old = value,
            None => return Err(misfit(format!("there is no variable ${name}"))),
        }
        Ok(())
    }

    fn pipeline(&mut self, pipeline: &Pipeline) -> Result<Val> {
        let mut value = None;
        for command in &pipeline.0 {
            value = Some(match command {
                Command::Operand(operand) => self.operand(operand)?,
                Command::Call(name, operands) => self.call(name, operands, value)?,
            });
        }
        Ok(value.unwrap_or(Val::made(Value::Null)))
    }

    fn call(&mut self, name: &str, operands: &[Operand], piped: Option<Val>) -> Result<Val> {
        if self.titles.is_some() && !functions::prints(name) {
            if let [Operand::Field(names), Operand::Literal(Value::String(key))] = operands
                && *names == [LABEL]
            {
                return Ok(Val::made(json!(title_of_label(key))));
            }
            // The title of `{{upper .ID}}` is that of `.ID`.
            return match (operands.iter().find(|o| !matches!(o, Operand::Literal(_))), piped) {
                (_, Some(piped)) => Ok(piped),
                (Some(operand), None) => self.operand(operand),
                (None, None) => Ok(Val::made(json!(""))),
            };
        }
        let mut arguments = operands.iter().map(|o| self.operand(o)).collect::<Result<Vec<_>>>()?;
        arguments.extend(piped);
        functions::call(name, arguments)
    }

    fn operand(&mut self, operand: &Operand) -> Result<Val> {
        match operand {
            Operand::Literal(value) => Ok(Val::made(value.clone())),
            Operand::Field(names) => self.fields(self.dot.clone(), names),
            Operand::Variable(variable, names) => match self.variables.iter().rev().find(|(n, _)| n == variable) {
                Some((_, value)) => self.fields(value.clone(), names),
                None => Err(misfit(format!("there is no variable ${variable}"))),
            },
            Operand::Paren(pipeline, names) => {
                let value = self.pipeline(pipeline)?;
                self.fields(value, names)
            }
        }
    }

    fn fields(&self, from: Val, names: &[String]) -> Result<Val> {
        let Some(first) = names.first() else { return Ok(from) };
        if let Some(titles) = self.titles {
            return titles.of(first, &names[1..]).map(|title| Val::made(json!(title)));
        }
        let (mut value, mut place) = match from {
            Val::Is(value, place) => (value, place),
            missing @ Val::Missing(_) => return Ok(missing),
        };
        for (depth, name) in names.iter().enumerate() {
            let field = match &mut value {
                Value::Object(map) => map.remove(name),
                _ => None,
            };
            let known = field.map(|field| (field, place.as_ref().map(|place| place.field(name))));
            let next = known.or_else(|| {
                let (value, place) = place.as_ref()?.absent(&value, name)?;
                Some((value, Some(place)))
            });
            let Some(next) = next else {
                let path = |depth: usize| format!(".{}", names[..depth].join("."));
                let no_value = depth > 0 && value.is_null();
                let why = if no_value { format!(": {} has no value", path(depth)) } else { String::new() };
                return Ok(Val::Missing(path(depth + 1) + &why));
            };
            (value, place) = next;
        }
        Ok(Val::Is(value, place))
    }
}
