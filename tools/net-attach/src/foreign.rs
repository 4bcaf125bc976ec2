//! The firewall of others: where the `FORWARD` chain of iptables(8) drops what it does not know, as docker's and ufw's do, ours
//! is made known to it. To accept in a chain of nftables' own does not help: each of a hook's chains has to.
//!
//! That is a chain with the name of our table in their table `filter`, and a rule that leads to it, last in `FORWARD`: what
//! docker, or who writes into its `DOCKER-USER`, decides comes first. iptables itself writes them, for what it did not write it
//! refuses to read. What leads from a network to another is still ours to drop, in our own table.

use ctr_core::{Cannot, Code, Error, Result, json, trace};
use ctr_net::names;
use ctr_netlink::{Family, chain};
use std::{
    fs,
    io::{ErrorKind, Write},
    process::{Command, Output, Stdio},
};

/// Who may have such a chain.
#[derive(Clone, Copy)]
struct Tables {
    /// The beginning of its programs' names.
    program: &'static str,
    /// Where it is a part of nftables.
    family: Option<Family>,
    /// Else the file that lists its tables: it is there once somebody used one.
    list: &'static str,
}

const TABLES: [Tables; 4] = [
    Tables { program: "iptables", family: Some(Family::Ipv4), list: "" },
    Tables { program: "ip6tables", family: Some(Family::Ipv6), list: "" },
    Tables { program: "iptables", family: None, list: "/proc/thread-self/net/ip_tables_names" },
    Tables { program: "ip6tables", family: None, list: "/proc/thread-self/net/ip6_tables_names" },
];

/// What a `FORWARD` chain says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Forward {
    /// It lets through what it does not know.
    Accepts,
    /// It would drop ours.
    Drops,
    /// It knows ours.
    Knows,
}

/// Makes every `FORWARD` chain that drops know our bridges. Where it cannot be done a line says so: nothing else depends on it.
pub fn let_through() {
    for tables in TABLES {
        if let Err(e) = tables.let_through() {
            trace::warn(&e.to_string());
        }
    }
}

/// An error for each chain that would drop ours.
pub fn check() -> Result<Vec<Error>> {
    let mut findings = Vec::new();
    for tables in TABLES {
        if tables.forward()? == Forward::Drops {
            let message =
                format!("{}'s chain FORWARD drops what is not accepted there, and does not know ours", tables.name());
            findings.push(Error::new(Code::NotFound, message));
        }
    }
    Ok(findings)
}

/// Takes away what [`let_through`] made; gives the names of whose it was. What fails is printed.
pub fn forget() -> Vec<String> {
    let mut forgotten = Vec::new();
    for tables in TABLES {
        match tables.forget() {
            Ok(true) => forgotten.push(tables.name()),
            Ok(false) => {}
            Err(e) => trace::warn(&e.to_string()),
        }
    }
    forgotten
}

/// Ours, a rule a line. Bridges of docker's are left to docker's rules: what it keeps from others it keeps from ours.
fn rules() -> Vec<String> {
    let chain = names::table();
    let mut rules = Vec::new();
    for bridge in names::bridges() {
        let known = "-m conntrack --ctstate RELATED,ESTABLISHED,DNAT";
        rules.push(format!("-A {chain} -o {bridge} {known} -j ACCEPT"));
    }
    for theirs in ["docker+", "br-+"] {
        rules.push(format!("-A {chain} -o {theirs} -j RETURN"));
    }
    rules.extend(names::bridges().iter().map(|bridge| format!("-A {chain} -i {bridge} -j ACCEPT")));
    rules
}

impl Tables {
    fn name(&self) -> String {
        format!("{}{}", self.program, if self.family.is_some() { "" } else { "-legacy" })
    }

    /// Of nftables one message tells, or two; of the older tables, where there are any, a process.
    fn forward(&self) -> Result<Forward> {
        let Some(family) = self.family else { return Ok(self.listed()?.map_or(Forward::Accepts, |l| l.forward())) };
        if !chain(family, "filter", "FORWARD")?.is_some_and(|forward| forward.drops) {
            return Ok(Forward::Accepts);
        }
        let whole = rules().len() as u32 + 1;
        let ours = chain(family, "filter", &names::table())?;
        Ok(if ours.is_some_and(|ours| ours.uses == whole) { Forward::Knows } else { Forward::Drops })
    }

    fn let_through(&self) -> Result<()> {
        if self.forward()? != Forward::Drops {
            return Ok(());
        }
        let chain = names::table();
        let jump = format!("-A FORWARD -j {chain}");
        let leads = self.listed()?.is_some_and(|listed| listed.has(&jump));
        // To name a chain makes it, or empties it.
        let mut lines = vec![format!(":{chain} - [0:0]")];
        lines.extend(rules());
        lines.extend((!leads).then_some(jump));
        self.restore(&lines)
    }

    fn forget(&self) -> Result<bool> {
        let table = names::table();
        let there = match self.family {
            Some(family) => chain(family, "filter", &table)?.is_some(),
            None => true,
        };
        let Some(listed) = self.listed()?.filter(|listed| there && listed.has(&format!("-N {table}"))) else {
            return Ok(false);
        };
        let jump = format!("FORWARD -j {table}");
        let mut lines: Vec<String> =
            listed.has(&format!("-A {jump}")).then(|| format!("-D {jump}")).into_iter().collect();
        lines.extend([format!("-F {table}"), format!("-X {table}")]);
        self.restore(&lines).map(|()| true)
    }

    /// All that it has; `None` where nobody used it.
    fn listed(&self) -> Result<Option<Listed>> {
        if self.family.is_none() {
            let tables = fs::read_to_string(self.list).unwrap_or_default();
            if !tables.lines().any(|table| table == "filter") {
                return Ok(None);
            }
        }
        let out = self.run("", &["-S"], "")?;
        Ok(Some(Listed(String::from_utf8_lossy(&out.stdout).into_owned())))
    }

    fn restore(&self, lines: &[String]) -> Result<()> {
        let text = format!("*filter\n{}\nCOMMIT\n", lines.join("\n"));
        let name = self.name();
        trace::act(
            "iptables",
            || json!({"tables": name, "commands": lines}),
            || self.run("-restore", &["--noflush"], &text).map(drop),
        )
    }

    /// Runs one of its programs: that of the very tables where there are both kinds, else the only one.
    fn run(&self, verb: &str, args: &[&str], input: &str) -> Result<Output> {
        let kind = if self.family.is_some() { "nft" } else { "legacy" };
        let names = [format!("{}-{kind}{verb}", self.program), format!("{}{verb}", self.program)];
        let places = names.iter().flat_map(|name| [name.clone(), format!("/usr/sbin/{name}")]);
        for program in places {
            let mut command = Command::new(&program);
            command.args(args).env("LC_ALL", "C").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
            let mut child = match command.spawn() {
                Err(e) if e.kind() == ErrorKind::NotFound => continue,
                other => other.cannot(|| format!("run {program}"))?,
            };
            if let Some(mut stdin) = child.stdin.take() {
                let _ = stdin.write_all(input.as_bytes());
            }
            let out = child.wait_with_output().cannot(|| format!("wait for {program}"))?;
            if out.status.success() {
                return Ok(out);
            }
            let text = String::from_utf8_lossy(&out.stderr);
            let said = text.lines().find(|line| !line.starts_with('#') && !line.trim().is_empty());
            let reason = said.unwrap_or("no reason given");
            return Err(Error::new(Code::Io, format!("cannot change what {} forwards: {reason}", self.name())));
        }
        let message = format!(
            "{}'s chain FORWARD drops what comes from containers, and there is no program {}",
            self.name(),
            self.program
        );
        Err(Error::new(Code::Unsupported, message).hint("install iptables"))
    }
}

/// What `iptables -S` prints.
struct Listed(String);

impl Listed {
    fn has(&self, line: &str) -> bool {
        self.0.lines().any(|other| other == line)
    }

    fn forward(&self) -> Forward {
        if !self.has("-P FORWARD DROP") {
            return Forward::Accepts;
        }
        let table = names::table();
        let own = format!("-A {table} ");
        let whole = self.0.lines().filter(|line| line.starts_with(&own)).count() == rules().len();
        if whole && self.has(&format!("-A FORWARD -j {table}")) { Forward::Knows } else { Forward::Drops }
    }
}
