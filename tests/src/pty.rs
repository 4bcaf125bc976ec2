//! A real terminal with a program on it: type keys, expect text, resize.

use crate::{Cmd, command::status_of, sys};
use nix::pty::openpty;
use std::{
    fs::File,
    io::{Read, Write},
    process::{Child, Stdio},
    sync::{Arc, Condvar, Mutex},
    thread,
    time::{Duration, Instant},
};

const LIMIT: Duration = Duration::from_secs(20);

/// A terminal of 80 columns and 24 rows, and the program that has it as its controlling terminal.
pub struct Pty {
    master: File,
    child: Child,
    seen: Arc<(Mutex<Screen>, Condvar)>,
    /// How much of the output earlier expectations have used up.
    used: usize,
}

#[derive(Default)]
struct Screen {
    bytes: Vec<u8>,
    closed: bool,
}

impl Pty {
    /// Starts `cmd` on a new terminal.
    #[track_caller]
    pub fn spawn(cmd: Cmd) -> Self {
        let ends = openpty(None, None).expect("a terminal");
        sys::set_size(&ends.master, 24, 80);
        let slave = File::from(ends.slave);
        let mut command = cmd.into_command();
        sys::take_terminal(&mut command);
        let stdio = || Stdio::from(slave.try_clone().unwrap());
        let child = command.stdin(stdio()).stdout(stdio()).stderr(stdio()).spawn().unwrap();
        drop(command);
        drop(slave);
        let master = File::from(ends.master);
        let seen = Arc::new((Mutex::new(Screen::default()), Condvar::new()));
        let (mut reader, writer) = (master.try_clone().unwrap(), seen.clone());
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            loop {
                let read = reader.read(&mut buffer);
                let mut screen = writer.0.lock().unwrap();
                match read {
                    Ok(n) if n > 0 => screen.bytes.extend_from_slice(&buffer[..n]),
                    // EIO: nobody has the other end open any more (pty(7)).
                    _ => screen.closed = true,
                }
                writer.1.notify_all();
                if screen.closed {
                    return;
                }
            }
        });
        Self { master, child, seen, used: 0 }
    }

    /// Types `keys`, as they are: `"\r"` is Enter, `"\x03"` Ctrl-C, `"\x04"` Ctrl-D.
    pub fn send(&mut self, keys: &str) {
        self.master.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until `text` appears after what was expected before; gives everything up to its end.
    #[track_caller]
    pub fn expect(&mut self, text: &str) -> String {
        let start = Instant::now();
        let mut screen = self.seen.0.lock().unwrap();
        loop {
            let fresh = &screen.bytes[self.used..];
            if let Some(at) = fresh.windows(text.len()).position(|w| w == text.as_bytes()) {
                let end = at + text.len();
                let found = String::from_utf8_lossy(&fresh[..end]).into_owned();
                self.used += end;
                return found;
            }
            let late = start.elapsed() > LIMIT;
            assert!(!screen.closed && !late, "no {text:?} on the terminal, but {:?}", String::from_utf8_lossy(fresh));
            screen = self.seen.1.wait_timeout(screen, Duration::from_millis(100)).unwrap().0;
        }
    }

    /// Resizes the terminal; the kernel sends SIGWINCH to its foreground process group.
    pub fn resize(&self, rows: u16, columns: u16) {
        sys::set_size(&self.master, rows, columns);
    }

    /// The process id of the program.
    pub fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    /// Waits for the program's end; gives its exit status and everything it wrote.
    #[track_caller]
    pub fn wait(&mut self) -> (i32, String) {
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status_of(status);
            }
            assert!(start.elapsed() < LIMIT, "the program on the terminal did not end: {:?}", self.text());
            thread::sleep(Duration::from_millis(5));
        };
        // The last of what it wrote may still be on its way through the terminal.
        let screen = self.seen.0.lock().unwrap();
        drop(self.seen.1.wait_timeout_while(screen, Duration::from_secs(2), |screen| !screen.closed).unwrap());
        (status, self.text())
    }

    /// Everything on the terminal so far.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.seen.0.lock().unwrap().bytes).into_owned()
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
