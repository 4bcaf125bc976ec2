//! The machine: kernel, system, processors, memory.

use ctr_core::{Map, Value, json};
use std::{fs, num::NonZero, thread};

/// docker's fields about the machine.
pub fn facts() -> Map<String, Value> {
    let system = rustix::system::uname();
    let info = rustix::system::sysinfo();
    let os_release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let memory = u64::from(info.mem_unit).saturating_mul(info.totalram as u64);
    Map::from_iter([
        ("KernelVersion".to_owned(), json!(kernel_release())),
        ("OperatingSystem".to_owned(), json!(assigned(&os_release, "PRETTY_NAME").unwrap_or("Linux"))),
        ("OSVersion".to_owned(), json!(assigned(&os_release, "VERSION_ID").unwrap_or_default())),
        ("OSType".to_owned(), json!("linux")),
        ("Architecture".to_owned(), json!(system.machine().to_string_lossy())),
        ("NCPU".to_owned(), json!(thread::available_parallelism().map_or(1, NonZero::get))),
        ("MemTotal".to_owned(), json!(memory)),
        ("Name".to_owned(), json!(system.nodename().to_string_lossy())),
    ])
}

/// `uname -r`
pub fn kernel_release() -> String {
    rustix::system::uname().release().to_string_lossy().into_owned()
}

/// The architecture in the words of the image specification, which are Go's.
pub fn architecture() -> String {
    ctr_store::Platform::host().architecture
}

/// The value of `KEY=value` or `KEY="value"` (os-release(5)).
fn assigned<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='))?;
    Some(line.trim_matches(['"', '\'']))
}

#[cfg(test)]
mod tests {
    use super::assigned;

    #[test]
    fn os_release_is_read() {
        let text = "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nVERSION_ID=12\nNAME='x'\n";
        assert_eq!(assigned(text, "PRETTY_NAME"), Some("Debian GNU/Linux 12 (bookworm)"));
        assert_eq!(assigned(text, "VERSION_ID"), Some("12"));
        assert_eq!(assigned(text, "ID"), None);
    }
}
