//! The ABIs by which a process enters the kernel, and how a filter tells them apart.

use oci_spec::runtime::Arch;

/// The bit that x32 sets in the number of a call; its `seccomp_data.arch` is that of x86_64.
pub const X32_BIT: u32 = 0x4000_0000;

/// One way into the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abi {
    /// The value of `seccomp_data.arch`, `AUDIT_ARCH_…`; x32 shares that of x86_64.
    pub audit: u32,
    /// What its numbers begin with: [`X32_BIT`] or 0.
    pub base: u32,
    /// Its column in the table of numbers.
    pub column: usize,
    /// Whether arguments have 64 bits; else only their low halves are compared, as libseccomp does.
    pub wide: bool,
}

impl Abi {
    /// Whether `socketcall` and `ipc` carry other calls.
    pub fn multiplexes(self) -> bool {
        self == I386
    }
}

const AUDIT_X86_64: u32 = 0xc000_003e;

/// What a 64-bit program of a PC uses.
pub const X86_64: Abi = Abi { audit: AUDIT_X86_64, base: 0, column: 0, wide: true };
const X32: Abi = Abi { audit: AUDIT_X86_64, base: X32_BIT, column: 1, wide: false };
const I386: Abi = Abi { audit: 0x4000_0003, base: 0, column: 2, wide: false };
const AARCH64: Abi = Abi { audit: 0xc000_00b7, base: 0, column: 3, wide: true };
const ARM: Abi = Abi { audit: 0x4000_0028, base: 0, column: 4, wide: false };

/// The ABI of this program, which every filter covers whether its profile names it or not.
#[cfg(target_arch = "x86_64")]
const NATIVE: Abi = X86_64;
#[cfg(target_arch = "aarch64")]
const NATIVE: Abi = AARCH64;

/// What `archMap` of docker's profile holds for this machine.
#[cfg(target_arch = "x86_64")]
pub const ARCHITECTURES: &[Arch] = &[Arch::ScmpArchX86_64, Arch::ScmpArchX86, Arch::ScmpArchX32];
#[cfg(target_arch = "aarch64")]
pub const ARCHITECTURES: &[Arch] = &[Arch::ScmpArchAarch64, Arch::ScmpArchArm];

/// The name of this machine in the `arches` of docker's profile.
#[cfg(target_arch = "x86_64")]
pub const GO_NAME: &str = "amd64";
#[cfg(target_arch = "aarch64")]
pub const GO_NAME: &str = "arm64";

/// The ABIs that a profile covers, native first, those that share `audit` side by side, each once.
///
/// Other machines' architectures are left out: a kernel that runs this program never reports them,
/// and if it did, the call would be killed as one of an unknown architecture.
pub fn covered(architectures: &[Arch]) -> Vec<Abi> {
    let mut named = vec![NATIVE];
    named.extend(architectures.iter().filter_map(|arch| match arch {
        Arch::ScmpArchX86_64 => Some(X86_64),
        Arch::ScmpArchX32 => Some(X32),
        Arch::ScmpArchX86 => Some(I386),
        Arch::ScmpArchAarch64 => Some(AARCH64),
        Arch::ScmpArchArm => Some(ARM),
        _ => None,
    }));
    let mut abis = Vec::with_capacity(named.len());
    for abi in named.iter().flat_map(|a| named.iter().filter(|b| b.audit == a.audit)) {
        if !abis.contains(abi) {
            abis.push(*abi);
        }
    }
    // The numbers of x32 lie above those of x86_64.
    abis.sort_by_key(|abi| (abi.audit != NATIVE.audit, abi.audit, abi.base));
    abis
}
