//! Lists that replace one another on the terminal, each a line of the input.

use crate::{Args, Format, input::Records, print, safe, view::View};
use ctr_core::{Cannot, Code, Error, Result, print_line};
use nix::sys::{
    signal::{SigSet, SigmaskHow, Signal, raise, sigprocmask},
    signalfd::{SfdFlags, SignalFd},
};
use rustix::{
    event::{PollFd, PollFlags, poll},
    io::Errno,
    termios::tcgetwinsize,
};
use std::io::{self, IsTerminal, Write};

/// Another screen without a cursor, and back (xterm's control sequences, DECSET 1049 and 25).
const ENTER: &str = "\x1b[?1049h\x1b[?25l";
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";

/// The signals after which the terminal is to be as it was, and that of its size.
const SIGNALS: [Signal; 6] =
    [Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM, Signal::SIGTSTP, Signal::SIGWINCH];

/// Prints each list as it comes; gives the exit status that a stage before, or a signal, asks for.
///
/// On a terminal a list takes the place of the one before, and the last one stays. Elsewhere, and as JSON, they follow
/// one another.
pub fn run(args: &Args, format: &Format) -> Result<Option<u8>> {
    let wide = args.view.and_then(View::wide_format).filter(|_| matches!(args.format.as_deref(), None | Some("table")));
    let wide = wide.map(|wide| Format::parse(Some(wide), args.view)).transpose()?;
    let mut input = Input::default();
    if !io::stdout().is_terminal() || matches!(format, Format::Json) {
        loop {
            let Some(line) = input.line() else {
                if !input.read()? {
                    return Ok(None);
                }
                continue;
            };
            if let Some(message) = message(&line) {
                tell(&message);
                continue;
            }
            let mut records = Records::new(line.as_slice());
            print(args, format, &mut records, print_line)?;
            if records.failed.is_some() {
                return Ok(records.failed);
            }
        }
    }
    let signals = signals()?;
    let mut screen = Screen::default();
    let mut last = Vec::new();
    loop {
        while let Some(line) = input.line() {
            if let Some(message) = message(&line) {
                screen.tell(message);
                continue;
            }
            let mut records = Records::new(line.as_slice());
            let text = text(args, format, wide.as_ref(), &mut records)?;
            if records.failed.is_some() {
                return Ok(records.failed);
            }
            screen.text = text;
            screen.draw()?;
            last = line;
        }
        let stdin = io::stdin();
        let mut fds = [PollFd::new(&stdin, PollFlags::IN), PollFd::new(&signals, PollFlags::IN)];
        match poll(&mut fds, None) {
            Err(Errno::INTR) => continue,
            other => other.cannot(|| "wait for the next list")?,
        };
        let ready = !fds[0].revents().is_empty();
        // First: a stage before that the same Ctrl-C ended is not the reason.
        while let Some(signal) = signals.read_signal().cannot(|| "read a signal")? {
            match signal.ssi_signo as i32 {
                libc::SIGTSTP => {
                    screen.leave()?;
                    raise(Signal::SIGSTOP).cannot(|| "stop")?;
                }
                libc::SIGWINCH => {}
                number => return Ok(u8::try_from(128 + number).ok()),
            }
            if !last.is_empty() {
                screen.text = text(args, format, wide.as_ref(), &mut Records::new(last.as_slice()))?;
                screen.draw()?;
            }
        }
        if ready && !input.read()? {
            return Ok(None);
        }
    }
}

/// A list as it is drawn: in the wide form where that fits.
fn text(args: &Args, format: &Format, wide: Option<&Format>, records: &mut Records<&[u8]>) -> Result<String> {
    let mut values = Vec::new();
    for value in records.by_ref() {
        values.push(value?);
    }
    let list = serde_json::to_vec(&values).map_err(|e| Error::new(Code::Internal, e.to_string()))?;
    let mut shown = String::new();
    for format in wide.into_iter().chain([format]) {
        shown.clear();
        print(args, format, &mut Records::new(list.as_slice()), |line| {
            shown.push_str(line);
            shown.push('\n');
            Ok(())
        })?;
        if shown.lines().all(|line| line.chars().count() <= size().0) {
            break;
        }
    }
    Ok(shown)
}

/// Columns and rows of the terminal.
fn size() -> (usize, usize) {
    let size = tcgetwinsize(io::stdout()).ok().filter(|size| size.ws_col > 0 && size.ws_row > 0);
    size.map_or((80, 24), |size| (size.ws_col.into(), size.ws_row.into()))
}

/// What a stage before says where its stderr is our stdin too (`2>&1`): no JSON that is a list begins with a letter.
fn message(line: &[u8]) -> Option<String> {
    line.first()?.is_ascii_alphabetic().then(|| safe::text(String::from_utf8_lossy(line).trim_end()))
}

/// Passes a message on.
fn tell(message: &str) {
    let _ = io::stderr().write_all(format!("{message}\n").as_bytes());
}

/// Most different messages that are kept for the end.
const MESSAGES: usize = 100;

/// What is on the terminal.
#[derive(Default)]
struct Screen {
    text: String,
    entered: bool,
    /// For the end: the next list would go over them, and the other screen vanishes with what is on it.
    messages: Vec<String>,
}

impl Screen {
    /// Draws the text over the one before in one write, so that it does not flicker; what does not fit is cut.
    fn draw(&mut self) -> Result<()> {
        let (columns, rows) = size();
        let mut out = String::from(if self.entered { "" } else { ENTER });
        self.entered = true;
        out.push_str("\x1b[H");
        for (n, line) in self.text.lines().take(rows).enumerate() {
            out.push_str(if n > 0 { "\r\n" } else { "" });
            out.extend(line.chars().take(columns));
            // The rest of the line; in the last column that would be its last character.
            out.push_str(if line.chars().count() < columns { "\x1b[K" } else { "" });
        }
        out.push_str("\x1b[J");
        write(&out)
    }

    /// Passes a message on, where nothing is drawn over it; else at the end, once.
    fn tell(&mut self, message: String) {
        if !self.entered || !io::stderr().is_terminal() {
            tell(&message);
        } else if self.messages.len() < MESSAGES && !self.messages.contains(&message) {
            self.messages.push(message);
        }
    }

    /// The terminal as it was.
    fn leave(&mut self) -> Result<()> {
        if std::mem::take(&mut self.entered) { write(LEAVE) } else { Ok(()) }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let drawn = self.entered;
        let _ = self.leave();
        if drawn {
            let _ = write(&self.text);
        }
        self.messages.iter().for_each(|message| tell(message));
    }
}

fn write(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).cannot(|| "write to the terminal")
}

/// Blocks the signals and opens a descriptor for them.
fn signals() -> Result<SignalFd> {
    let mut set = SigSet::empty();
    for signal in SIGNALS {
        set.add(signal);
    }
    sigprocmask(SigmaskHow::SIG_BLOCK, Some(&set), None).cannot(|| "block signals")?;
    SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK).cannot(|| "open a signal descriptor")
}

/// Lines of stdin, read without a buffer of the library's, so that poll(2) tells the truth.
#[derive(Default)]
struct Input {
    held: Vec<u8>,
}

impl Input {
    /// A whole line that has come; the last one need not have a newline.
    fn line(&mut self) -> Option<Vec<u8>> {
        let end = self.held.iter().position(|byte| *byte == b'\n')?;
        Some(self.held.drain(..=end).collect())
    }

    /// Reads more; gives whether there may be a line now, or later.
    fn read(&mut self) -> Result<bool> {
        let mut piece = vec![0; 1 << 16];
        loop {
            match rustix::io::read(io::stdin(), &mut piece) {
                Err(Errno::INTR) => {}
                other => {
                    let length = other.cannot(|| "read stdin")?;
                    self.held.extend_from_slice(&piece[..length]);
                    if length == 0 && !self.held.is_empty() {
                        self.held.push(b'\n');
                        return Ok(true);
                    }
                    return Ok(length > 0);
                }
            }
        }
    }
}
