//! Tokens into the tree that is evaluated.

use super::{functions, lexer::Token, syntax};
use crate::view::LABEL;
use ctr_core::{Error, Result, Value};
use std::vec::IntoIter;

/// Deepest nesting of blocks and parentheses; nobody writes more, and the parser recurses.
const DEEPEST: usize = 64;

/// One part of a template.
#[derive(Debug)]
pub enum Node {
    /// Text as it is.
    Text(String),
    /// Prints the value of a pipeline.
    Print(Pipeline),
    /// `$x := pipeline` (true) or `$x = pipeline`.
    Set(String, Pipeline, bool),
    /// `if`: the condition, the body, what `else` holds.
    If(Pipeline, Vec<Node>, Vec<Node>),
    /// `with`: like `if`, with the dot set to the value.
    With(Pipeline, Vec<Node>, Vec<Node>),
    /// `range`: its variables, the list, the body, what `else` holds.
    Range(Vec<String>, Pipeline, Vec<Node>, Vec<Node>),
}

/// Commands, each taking the value of the one before as its last argument.
#[derive(Debug)]
pub struct Pipeline(pub Vec<Command>);

/// An operand, or a function with its arguments.
#[derive(Debug)]
pub enum Command {
    /// A value by itself.
    Operand(Operand),
    /// A function and its arguments.
    Call(String, Vec<Operand>),
}

/// What stands for a value.
#[derive(Debug)]
pub enum Operand {
    /// `.A.B` of the dot.
    Field(Vec<String>),
    /// `$x.A.B`; the variable without a name is the record.
    Variable(String, Vec<String>),
    /// A constant.
    Literal(Value),
    /// `(pipeline).A.B`
    Paren(Pipeline, Vec<String>),
}

/// How a list of nodes ended.
#[derive(PartialEq)]
enum End {
    /// With the template.
    OfText,
    /// `end`
    Block,
    /// `else`
    Else,
    /// `else if` and `else with`: the word, whose pipeline comes next.
    ElseWord(String),
}

/// Builds the tree.
pub fn parse(tokens: Vec<Token>) -> Result<Vec<Node>> {
    let mut parser = Parser { tokens: tokens.into_iter(), next: None, depth: 0 };
    match parser.nodes()? {
        (nodes, End::OfText) => Ok(nodes),
        (_, End::Block) => Err(syntax("{{end}} without a block to end")),
        _ => Err(syntax("{{else}} outside of a block")),
    }
}

struct Parser {
    tokens: IntoIter<Token>,
    next: Option<Token>,
    depth: usize,
}

impl Parser {
    fn next(&mut self) -> Option<Token> {
        self.next.take().or_else(|| self.tokens.next())
    }

    fn peek(&mut self) -> Option<&Token> {
        if self.next.is_none() {
            self.next = self.tokens.next();
        }
        self.next.as_ref()
    }

    fn expect(&mut self, token: &Token, what: &str) -> Result<()> {
        match self.next() {
            Some(t) if t == *token => Ok(()),
            other => Err(unexpected(other.as_ref(), what)),
        }
    }

    fn deeper(&mut self) -> Result<()> {
        self.depth += 1;
        if self.depth > DEEPEST { Err(syntax("nested too deeply")) } else { Ok(()) }
    }

    fn nodes(&mut self) -> Result<(Vec<Node>, End)> {
        let mut nodes = Vec::new();
        while let Some(token) = self.next() {
            match token {
                Token::Text(text) => nodes.push(Node::Text(text)),
                Token::Open => match self.peek() {
                    Some(Token::Word(word)) if ["if", "with", "range", "end", "else"].contains(&word.as_str()) => {
                        let word = word.clone();
                        self.next();
                        if let Some(end) = self.keyword(&word, &mut nodes)? {
                            return Ok((nodes, end));
                        }
                    }
                    Some(Token::Variable(name, fields)) if fields.is_empty() => {
                        let name = name.clone();
                        let node = self.variable(name)?;
                        nodes.push(node);
                    }
                    _ => nodes.push(Node::Print(self.pipeline(&Token::Close)?)),
                },
                other => return Err(unexpected(Some(&other), "an action")),
            }
        }
        Ok((nodes, End::OfText))
    }

    /// `{{$x := …}}`, `{{$x = …}}` or a pipeline that begins with `$x`.
    fn variable(&mut self, name: String) -> Result<Node> {
        self.next();
        match self.peek() {
            Some(Token::Declare) => {
                self.next();
                Ok(Node::Set(name, self.pipeline(&Token::Close)?, true))
            }
            Some(Token::Assign) => {
                self.next();
                Ok(Node::Set(name, self.pipeline(&Token::Close)?, false))
            }
            _ => {
                let first = Command::Operand(Operand::Variable(name, Vec::new()));
                Ok(Node::Print(self.rest_of_pipeline(first, &Token::Close)?))
            }
        }
    }

    fn keyword(&mut self, word: &str, nodes: &mut Vec<Node>) -> Result<Option<End>> {
        match word {
            "end" => {
                self.expect(&Token::Close, "}} after end")?;
                return Ok(Some(End::Block));
            }
            "else" => {
                return Ok(Some(match self.next() {
                    Some(Token::Close) => End::Else,
                    Some(Token::Word(word)) if word == "if" || word == "with" => End::ElseWord(word),
                    other => return Err(unexpected(other.as_ref(), "}} after else")),
                }));
            }
            _ => nodes.push(self.block(word)?),
        }
        Ok(None)
    }

    fn block(&mut self, word: &str) -> Result<Node> {
        self.deeper()?;
        let variables = if word == "range" { self.range_variables() } else { Vec::new() };
        let pipeline = self.pipeline(&Token::Close)?;
        let (body, end) = self.nodes()?;
        let other = match end {
            End::Block => Vec::new(),
            End::Else => match self.nodes()? {
                (other, End::Block) => other,
                _ => return Err(syntax(format!("{{{{else}}}} of {word} is not closed by {{{{end}}}}"))),
            },
            // `else if` is a block of its own whose end closes both.
            End::ElseWord(inner) if word != "range" => vec![self.block(&inner)?],
            _ => return Err(syntax(format!("{{{{{word}}}}} is not closed by {{{{end}}}}"))),
        };
        self.depth -= 1;
        Ok(match word {
            "if" => Node::If(pipeline, body, other),
            "with" => Node::With(pipeline, body, other),
            _ => Node::Range(variables, pipeline, body, other),
        })
    }

    /// `$v :=` or `$i, $v :=` of a range; none where the range begins with its pipeline.
    fn range_variables(&mut self) -> Vec<String> {
        let ahead: Vec<_> =
            self.peek().cloned().into_iter().chain(self.tokens.as_slice().iter().take(3).cloned()).collect();
        let names: Vec<_> = match ahead.as_slice() {
            [Token::Variable(v, _), Token::Declare, ..] => vec![v.clone()],
            [Token::Variable(i, _), Token::Comma, Token::Variable(v, _), Token::Declare] => vec![i.clone(), v.clone()],
            _ => return Vec::new(),
        };
        for _ in 0..names.len() * 2 {
            self.next();
        }
        names
    }

    fn pipeline(&mut self, close: &Token) -> Result<Pipeline> {
        self.deeper()?;
        let first = self.command()?;
        let pipeline = self.rest_of_pipeline(first, close);
        self.depth -= 1;
        pipeline
    }

    fn rest_of_pipeline(&mut self, first: Command, close: &Token) -> Result<Pipeline> {
        let mut commands = vec![first];
        loop {
            match self.next() {
                Some(t) if t == *close => return Ok(Pipeline(commands)),
                Some(Token::Pipe) => match self.command()? {
                    call @ Command::Call(..) => commands.push(call),
                    Command::Operand(_) => return Err(syntax("after '|' comes a function")),
                },
                other => return Err(unexpected(other.as_ref(), "'|' or the end of the action")),
            }
        }
    }

    fn command(&mut self) -> Result<Command> {
        let Some(Token::Word(name)) = self.peek() else {
            return match self.operand()? {
                Some(Operand::Field(names)) if names == [LABEL] => match self.operand()? {
                    Some(key) => Ok(Command::Call("index".to_owned(), vec![Operand::Field(names), key])),
                    None => Ok(Command::Operand(Operand::Field(names))),
                },
                Some(operand) => Ok(Command::Operand(operand)),
                None => Err(unexpected(self.peek(), "a value")),
            };
        };
        let name = name.clone();
        self.next();
        if !functions::exists(&name) {
            return Err(
                syntax(format!("function {name:?} is not there")).hint(format!("there are: {}", functions::NAMES))
            );
        }
        let mut arguments = Vec::new();
        while let Some(operand) = self.operand()? {
            arguments.push(operand);
        }
        Ok(Command::Call(name, arguments))
    }

    fn operand(&mut self) -> Result<Option<Operand>> {
        if !matches!(
            self.peek(),
            Some(Token::Field(_) | Token::Variable(..) | Token::Literal(_) | Token::LeftParen | Token::Word(_))
        ) {
            return Ok(None);
        }
        Ok(match self.next() {
            Some(Token::Field(names)) => Some(Operand::Field(names)),
            Some(Token::Variable(name, names)) => Some(Operand::Variable(name, names)),
            Some(Token::Literal(value)) => Some(Operand::Literal(value)),
            Some(Token::LeftParen) => {
                let inner = self.pipeline(&Token::RightParen)?;
                let names = match self.peek() {
                    Some(Token::FieldOfParen(names)) => names.clone(),
                    _ => return Ok(Some(Operand::Paren(inner, Vec::new()))),
                };
                self.next();
                Some(Operand::Paren(inner, names))
            }
            Some(Token::Word(word)) => {
                return Err(syntax(format!("{word:?} as an argument needs parentheses")));
            }
            _ => None,
        })
    }
}

fn unexpected(token: Option<&Token>, wanted: &str) -> Error {
    let found = match token {
        None => "the end".to_owned(),
        Some(Token::Text(_) | Token::Close) => "}}".to_owned(),
        Some(Token::Open) => "{{".to_owned(),
        Some(Token::Field(names) | Token::FieldOfParen(names)) => format!(".{}", names.join(".")),
        Some(Token::Variable(name, _)) => format!("${name}"),
        Some(Token::Word(word)) => word.clone(),
        Some(Token::Literal(value)) => value.to_string(),
        Some(Token::LeftParen) => "(".to_owned(),
        Some(Token::RightParen) => ")".to_owned(),
        Some(Token::Pipe) => "|".to_owned(),
        Some(Token::Comma) => ",".to_owned(),
        Some(Token::Declare) => ":=".to_owned(),
        Some(Token::Assign) => "=".to_owned(),
    };
    syntax(format!("expected {wanted}, found {found}"))
}
