//! A line of the log that matches, from the start of the current run.

use crate::waiting::Waiting;
use ctr_core::{Cannot, Code, Result, State, Supervise, Value, container};
use jiff::Timestamp;
use regex_lite::Regex;
use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufRead, BufReader, ErrorKind},
    os::unix::fs::MetadataExt,
    path::PathBuf,
    thread::sleep,
    time::Duration,
};

/// A line longer than this is looked at in parts.
const LINE: usize = 1 << 20;
/// Of a busy log not every write is worth a look.
const REST: Duration = Duration::from_millis(10);

/// Waits for the line. A container that stops without it is not waited for any longer.
pub fn wait(waiting: &Waiting<'_>, pattern: &Regex) -> Result<()> {
    let mut reader = Reader { path: container::log_file(&waiting.id), ..Reader::default() };
    let mut begun = None;
    waiting.until(|now| {
        waiting.must_be_there()?;
        let doc = waiting.document()?;
        if doc.section::<Supervise>("supervise")?.is_none_or(|s| s.log.max_file == 0) {
            return Err(waiting.fails(Code::Invalid, "it keeps no log"));
        }
        let state = doc.section::<State>("state")?;
        begun = begun.or(state.and_then(|state| state.started_at?.parse().ok()));
        if let Some(begun) = begun
            && reader.matches(pattern, begun)?
        {
            return Ok(Some(()));
        }
        // How it was before the log was read: what it said last has been seen.
        waiting.must_go_on(now)?;
        sleep(REST);
        Ok(None)
    })
}

/// Reads a log to its present end, and goes on from there the next time, be it rotated meanwhile.
#[derive(Default)]
struct Reader {
    path: PathBuf,
    file: Option<(BufReader<File>, u64)>,
    /// A record whose end is not written yet.
    record: Vec<u8>,
    /// Of each stream, a line whose end is not written yet.
    lines: BTreeMap<String, String>,
}

impl Reader {
    /// Whether one of the lines that came since the last call matches, those before `begun` left out.
    fn matches(&mut self, pattern: &Regex, begun: Timestamp) -> Result<bool> {
        loop {
            if self.read_on(pattern, begun)? {
                return Ok(true);
            }
            let Some(next) = self.next_file()? else { return Ok(false) };
            // It was written to until the next one began.
            if self.read_on(pattern, begun)? {
                return Ok(true);
            }
            self.file = Some(next);
            self.record.clear();
        }
    }

    /// The same of the file that is open.
    fn read_on(&mut self, pattern: &Regex, begun: Timestamp) -> Result<bool> {
        while self.next_record()? {
            let record = std::mem::take(&mut self.record);
            if self.line(&record, begun).is_some_and(|line| pattern.is_match(&line)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Reads on; gives whether `record` is one now, with its newline.
    fn next_record(&mut self) -> Result<bool> {
        let Some((file, _)) = &mut self.file else { return Ok(false) };
        file.read_until(b'\n', &mut self.record).cannot(|| format!("read {}", self.path.display()))?;
        Ok(self.record.ends_with(b"\n"))
    }

    /// The line that the record completes.
    fn line(&mut self, record: &[u8], begun: Timestamp) -> Option<String> {
        let record: Value = serde_json::from_slice(record).ok()?; // a full disk may have cut it off
        let time = record["time"].as_str().and_then(|time| time.parse::<Timestamp>().ok());
        if time.is_some_and(|time| time < begun) {
            return None;
        }
        let line = self.lines.entry(record["stream"].as_str()?.to_owned()).or_default();
        line.push_str(record["log"].as_str()?);
        let whole = line.ends_with('\n') || line.len() > LINE;
        whole.then(|| std::mem::take(line).trim_end_matches(['\n', '\r']).to_owned())
    }

    /// The file that follows the one that was read to its end; the oldest, where that is gone or there was none.
    ///
    /// They are opened youngest first: rotation makes them older, so that none is missed between two.
    fn next_file(&self) -> Result<Option<(BufReader<File>, u64)>> {
        let mut files = Vec::new();
        for n in 0.. {
            let path = if n == 0 { self.path.clone() } else { self.path.with_extension(n.to_string()) };
            let what = || format!("open {}", path.display());
            let file = match File::open(&path) {
                // Between two files there may be no `log` for a moment.
                Err(e) if e.kind() == ErrorKind::NotFound && n == 0 => continue,
                Err(e) if e.kind() == ErrorKind::NotFound => break,
                other => other.cannot(what)?,
            };
            let inode = file.metadata().cannot(what)?.ino();
            files.push((BufReader::new(file), inode));
        }
        let here = self.file.as_ref().map(|(_, inode)| *inode);
        // `files` is the youngest first; the one after ours stands before it, and may be ours again.
        let at = here.and_then(|here| files.iter().rposition(|(_, inode)| *inode == here)).unwrap_or(files.len());
        Ok(files.into_iter().take(at).rfind(|(_, inode)| Some(*inode) != here))
    }
}
