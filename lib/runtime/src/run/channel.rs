//! Between the parent and the process it starts, until execve(2): go-ahead down; failure and terminal up.
//!
//! A pair of packet sockets, close-on-exec: its end without a word is the news that the command runs.

use ctr_core::{Cannot, Code, Error, Result};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    net::{
        AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
        SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
    },
};
use serde::{Deserialize, Serialize};
use std::{
    io::{IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

/// Longest message taken; an error's line is cut to fit.
const LIMIT: usize = 8192;

/// One end.
pub struct Channel(OwnedFd);

/// What comes up.
pub enum Message {
    /// The process could not be started.
    Failed(Error),
    /// The parent's end of its terminal.
    Terminal(OwnedFd),
    /// The process between says the number of the container's process.
    Pid(i32),
    /// The command runs, or all who could say something are gone.
    End,
}

/// An error as it is sent.
#[derive(Serialize, Deserialize)]
struct Failure {
    code: Code,
    message: String,
    hint: Option<String>,
    exit: u8,
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Channel {
    /// Both ends.
    pub fn pair() -> Result<(Self, Self)> {
        let (a, b) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
            .cannot(|| "make a socket pair")?;
        Ok((Self(a), Self(b)))
    }

    /// The end that an inherited descriptor is.
    pub fn from_fd(fd: OwnedFd) -> Self {
        Self(fd)
    }

    /// The descriptor, to be passed on.
    pub fn fd(&self) -> &OwnedFd {
        &self.0
    }

    /// Lets the other side go on.
    pub fn go(&self) -> Result<()> {
        self.send(b"g", None)
    }

    /// Waits for the other side's go-ahead.
    ///
    /// # Errors
    /// If the other side is gone: then nobody wants this process any more.
    pub fn wait(&self) -> Result<()> {
        let mut byte = [0];
        match self.receive(&mut byte)? {
            (1, _) if self.is_whole()? => Ok(()),
            _ => Err(Error::new(Code::Internal, "the tool is gone")),
        }
    }

    /// Whether the other side is there still: its go-ahead is read even after its death.
    fn is_whole(&self) -> Result<bool> {
        let mut fds = [PollFd::new(&self.0, PollFlags::empty())];
        poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).cannot(|| "look at the other process")?;
        Ok(!fds[0].revents().intersects(PollFlags::HUP | PollFlags::ERR))
    }

    /// Sends what went wrong; a reader that is gone needs no news.
    pub fn fail(&self, error: &Error) {
        let text: String = error.message.chars().take(LIMIT / 8).collect();
        let failure = Failure { code: error.code, message: text, hint: error.hint.clone(), exit: error.exit };
        let mut bytes = vec![b'f'];
        if serde_json::to_writer(&mut bytes, &failure).is_ok() {
            let _ = self.send(&bytes, None);
        }
    }

    /// Sends the parent's end of the terminal.
    pub fn send_terminal(&self, master: &OwnedFd) -> Result<()> {
        self.send(b"t", Some(master))
    }

    /// Sends the number of the process.
    pub fn send_pid(&self, pid: i32) -> Result<()> {
        let [a, b, c, d] = pid.to_ne_bytes();
        self.send(&[b'p', a, b, c, d], None)
    }

    /// Waits for the next message.
    pub fn next(&self) -> Result<Message> {
        let mut bytes = vec![0; LIMIT];
        let (length, fd) = self.receive(&mut bytes)?;
        match (bytes.get(..length), fd) {
            (Some([]), _) => Ok(Message::End),
            (Some([b't']), Some(fd)) => Ok(Message::Terminal(fd)),
            (Some([b'p', a, b, c, d]), _) => Ok(Message::Pid(i32::from_ne_bytes([*a, *b, *c, *d]))),
            (Some([b'f', json @ ..]), _) => {
                let failure: Failure = serde_json::from_slice(json)
                    .map_err(|e| Error::new(Code::Internal, format!("message of the new process: {e}")))?;
                let mut error = Error::new(failure.code, failure.message).exit(failure.exit);
                error.hint = failure.hint;
                Ok(Message::Failed(error))
            }
            _ => Err(Error::new(Code::Internal, "message of the new process is none")),
        }
    }

    fn send(&self, bytes: &[u8], fd: Option<&OwnedFd>) -> Result<()> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let fds = fd.map(|fd| [fd.as_fd()]);
        if let Some(fds) = &fds {
            control.push(SendAncillaryMessage::ScmRights(fds));
        }
        sendmsg(&self.0, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL)
            .map(drop)
            .cannot(|| "talk to the other process")
    }

    fn receive(&self, bytes: &mut [u8]) -> Result<(usize, Option<OwnedFd>)> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let got = loop {
            match recvmsg(&self.0, &mut [IoSliceMut::new(bytes)], &mut control, RecvFlags::CMSG_CLOEXEC) {
                // A process that ended with our go-ahead unread resets the connection; this is said once, and before
                // the message that it may have sent.
                Err(Errno::INTR | Errno::CONNRESET) => {}
                other => break other.cannot(|| "listen to the other process")?,
            }
        };
        if got.flags.intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC) {
            return Err(Error::new(Code::Internal, "message between processes is too long"));
        }
        let fd = control.drain().find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
            _ => None,
        });
        Ok((got.bytes, fd))
    }
}
