//! Whom to ask for what is no container's name.

use crate::stamp::Kept;
use std::{
    collections::HashMap,
    fs::File,
    io::Read,
    net::{IpAddr, Ipv4Addr},
    path::Path,
    time::{Duration, Instant},
};

/// The host's servers (resolv.conf(5)). Those on its loopback too, for they are asked by the host.
const HOST: &str = "/etc/resolv.conf";
/// Most bytes that are read of it.
const MAX_FILE: u64 = 1 << 20;
/// Servers that are asked at once: as many as a resolver of libc's has (`MAXNS`).
const MAX_SERVERS: usize = 3;
/// How long nobody waits for a server that did not answer.
const SILENCE: Duration = Duration::from_secs(30);
/// How long one that answered is waited for all the same: a name that it is slow about is none of other names.
const TRUST: Duration = Duration::from_mins(1);

/// The servers.
#[derive(Default)]
pub struct Upstreams {
    host: Option<Kept<Vec<IpAddr>>>,
    silent: HashMap<IpAddr, Instant>,
    heard: HashMap<IpAddr, Instant>,
}

impl Upstreams {
    /// Whom to ask, for a container that wants `own` asked, the first one first.
    pub fn of(&mut self, own: &[IpAddr]) -> Vec<IpAddr> {
        if !own.is_empty() {
            return own.iter().copied().take(MAX_SERVERS).collect();
        }
        let path = Path::new(HOST);
        let host = Kept::or_read(self.host.take(), path, || parse(&read(path)));
        self.host.insert(host).value.clone()
    }

    /// Whether it did not answer of late.
    pub fn is_silent(&self, server: IpAddr) -> bool {
        self.silent.get(&server).is_some_and(|until| *until > Instant::now())
            && self.heard.get(&server).is_none_or(|last| last.elapsed() > TRUST)
    }

    /// It answered, whatever and however late.
    pub fn answered(&mut self, server: IpAddr) {
        self.silent.remove(&server);
        self.heard.retain(|_, last| last.elapsed() <= TRUST);
        self.heard.insert(server, Instant::now());
    }

    /// It did not in time what it was asked at `sent`: silent is only who answered nothing else since.
    pub fn unanswered(&mut self, server: IpAddr, sent: Instant) {
        if self.heard.get(&server).is_some_and(|last| *last >= sent) {
            return;
        }
        let now = Instant::now();
        self.silent.retain(|_, until| *until > now);
        self.silent.insert(server, now + SILENCE);
    }
}

fn read(path: &Path) -> String {
    let mut bytes = Vec::new();
    if let Ok(file) = File::open(path) {
        let _ = file.take(MAX_FILE).read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Without a server it is the one on loopback, as resolv.conf(5) has it.
fn parse(text: &str) -> Vec<IpAddr> {
    let server = |line: &str| {
        let mut words = line.split_ascii_whitespace();
        (words.next()? == "nameserver").then(|| words.next()?.parse().ok())?
    };
    let mut found: Vec<IpAddr> = text.lines().filter_map(server).take(MAX_SERVERS).collect();
    if found.is_empty() {
        found.push(Ipv4Addr::LOCALHOST.into());
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_of_the_host() {
        let shown = |text: &str| parse(text).iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        let text = "# x\nnameserver 127.0.0.53 # stub\nsearch a\nnameserver\nnameserver x\n  nameserver ::1\nnameserver 10.0.0.1\n\
                    nameserver 10.0.0.2\n";
        assert_eq!(shown(text), "127.0.0.53 ::1 10.0.0.1");
        assert_eq!(shown("search a\n"), "127.0.0.1");
    }

    #[test]
    fn a_server_is_silent_until_it_speaks() {
        let mut all = Upstreams::default();
        let server = IpAddr::from([192, 0, 2, 1]);
        assert!(!all.is_silent(server));
        let sent = Instant::now();
        all.unanswered(server, sent);
        assert!(all.is_silent(server));
        all.answered(server);
        assert!(!all.is_silent(server));
        // Slow about one name, and about another that nothing came after: neither is silence.
        all.unanswered(server, sent);
        assert!(all.silent.is_empty());
        all.unanswered(server, Instant::now());
        assert!(!all.is_silent(server));
        all.heard.clear();
        assert!(all.is_silent(server));
    }
}
