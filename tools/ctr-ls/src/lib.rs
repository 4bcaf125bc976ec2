//! Lists containers, one JSON line each, newest first, with docker's field names.

mod filter;
mod images;
mod line;

use clap::Args;
use ctr_core::{Code, Document, Error, Image, Map, Result, Value, container, ident, print_line, trace};
use ctr_docker::{Sizes, Status};
use filter::Filters;
use images::Images;
use std::cmp::Reverse;

/// The tool's name.
pub const NAME: &str = "ctr-ls";
/// The first line of its help.
pub const ABOUT: &str = "List containers as JSON lines";

/// The arguments of ctr-ls(1).
#[derive(Args, Debug)]
pub struct CtrLs {
    /// Every container [default: those that run, are paused or wait to be started again]
    #[arg(short, long)]
    all: bool,
    /// Only containers that match; ctr-ls(1) lists the keys
    #[arg(short, long = "filter", value_name = "KEY=VALUE")]
    filters: Vec<String>,
    /// Only the N created last, in whatever state; no limit where N is not above 0
    #[arg(short = 'n', long, value_name = "N", allow_negative_numbers = true, conflicts_with = "latest")]
    last: Option<i64>,
    /// Only the one created last, in whatever state
    #[arg(short, long)]
    latest: bool,
    /// With the bytes that its files take
    #[arg(short, long)]
    size: bool,
}

/// One container with what the filters ask about.
pub(crate) struct Listed {
    id: String,
    doc: Document,
    image: Option<Image>,
    status: Status,
    labels: Map<String, Value>,
    created: Option<jiff::Timestamp>,
}

/// When a container was made; the id tells two of one moment apart.
pub(crate) type Moment = (Option<jiff::Timestamp>, String);

impl Listed {
    fn moment(&self) -> Moment {
        (self.created, self.id.clone())
    }
}

/// Prints the containers whose records read.
///
/// # Errors
/// Once they are printed, the last of those that do not; the earlier ones are printed on stderr.
pub fn run(args: CtrLs) -> Result<()> {
    let (mut containers, mut torn) = (Vec::new(), None::<Error>);
    for id in container::ids()? {
        match listed(&id) {
            Ok(container) => containers.push(container),
            // Removed meanwhile.
            Err(e) if e.code == Code::NotFound => {}
            Err(e) => {
                let e = Error { message: format!("container {}: {}", ident::short(&id), e.message), ..e };
                torn.replace(e).iter().for_each(|earlier| trace::warn(&earlier.to_string()));
            }
        }
    }
    containers.sort_by_cached_key(|c| Reverse(c.moment()));
    let images = Images::open();
    let filters = Filters::parse(&args.filters, &containers, &images)?;
    let last = args.last.and_then(|n| usize::try_from(n).ok()).filter(|n| *n > 0).or(args.latest.then_some(1));
    let all = args.all || last.is_some() || filters.ask_for_state();
    let mut sizes = args.size.then(Sizes::default);
    let chosen = containers.iter().filter(|c| (all || c.status.lives()) && filters.match_all(c));
    for container in chosen.take(last.unwrap_or(usize::MAX)) {
        print_line(&line::line(container, &images, sizes.as_mut()))?;
    }
    torn.map_or(Ok(()), Err)
}

fn listed(id: &str) -> Result<Listed> {
    let doc = container::load(id)?;
    Ok(Listed {
        id: id.to_owned(),
        image: doc.section("image")?,
        status: Status::of(&doc)?,
        labels: ctr_docker::labels(&doc)?,
        created: doc.str("created").and_then(|time| time.parse().ok()),
        doc,
    })
}
