//! Who the process is and what it may do: ids, groups, capabilities, seccomp filter, in the order that works.

use crate::sys;
use ctr_core::{Cannot, Code, Error, Result, json, trace};
use ctr_seccomp::Program;
use oci_spec::runtime::{Capabilities, Process};
use rustix::{
    fs::{Gid, Uid},
    io::Errno,
    thread::{CapabilitySet, CapabilitySets},
};
use std::fmt::Write;

/// Everything of it, worked out before the clone.
pub struct Creds {
    uid: Uid,
    gid: Gid,
    groups: Vec<Gid>,
    bounding: CapabilitySet,
    ambient: CapabilitySet,
    sets: CapabilitySets,
    no_new_privileges: bool,
    seccomp: Option<Program>,
}

impl Creds {
    /// Reads the user and the capabilities of `process`.
    ///
    /// A capability that the caller does not have cannot be given: it is left out with a warning, for a container
    /// with fewer capabilities than asked for is a safe one. `own_user_ns`: a new user namespace has them all.
    pub fn of(process: &Process, seccomp: Option<Program>, own_user_ns: bool) -> Result<Self> {
        let mut have = CapabilitySet::all();
        if !own_user_ns {
            have = rustix::thread::capabilities(None).cannot(|| "read own capabilities")?.permitted;
        }
        let mut missing = CapabilitySet::empty();
        let mut pick = |set: Option<&Capabilities>| {
            let asked = set.map_or(CapabilitySet::empty(), mask);
            missing |= asked - have;
            asked & have
        };
        let caps = process.capabilities().as_ref();
        let bounding = pick(caps.and_then(|c| c.bounding().as_ref()));
        let sets = CapabilitySets {
            effective: pick(caps.and_then(|c| c.effective().as_ref())),
            permitted: pick(caps.and_then(|c| c.permitted().as_ref())),
            inheritable: pick(caps.and_then(|c| c.inheritable().as_ref())),
        };
        // What is not inheritable cannot be ambient (capabilities(7)); bundles ask for it, other runtimes pass over it.
        let ambient = pick(caps.and_then(|c| c.ambient().as_ref())) & sets.permitted & sets.inheritable;
        if !missing.is_empty() {
            trace::warn(&format!("left out, for this process does not have them: {}", names(missing)));
        }
        if !sets.permitted.contains(sets.effective) {
            return Err(Error::new(Code::Invalid, "effective capabilities are not all permitted"));
        }
        let user = process.user();
        Ok(Self {
            uid: Uid::from_raw(user.uid()),
            gid: Gid::from_raw(user.gid()),
            groups: user.additional_gids().iter().flatten().map(|g| Gid::from_raw(*g)).collect(),
            bounding,
            ambient,
            sets,
            no_new_privileges: process.no_new_privileges().unwrap_or(false),
            seccomp,
        })
    }

    /// Becomes the user, with the capabilities; what is still to be done needs none of the old ones but
    /// CAP_SYS_ADMIN, kept for [`Creds::confine`].
    pub fn become_user(&self) -> Result<()> {
        self.drop_bounding()?;
        rustix::thread::set_keep_capabilities(true).cannot(|| "keep capabilities")?;
        match rustix::thread::set_thread_groups(&self.groups) {
            // A user namespace made without privilege has setgroups(2) off: no group to set is no loss.
            Err(Errno::PERM) if self.groups.is_empty() && setgroups_denied() => {}
            other => other.cannot(|| "set groups")?,
        }
        rustix::thread::set_thread_res_gid(self.gid, self.gid, self.gid)
            .cannot(|| format!("become group {}", self.gid.as_raw()))?;
        rustix::thread::set_thread_res_uid(self.uid, self.uid, self.uid)
            .cannot(|| format!("become user {}", self.uid.as_raw()))?;
        rustix::thread::set_keep_capabilities(false).cannot(|| "keep capabilities")?;

        let mut sets = self.sets;
        if self.keeps_admin() {
            sets.permitted |= CapabilitySet::SYS_ADMIN;
            sets.effective |= CapabilitySet::SYS_ADMIN;
        }
        set(sets)?;
        self.raise_ambient()
    }

    /// The last step before execve(2): no new privileges, the filter, and the one capability that loading it took.
    /// What comes after the filter is bound by it, so nothing but a capset(2) does.
    pub fn confine(&self) -> Result<()> {
        if self.no_new_privileges {
            rustix::thread::set_no_new_privs(true).cannot(|| "set no_new_privs")?;
        }
        if let Some(program) = &self.seccomp {
            sys::seccomp(program.filter(), program.flags()).cannot(|| "load the seccomp filter")?;
        }
        if self.keeps_admin() { set(self.sets) } else { Ok(()) }
    }

    /// seccomp(2) wants CAP_SYS_ADMIN of who has not given up new privileges.
    fn keeps_admin(&self) -> bool {
        self.seccomp.is_some() && !self.no_new_privileges && !self.sets.effective.contains(CapabilitySet::SYS_ADMIN)
    }

    fn drop_bounding(&self) -> Result<()> {
        for bit in (0..u64::BITS).map(|n| CapabilitySet::from_bits_retain(1 << n)) {
            if self.bounding.contains(bit) {
                continue;
            }
            match rustix::thread::remove_capability_from_bounding_set(bit) {
                Ok(()) => {}
                Err(Errno::INVAL) => break, // past the last one that this kernel knows
                Err(e) => return Err(e).cannot(|| format!("drop {} from the bounding set", names(bit))),
            }
        }
        Ok(())
    }

    fn raise_ambient(&self) -> Result<()> {
        rustix::thread::clear_ambient_capability_set().cannot(|| "clear ambient capabilities")?;
        for bit in self.ambient.iter() {
            rustix::thread::configure_capability_in_ambient_set(bit, true)
                .cannot(|| format!("make {} ambient", names(bit)))?;
        }
        Ok(())
    }

    /// The lines of `--trace` and `--dry-run`.
    pub fn describe(&self) -> ctr_core::Value {
        json!({
            "uid": self.uid.as_raw(), "gid": self.gid.as_raw(),
            "groups": self.groups.iter().map(|g| g.as_raw()).collect::<Vec<_>>(),
            "capabilities": names(self.sets.permitted), "noNewPrivileges": self.no_new_privileges,
            "seccomp": self.seccomp.as_ref().map(|p| p.filter().len()),
        })
    }
}

/// Becomes the root of a new user namespace, so that what is made in it has an owner that is mapped.
pub fn become_root() -> Result<()> {
    let what = || "become root of the user namespace";
    rustix::thread::set_thread_res_gid(Gid::ROOT, Gid::ROOT, Gid::ROOT).cannot(what)?;
    match rustix::thread::set_thread_groups(&[]) {
        Err(Errno::PERM) if setgroups_denied() => {}
        other => other.cannot(what)?,
    }
    rustix::thread::set_thread_res_uid(Uid::ROOT, Uid::ROOT, Uid::ROOT).cannot(what)
}

fn setgroups_denied() -> bool {
    std::fs::read_to_string("/proc/self/setgroups").is_ok_and(|text| text.trim() == "deny")
}

fn set(sets: CapabilitySets) -> Result<()> {
    rustix::thread::set_capabilities(None, sets).cannot(|| "set capabilities")
}

/// The kernel's bits for the spec's names.
fn mask(set: &Capabilities) -> CapabilitySet {
    use oci_spec::runtime::Capability as C;
    let bit = |capability: &C| match capability {
        C::AuditControl => CapabilitySet::AUDIT_CONTROL,
        C::AuditRead => CapabilitySet::AUDIT_READ,
        C::AuditWrite => CapabilitySet::AUDIT_WRITE,
        C::BlockSuspend => CapabilitySet::BLOCK_SUSPEND,
        C::Bpf => CapabilitySet::BPF,
        C::CheckpointRestore => CapabilitySet::CHECKPOINT_RESTORE,
        C::Chown => CapabilitySet::CHOWN,
        C::DacOverride => CapabilitySet::DAC_OVERRIDE,
        C::DacReadSearch => CapabilitySet::DAC_READ_SEARCH,
        C::Fowner => CapabilitySet::FOWNER,
        C::Fsetid => CapabilitySet::FSETID,
        C::IpcLock => CapabilitySet::IPC_LOCK,
        C::IpcOwner => CapabilitySet::IPC_OWNER,
        C::Kill => CapabilitySet::KILL,
        C::Lease => CapabilitySet::LEASE,
        C::LinuxImmutable => CapabilitySet::LINUX_IMMUTABLE,
        C::MacAdmin => CapabilitySet::MAC_ADMIN,
        C::MacOverride => CapabilitySet::MAC_OVERRIDE,
        C::Mknod => CapabilitySet::MKNOD,
        C::NetAdmin => CapabilitySet::NET_ADMIN,
        C::NetBindService => CapabilitySet::NET_BIND_SERVICE,
        C::NetBroadcast => CapabilitySet::NET_BROADCAST,
        C::NetRaw => CapabilitySet::NET_RAW,
        C::Perfmon => CapabilitySet::PERFMON,
        C::Setgid => CapabilitySet::SETGID,
        C::Setfcap => CapabilitySet::SETFCAP,
        C::Setpcap => CapabilitySet::SETPCAP,
        C::Setuid => CapabilitySet::SETUID,
        C::SysAdmin => CapabilitySet::SYS_ADMIN,
        C::SysBoot => CapabilitySet::SYS_BOOT,
        C::SysChroot => CapabilitySet::SYS_CHROOT,
        C::SysModule => CapabilitySet::SYS_MODULE,
        C::SysNice => CapabilitySet::SYS_NICE,
        C::SysPacct => CapabilitySet::SYS_PACCT,
        C::SysPtrace => CapabilitySet::SYS_PTRACE,
        C::SysRawio => CapabilitySet::SYS_RAWIO,
        C::SysResource => CapabilitySet::SYS_RESOURCE,
        C::SysTime => CapabilitySet::SYS_TIME,
        C::SysTtyConfig => CapabilitySet::SYS_TTY_CONFIG,
        C::Syslog => CapabilitySet::SYSLOG,
        C::WakeAlarm => CapabilitySet::WAKE_ALARM,
    };
    set.iter().fold(CapabilitySet::empty(), |all, one| all | bit(one))
}

fn names(set: CapabilitySet) -> String {
    set.iter_names().fold(String::new(), |mut text, (name, _)| {
        let _ = write!(text, "{}{name}", if text.is_empty() { "" } else { " " });
        text
    })
}
