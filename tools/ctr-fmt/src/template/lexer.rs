//! Template text into tokens.

use super::syntax;
use ctr_core::{Result, Value, json};

/// A piece of a template.
#[derive(Clone, Debug, PartialEq)]
pub enum Token {
    /// Text outside of actions.
    Text(String),
    /// `{{`
    Open,
    /// `}}`
    Close,
    /// `.`, `.A.B`; the names.
    Field(Vec<String>),
    /// `.A.B` that follows `)` without a space between.
    FieldOfParen(Vec<String>),
    /// `$`, `$x`, `$x.A.B`; name without the dollar, then the names after it.
    Variable(String, Vec<String>),
    /// A keyword or the name of a function.
    Word(String),
    /// A string, number, `true`, `false` or `nil`.
    Literal(Value),
    /// `(`
    LeftParen,
    /// `)`
    RightParen,
    /// `|`
    Pipe,
    /// `,`
    Comma,
    /// `:=`
    Declare,
    /// `=`
    Assign,
}

/// Splits a template into text and the tokens of its actions; comments and trimmed space are gone.
pub fn lex(mut rest: &str) -> Result<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut trim = false;
    loop {
        let (text, action) = match rest.split_once("{{") {
            Some((text, action)) => (text, Some(action)),
            None => (rest, None),
        };
        let text = text.replace("\\t", "\t").replace("\\n", "\n");
        let text = if trim { text.trim_start() } else { text.as_str() };
        // `{{- ` and ` -}}` take away the white space on their side, as in Go.
        let (trim_left, action) = match action {
            Some(a) if a.starts_with("- ") || a.starts_with("-\n") => (true, Some(&a[1..])),
            other => (false, other),
        };
        let text = if trim_left { text.trim_end() } else { text };
        if !text.is_empty() {
            tokens.push(Token::Text(text.to_owned()));
        }
        let Some(action) = action else { return Ok(tokens) };
        let mut lexer = Action { rest: action, tokens: &mut tokens };
        trim = lexer.run()?;
        rest = lexer.rest;
    }
}

/// The inside of one `{{ … }}`.
struct Action<'a, 't> {
    /// What is not read yet.
    rest: &'a str,
    tokens: &'t mut Vec<Token>,
}

impl Action<'_, '_> {
    /// Reads up to and with `}}`; tells whether the text after it is trimmed.
    fn run(&mut self) -> Result<bool> {
        if self.rest.trim_start().starts_with("/*") {
            return self.comment();
        }
        self.tokens.push(Token::Open);
        let mut before = ' ';
        loop {
            let remaining = self.rest;
            let Some(c) = self.peek() else { return Err(syntax("action is not closed by }}")) };
            if let Some(end) = ["}}", " -}}", "\n-}}"].iter().find(|end| remaining.starts_with(**end)) {
                self.skip(end.len());
                self.tokens.push(Token::Close);
                return Ok(end.len() > 2);
            }
            let token = match c {
                c if c.is_whitespace() => {
                    self.next();
                    before = c;
                    continue;
                }
                '(' => self.one(Token::LeftParen),
                ')' => self.one(Token::RightParen),
                '|' => self.one(Token::Pipe),
                ',' => self.one(Token::Comma),
                '=' => self.one(Token::Assign),
                ':' if remaining.starts_with(":=") => {
                    self.skip(2);
                    Token::Declare
                }
                '"' => self.quoted()?,
                '`' => self.raw()?,
                '$' => {
                    self.next();
                    let name = self.word();
                    Token::Variable(name, self.fields()?)
                }
                '.' if !remaining[1..].starts_with(|c: char| c.is_ascii_digit()) => {
                    let fields = self.fields()?;
                    if before == ')' { Token::FieldOfParen(fields) } else { Token::Field(fields) }
                }
                c if c.is_ascii_digit() || "+-.".contains(c) => self.number()?,
                c if c.is_alphabetic() || c == '_' => match self.word().as_str() {
                    "true" => Token::Literal(json!(true)),
                    "false" => Token::Literal(json!(false)),
                    "nil" => Token::Literal(Value::Null),
                    word => Token::Word(word.to_owned()),
                },
                c => return Err(syntax(format!("unexpected {c:?} in action"))),
            };
            self.tokens.push(token);
            before = c;
        }
    }

    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.rest = &self.rest[c.len_utf8()..];
        Some(c)
    }

    fn skip(&mut self, ascii: usize) {
        for _ in 0..ascii {
            self.next();
        }
    }

    fn one(&mut self, token: Token) -> Token {
        self.next();
        token
    }

    fn comment(&mut self) -> Result<bool> {
        let remaining = self.rest;
        let end = remaining.find("*/").ok_or_else(|| syntax("comment is not closed by */"))? + 2;
        let trim = remaining[end..].starts_with(" -}}");
        if !trim && !remaining[end..].starts_with("}}") {
            return Err(syntax("a comment is closed by */}}"));
        }
        self.rest = &remaining[end + if trim { 4 } else { 2 }..];
        Ok(trim)
    }

    fn word(&mut self) -> String {
        let mut word = String::new();
        while let Some(c) = self.peek().filter(|c| c.is_alphanumeric() || *c == '_') {
            word.push(c);
            self.next();
        }
        word
    }

    /// `.A.B`; a lone `.` has no names.
    fn fields(&mut self) -> Result<Vec<String>> {
        let mut names = Vec::new();
        while self.peek() == Some('.') {
            self.next();
            let name = self.word();
            if name.is_empty() {
                let lone = names.is_empty() && self.peek() != Some('.');
                return if lone { Ok(names) } else { Err(syntax("'.' without a name after it")) };
            }
            names.push(name);
        }
        Ok(names)
    }

    fn quoted(&mut self) -> Result<Token> {
        self.next();
        let mut text = String::new();
        loop {
            match self.next() {
                None | Some('\n') => return Err(syntax("string is not closed by '\"'")),
                Some('"') => return Ok(Token::Literal(json!(text))),
                Some('\\') => text.push(match self.next() {
                    Some('n') => '\n',
                    Some('t') => '\t',
                    Some('r') => '\r',
                    Some(c @ ('\\' | '"' | '\'')) => c,
                    other => return Err(syntax(format!("unknown escape \\{}", other.unwrap_or(' ')))),
                }),
                Some(c) => text.push(c),
            }
        }
    }

    fn raw(&mut self) -> Result<Token> {
        self.next();
        let mut text = String::new();
        loop {
            match self.next() {
                None => return Err(syntax("string is not closed by '`'")),
                Some('`') => return Ok(Token::Literal(json!(text))),
                Some(c) => text.push(c),
            }
        }
    }

    fn number(&mut self) -> Result<Token> {
        let mut text = String::new();
        while let Some(c) = self.peek().filter(|c| c.is_ascii_alphanumeric() || "+-._".contains(*c)) {
            text.push(c);
            self.next();
        }
        let value = text.parse::<i64>().map(|n| json!(n)).or_else(|_| text.parse::<f64>().map(|n| json!(n)));
        value.map(Token::Literal).map_err(|_| syntax(format!("bad number {text}")))
    }
}
