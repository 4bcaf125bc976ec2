//! `ctr-fmt`: JSON records into docker's tables and lines.

mod input;
mod live;
mod safe;
mod table;
mod template;
mod units;
mod view;

use clap::Args as ClapArgs;
use ctr_core::{Code, Error, Result, Value, print_line};
use input::Records;
use std::{
    io::{self, IsTerminal, Read},
    process,
};
use template::Template;
use view::{Headers, How, View};

/// The tool's name.
pub const NAME: &str = "ctr-fmt";
/// The first line of its help.
pub const ABOUT: &str = "Print JSON records as docker prints them: a table, a line each, or indented";

/// The command line.
#[derive(ClapArgs, Debug)]
pub struct Args {
    /// `table TEMPLATE`, a TEMPLATE for each record, or `json`; without it the records as one indented list
    #[arg(value_name = "FORMAT")]
    format: Option<String>,
    /// Give the records the fields that docker's --format has for them
    #[arg(long, value_name = "KIND")]
    view: Option<View>,
    /// With --view: cut nothing
    #[arg(long, requires = "view")]
    no_trunc: bool,
    /// With --view history: times and bytes as they are
    #[arg(long, requires = "view")]
    exact: bool,
    /// Print no line for a record of which the TEMPLATE makes nothing
    #[arg(long)]
    skip_empty: bool,
    /// With --view: each line of the input is a list, and on a terminal it replaces the one before
    #[arg(long, requires = "view")]
    live: bool,
}

/// Reads records from stdin, prints them on stdout.
///
/// Where a stage before failed, it has said so: this tool prints what came and ends with that stage's status.
///
/// # Errors
/// `usage` for a format that is none, `invalid` for records that are not JSON or do not fit the format.
pub fn run(args: Args) -> Result<()> {
    if io::stdin().is_terminal() {
        return Err(Error::new(Code::Usage, "stdin is a terminal: expected JSON").hint("see ctr-fmt --help"));
    }
    if args.exact && args.view != Some(View::History) {
        return Err(Error::new(Code::Usage, "--exact is of --view history"));
    }
    let format = Format::parse(args.format.as_deref(), args.view)?;
    let failed = if args.live {
        live::run(&args, &format)?
    } else {
        let mut records = Records::new(io::stdin().lock());
        print(&args, &format, &mut records, print_line)?;
        records.failed
    };
    match failed {
        Some(status) => process::exit(status.into()),
        None => Ok(()),
    }
}

/// The form of the output.
enum Format {
    Table(Template),
    Lines(Template),
    Json,
    List,
}

impl Format {
    fn parse(format: Option<&str>, view: Option<View>) -> Result<Self> {
        let format = match (format, view) {
            // docker's `--format table` is the table it prints without --format.
            (None | Some("table"), Some(view)) => view.default_format(),
            (None, None) => return Ok(Self::List),
            (Some("json"), _) => return Ok(Self::Json),
            (Some(format), _) => format,
        };
        match format.strip_prefix("table ") {
            Some(template) => Template::parse(template.trim_matches(' ')).map(Self::Table),
            None => Template::parse(format.trim_matches(' ')).map(Self::Lines),
        }
    }
}

/// Prints all records in the form asked for by `out`, line by line as they come where the form allows.
fn print(
    args: &Args,
    format: &Format,
    records: &mut Records<impl Read>,
    mut out: impl FnMut(&String) -> Result<()>,
) -> Result<()> {
    let titles = Headers(args.view);
    let how = How { full: args.no_trunc, exact: args.exact };
    let header = match format {
        // A field that the view does not have is an error also where there is no record.
        Format::Table(template) => Some(template.header(&titles)?),
        Format::Lines(template) if args.view.is_some() => template.header(&titles).map(|_| None)?,
        _ => None,
    };
    // What reads from a pipe gets the values as they are.
    let shown = io::stdout().is_terminal();
    let json = |text: String| if shown { safe::json(&text) } else { text };
    let mut rows: Vec<_> = header.into_iter().collect();
    let mut list = Vec::new();
    while let Some(record) = records.next().transpose()? {
        let record = match args.view {
            Some(view) if matches!(format, Format::Table(_) | Format::Lines(_)) => view.for_template(&record, how),
            Some(view) => view.json(&record, how),
            None => record,
        };
        match format {
            Format::Table(template) => rows.push(template.render(&record, true)?),
            Format::Lines(template) => {
                let line = template.render(&record, shown)?;
                if !(line.is_empty() && args.skip_empty) {
                    out(&line)?;
                }
            }
            Format::Json => out(&json(record.to_string()))?,
            Format::List => list.push(record),
        }
    }
    match format {
        Format::Table(_) if records.failed.is_none() || rows.len() > 1 => out(&table::align(&rows)),
        Format::List if records.failed.is_none() || !list.is_empty() => out(&json(indented(&Value::Array(list)))),
        _ => Ok(()),
    }
}

/// JSON with docker's indentation of four spaces.
fn indented(value: &Value) -> String {
    use serde::Serialize;
    let mut bytes = Vec::new();
    let four = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    match value.serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, four)) {
        Ok(()) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(_) => value.to_string(),
    }
}
