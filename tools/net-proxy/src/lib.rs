//! Passes on what comes for the published ports of a container, to its address: TCP within the kernel, UDP by flows.

mod serve;
mod tcp;
mod udp;
mod watch;

use clap::Args;
use ctr_core::{Cannot, Code, Error, Result, container, take_fd};
use ctr_net::{
    background,
    proxy::{self, Port},
};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use std::{
    fs::File,
    io::{self, IoSliceMut},
    mem::MaybeUninit,
    os::fd::{AsFd, OwnedFd},
};

/// The tool's name.
pub const NAME: &str = "net-proxy";
/// The first line of its help.
pub const ABOUT: &str = "Pass on what comes for the published ports of a container";

/// Most bytes that are said of one socket.
const MAX: usize = 4096;

/// The arguments of net-proxy(1).
#[derive(Args, Debug)]
pub struct NetProxy {
    /// The container: its name, its id or the beginning of an id that no other has
    #[arg(value_name = "CONTAINER")]
    container: String,
    /// Its sockets come by standard input, its lock is standard error: net-attach starts it so
    #[arg(long)]
    sockets: bool,
}

/// Does what the command line says.
///
/// # Errors
/// `not-found` where there is no such container, or none of its ports is published by a proxy; `exists` where another has them.
pub fn run(args: NetProxy) -> Result<()> {
    if args.sockets {
        // Its record may not be written yet.
        let id = container::checked_id(&args.container)?;
        background::close_others()?;
        let (ports, sockets) = handed_over()?;
        let lock = io::stderr().as_fd().try_clone_to_owned().cannot(|| "take the lock over")?;
        return serve::serve(id, &ports, sockets, lock.into());
    }
    let id = container::find(&args.container)?;
    let (ports, sockets, file) = own(&id, &args.container)?;
    serve::serve(&id, &ports, sockets, file)
}

/// What net-attach bound: a message for each, which says what it is and has it with it.
fn handed_over() -> Result<(Vec<Port>, Vec<OwnedFd>)> {
    let bad = || Error::new(Code::Usage, "--sockets: standard input hands no sockets over");
    let from = take_fd(0).ok_or_else(bad)?;
    let (mut ports, mut sockets) = (Vec::new(), Vec::new());
    let mut text = [0; MAX];
    loop {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let message = recvmsg(&from, &mut [IoSliceMut::new(&mut text)], &mut control, RecvFlags::CMSG_CLOEXEC);
        let length = message.map_err(|_| bad())?.bytes;
        if length == 0 {
            return Ok((ports, sockets));
        }
        let fds = control.drain().filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(fds) => Some(fds),
            _ => None,
        });
        sockets.push(fds.flatten().next().ok_or_else(bad)?);
        ports.push(serde_json::from_slice(&text[..length]).map_err(|_| bad())?);
    }
}

/// Binds them itself, in front, and says who has them.
fn own(id: &str, name: &str) -> Result<(Vec<Port>, Vec<OwnedFd>, File)> {
    let ports = proxy::ports_of(id)?;
    if ports.is_empty() {
        let message = format!("no port of container {name} is published by a proxy");
        return Err(Error::new(Code::NotFound, message).hint("net-attach --publish-mode proxy"));
    }
    let Some(file) = proxy::lock(id)? else {
        let holder = proxy::running(id)?.map_or_else(String::new, |note| format!(", process {}", note.pid));
        return Err(Error::new(Code::Exists, format!("container {name} has its proxy{holder}")));
    };
    let sockets = proxy::bind(&ports)?;
    file.set_len(0).cannot(|| "empty the proxy's file")?;
    proxy::sign(&file, std::process::id(), &ports)?;
    Ok((ports, sockets, file))
}
