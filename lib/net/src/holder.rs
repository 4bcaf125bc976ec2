//! Which process of the host listens on a port: told to who wants it.

use std::fs;

/// It, as messages call it, also where it cannot be found out.
pub fn of_port(protocol: &str, port: u16) -> String {
    process(protocol, port).unwrap_or_else(|| "another program".to_owned())
}

fn process(protocol: &str, port: u16) -> Option<String> {
    let inodes = [protocol.to_owned(), format!("{protocol}6")].into_iter().filter_map(|file| inode(&file, port));
    let links: Vec<String> = inodes.map(|inode| format!("socket:[{inode}]")).collect();
    let processes = fs::read_dir("/proc").ok()?.flatten().filter_map(|e| e.file_name().to_str()?.parse::<i32>().ok());
    for pid in processes {
        let fds = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        let mut fds = fds.filter_map(|fd| fs::read_link(fd.path()).ok());
        if fds.any(|to| links.iter().any(|link| to.as_os_str() == link.as_str())) {
            let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            return Some(format!("process {pid} ({})", name.trim_end()));
        }
    }
    None
}

/// The socket bound to the port, of a table of /proc/net (proc_pid_net(5)): the local address is field 1, `ADDRESS:PORT` in
/// hex, the state 3, the inode 9.
fn inode(file: &str, port: u16) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/net/{file}")).ok()?;
    let bound = format!(":{port:04X}");
    text.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        // 0A: a TCP socket that listens.
        let counts = !file.starts_with("tcp") || fields.get(3) == Some(&"0A");
        (counts && fields.get(1)?.ends_with(&bound)).then(|| fields.get(9).map(|inode| (*inode).to_owned()))?
    })
}
