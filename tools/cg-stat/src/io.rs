//! Reading and writing of block devices.

use crate::kernel::Kernel;
use ctr_core::Result;
use serde::Serialize;
use std::path::Path;

/// What a group read and wrote of one device since it was made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Device {
    /// `MAJOR:MINOR`.
    #[serde(rename = "device")]
    pub number: String,
    /// Its name below /dev, where the kernel tells it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Bytes read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rbytes: Option<u64>,
    /// Bytes written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wbytes: Option<u64>,
    /// Reads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rios: Option<u64>,
    /// Writes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wios: Option<u64>,
}

/// Reads that of one group, one a device that it used; `None` where the controller is not there.
pub fn read(kernel: &mut Kernel, group: &Path) -> Result<Option<Vec<Device>>> {
    let Some(place) = kernel.io else { return Ok(None) };
    let mut devices = Vec::new();
    if place.version == 2 {
        let Some(text) = kernel.read(place, group, "io.stat")? else { return Ok(None) };
        stat_2(text, &mut devices);
    } else {
        // With the groups below; before Linux 4.20 there was only the group's own.
        let mut text = kernel.read(place, group, "blkio.throttle.io_service_bytes_recursive")?;
        let recursive = text.is_some();
        if !recursive {
            text = kernel.read(place, group, "blkio.throttle.io_service_bytes")?;
        }
        let Some(text) = text else { return Ok(None) };
        counts_1(text, &mut devices, |device| (&mut device.rbytes, &mut device.wbytes));
        let file = if recursive { "blkio.throttle.io_serviced_recursive" } else { "blkio.throttle.io_serviced" };
        if !devices.is_empty()
            && let Some(text) = kernel.read(place, group, file)?
        {
            counts_1(text, &mut devices, |device| (&mut device.rios, &mut device.wios));
        }
    }
    for device in &mut devices {
        device.name = kernel.device(&device.number);
    }
    Ok(Some(devices))
}

/// Version 2, `io.stat`: a device and its `name=value` words a line.
fn stat_2(text: &str, devices: &mut Vec<Device>) {
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace();
        let mut device = Device { number: words.next().unwrap_or_default().to_owned(), ..Device::default() };
        for (name, value) in words.filter_map(|word| word.split_once('=')) {
            match name {
                "rbytes" => device.rbytes = value.parse().ok(),
                "wbytes" => device.wbytes = value.parse().ok(),
                "rios" => device.rios = value.parse().ok(),
                "wios" => device.wios = value.parse().ok(),
                _ => {}
            }
        }
        if device.rbytes.is_some() {
            devices.push(device);
        }
    }
}

/// Where in a device two counts go: that of reads and that of writes.
type Counts = fn(&mut Device) -> (&mut Option<u64>, &mut Option<u64>);

/// Version 1: `MAJOR:MINOR WORD COUNT` a line, a total behind them; docker too takes `Read` and `Write` alone
/// (cgroup-v1/blkio-controller.rst).
fn counts_1(text: &str, devices: &mut Vec<Device>, counts: Counts) {
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace();
        let (Some(number), Some(word), Some(count)) = (words.next(), words.next(), words.next()) else { continue };
        let at = devices.iter().position(|device| device.number == number).unwrap_or_else(|| {
            devices.push(Device { number: number.to_owned(), ..Device::default() });
            devices.len() - 1
        });
        let (reads, writes) = counts(&mut devices[at]);
        match word {
            "Read" => *reads = count.parse().ok(),
            "Write" => *writes = count.parse().ok(),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(number: &str, counts: [u64; 4]) -> Device {
        let [rbytes, wbytes, rios, wios] = counts.map(Some);
        Device { number: number.to_owned(), name: None, rbytes, wbytes, rios, wios }
    }

    #[test]
    fn version_1_has_a_line_for_each_count() {
        let mut devices = Vec::new();
        let bytes = "254:0 Read 4096\n254:0 Write 1048576\n254:0 Sync 0\n254:0 Async 1052672\n254:0 Discard 0\n\
            254:0 Total 1052672\n7:1 Read 512\n7:1 Write 0\n7:1 Total 512\nTotal 1053184\n";
        counts_1(bytes, &mut devices, |device| (&mut device.rbytes, &mut device.wbytes));
        let counts = "254:0 Read 1\n254:0 Write 3\n254:0 Total 4\n7:1 Read 1\n7:1 Write 0\n7:1 Total 1\nTotal 5\n";
        counts_1(counts, &mut devices, |device| (&mut device.rios, &mut device.wios));
        assert_eq!(devices, [device("254:0", [4096, 1_048_576, 1, 3]), device("7:1", [512, 0, 1, 0])]);
        let mut none = Vec::new();
        counts_1("Total 0\n", &mut none, |device| (&mut device.rios, &mut device.wios));
        assert!(none.is_empty());
    }

    #[test]
    fn version_2_has_a_line_for_each_device() {
        let mut devices = Vec::new();
        let text = "8:16 rbytes=1459200 wbytes=314773504 rios=192 wios=353 dbytes=0 dios=0\n\
            254:0 rbytes=0 wbytes=4096 rios=0 wios=1 dbytes=0 dios=0 cost.usage=8\n7:0 \n";
        stat_2(text, &mut devices);
        assert_eq!(devices, [device("8:16", [1_459_200, 314_773_504, 192, 353]), device("254:0", [0, 4096, 0, 1])]);
    }
}
