//! An interpreter of seccomp's classic BPF, and the checks that the kernel makes before it takes a program.

use libc::sock_filter;

/// One call of a process: `struct seccomp_data` without the instruction pointer.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// `AUDIT_ARCH_…`.
    pub arch: u32,
    /// Its number, with the bit of x32.
    pub number: u32,
    /// Its arguments.
    pub args: [u64; 6],
}

impl Call {
    fn word(&self, offset: u32) -> u32 {
        match offset {
            0 => self.number,
            4 => self.arch,
            16..64 => (self.args[(offset as usize - 16) / 8] >> (8 * (offset % 8))) as u32,
            _ => panic!("load of offset {offset}"),
        }
    }
}

const LOAD: u16 = 0x20;
const AND: u16 = 0x54;
const RETURN: u16 = 0x06;
const JUMP: u16 = 0x05;
const JEQ: u16 = 0x15;
const JGT: u16 = 0x25;
const JGE: u16 = 0x35;
const JSET: u16 = 0x45;

/// What the filter returns for the call.
///
/// # Panics
/// If the program does what the kernel would not have let it do.
pub fn run(program: &[sock_filter], call: &Call) -> u32 {
    let (mut pc, mut a) = (0, 0);
    loop {
        let i = program[pc];
        pc += 1;
        let mut branch = |taken: bool| pc += usize::from(if taken { i.jt } else { i.jf });
        match i.code {
            LOAD => a = call.word(i.k),
            AND => a &= i.k,
            RETURN => return i.k,
            JUMP => pc += i.k as usize,
            JEQ => branch(a == i.k),
            JGT => branch(a > i.k),
            JGE => branch(a >= i.k),
            JSET => branch(a & i.k != 0),
            code => panic!("instruction {code:#x}"),
        }
    }
}

/// Checks what the kernel checks: length, every jump inside, a return at the end.
///
/// # Panics
/// Where the kernel would say EINVAL.
pub fn check(program: &[sock_filter]) {
    assert!((1..=4096).contains(&program.len()), "{} instructions", program.len());
    assert_eq!(program.last().unwrap().code, RETURN);
    for (pc, i) in program.iter().enumerate() {
        let farthest = match i.code {
            JUMP => i.k as usize,
            JEQ | JGT | JGE | JSET => usize::from(i.jt.max(i.jf)),
            LOAD => {
                assert!(i.k % 4 == 0 && i.k < 64, "load of offset {}", i.k);
                0
            }
            AND | RETURN => 0,
            code => panic!("instruction {code:#x}"),
        };
        assert!(pc + 1 + farthest < program.len() || i.code == RETURN, "jump out of the program at {pc}");
    }
}
