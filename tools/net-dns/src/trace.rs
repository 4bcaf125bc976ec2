//! `--trace`: a line a query on standard error.

use crate::query::Query;
use ctr_core::{Value, json};
use std::{
    io::Write,
    net::{IpAddr, SocketAddr},
    sync::OnceLock,
    time::Instant,
};

static ON: OnceLock<bool> = OnceLock::new();

/// Says for the whole process whether lines are printed; the first call counts.
pub fn init(on: bool) {
    let _ = ON.set(on);
}

fn is_on() -> bool {
    ON.get().copied().unwrap_or(false)
}

/// What becomes of one query. Nothing is made of it where nothing is printed.
pub struct Line(Option<(Instant, Value)>);

impl Line {
    /// Of a query that came just now.
    pub fn begin(from: SocketAddr, tcp: bool) -> Self {
        let line = || json!({"tool": crate::NAME, "op": "query", "from": from.ip(), "tcp": tcp});
        Self(is_on().then(|| (Instant::now(), line())))
    }

    fn set(&mut self, key: &str, value: impl FnOnce() -> Value) {
        if let Some((_, line)) = &mut self.0 {
            line[key] = value();
        }
    }

    /// Who asks.
    pub fn container(&mut self, id: &str) {
        self.set("container", || json!(id));
    }

    /// What is asked.
    pub fn asked(&mut self, query: &Query<'_>) {
        self.set("name", || json!(query.question.as_ref().map(|q| q.qname.to_string())));
        self.set("type", || match query.question.as_ref().map(|q| q.qtype) {
            Some(simple_dns::QTYPE::TYPE(kind)) => json!(format!("{kind:?}")),
            other => json!(other.map(|kind| format!("{kind:?}"))),
        });
    }

    /// What is answered, or why nothing is.
    pub fn answer(&mut self, answer: &str) {
        self.set("answer", || json!(answer));
    }

    /// The addresses that are.
    pub fn addresses(&mut self, addresses: &[IpAddr]) {
        self.set("answer", || if addresses.is_empty() { json!("none of that type") } else { json!(addresses) });
    }

    /// Who answered in the end.
    pub fn by(&mut self, server: Option<IpAddr>) {
        self.set("by", || json!(server));
    }

    /// Prints it.
    pub fn end(&mut self) {
        if let Some((start, mut line)) = self.0.take() {
            line["ms"] = json!(start.elapsed().as_micros() as f64 / 1000.0);
            let _ = std::io::stderr().write_all(format!("{line}\n").as_bytes());
        }
    }
}
