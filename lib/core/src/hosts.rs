//! Lines of a container's hosts(5): `ns-spawn` writes them, and `net-attach` anew when others have other addresses.

use std::net::IpAddr;

/// How a line of a link (docker's `--link`) ends: by it the line is known again, whatever its names.
const LINKED: &str = "\t# link";

/// An address and its names, without an end of the line.
pub fn line(address: IpAddr, names: &[String]) -> String {
    format!("{address}\t{}", names.join(" "))
}

/// The line of a link, with its end.
pub fn link(address: IpAddr, names: &[String]) -> String {
    line(address, names) + LINKED + "\n"
}

/// Whether a line, with its end or without, is that of a link.
pub fn is_link(line: &str) -> bool {
    line.strip_suffix('\n').unwrap_or(line).ends_with(LINKED)
}
