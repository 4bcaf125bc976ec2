//! Resource limits of the process (getrlimit(2)).

use ctr_core::{Cannot, Code, Error, Result, json, trace};
use oci_spec::runtime::{PosixRlimit, PosixRlimitType as T};
use rustix::{
    io::Errno,
    process::{Resource, Rlimit},
};

/// Sets the limits; raising a hard one takes CAP_SYS_RESOURCE, so this comes before the capabilities go.
pub fn set(limits: &[PosixRlimit]) -> Result<()> {
    for limit in limits {
        let (soft, hard, name) = (limit.soft(), limit.hard(), limit.typ().to_string());
        if soft > hard {
            return Err(Error::new(Code::Invalid, format!("{name}: soft limit {soft} is above hard limit {hard}")));
        }
        let bound = |n: u64| (n != u64::MAX).then_some(n);
        let new = Rlimit { current: bound(soft), maximum: bound(hard) };
        trace::act(
            "rlimit",
            || json!({"type": name, "soft": soft, "hard": hard}),
            || match rustix::process::setrlimit(resource(limit.typ()), new) {
                Err(Errno::PERM) => Err(Error::new(
                    Code::Denied,
                    format!("cannot raise {name} to {hard}: this process may not go above its own hard limit"),
                )),
                other => other.cannot(|| format!("set {name} to {soft}:{hard}")),
            },
        )?;
    }
    Ok(())
}

fn resource(kind: T) -> Resource {
    match kind {
        T::RlimitCpu => Resource::Cpu,
        T::RlimitFsize => Resource::Fsize,
        T::RlimitData => Resource::Data,
        T::RlimitStack => Resource::Stack,
        T::RlimitCore => Resource::Core,
        T::RlimitRss => Resource::Rss,
        T::RlimitNproc => Resource::Nproc,
        T::RlimitNofile => Resource::Nofile,
        T::RlimitMemlock => Resource::Memlock,
        T::RlimitAs => Resource::As,
        T::RlimitLocks => Resource::Locks,
        T::RlimitSigpending => Resource::Sigpending,
        T::RlimitMsgqueue => Resource::Msgqueue,
        T::RlimitNice => Resource::Nice,
        T::RlimitRtprio => Resource::Rtprio,
        T::RlimitRttime => Resource::Rttime,
    }
}
