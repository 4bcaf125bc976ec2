//! An assembler for classic BPF that works from the last instruction to the first.
//!
//! BPF jumps only forward. Emitted backwards, the target of every jump is there before the jump, so
//! its distance is known at once, and a target beyond the reach of 8 bits gets a stepping stone.

use libc::{
    BPF_ABS, BPF_ALU, BPF_AND, BPF_JA, BPF_JEQ, BPF_JGE, BPF_JGT, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W, sock_filter,
};

/// An instruction that is there: what comes before it may go on to it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Label(usize);

/// How a conditional jump compares the accumulator with its constant, unsigned.
#[derive(Clone, Copy)]
pub enum Test {
    /// Equal.
    Equal = BPF_JEQ as isize,
    /// Greater.
    Greater = BPF_JGT as isize,
    /// Greater or equal.
    GreaterEqual = BPF_JGE as isize,
}

/// A program that grows at its front.
#[derive(Default)]
pub struct Assembler {
    /// The last instruction of the program first.
    backwards: Vec<sock_filter>,
    /// The latest `return` of each value.
    returns: Vec<(u32, Label)>,
}

impl Assembler {
    /// Ends the filter with `value` (`SECCOMP_RET_…`); one instruction serves all jumps that reach it.
    pub fn ret(&mut self, value: u32) -> Label {
        let known = self.returns.iter().position(|r| r.0 == value);
        match known.map(|i| self.returns[i].1) {
            Some(label) if self.reaches(label) => label,
            _ => {
                let label = self.push(BPF_RET | BPF_K, 0, 0, value);
                match known {
                    Some(i) => self.returns[i].1 = label,
                    None => self.returns.push((value, label)),
                }
                label
            }
        }
    }

    /// Loads the word at `offset` of `struct seccomp_data` into the accumulator and goes on at `next`.
    pub fn load(&mut self, offset: u32, next: Label) -> Label {
        self.fall_through(next);
        self.push(BPF_LD | BPF_W | BPF_ABS, 0, 0, offset)
    }

    /// Keeps the bits of `mask` in the accumulator and goes on at `next`.
    pub fn and(&mut self, mask: u32, next: Label) -> Label {
        self.fall_through(next);
        self.push(BPF_ALU | BPF_AND | BPF_K, 0, 0, mask)
    }

    /// Goes on at `yes` where the accumulator passes the test against `value`, else at `no`.
    pub fn branch(&mut self, test: Test, value: u32, yes: Label, no: Label) -> Label {
        if yes == no {
            return yes;
        }
        let yes = self.near(yes);
        let no = self.near(no);
        let (jt, jf) = (self.distance(yes), self.distance(no));
        self.push(BPF_JMP | test as u32 | BPF_K, jt as u8, jf as u8, value)
    }

    /// The program, first instruction first.
    pub fn finish(mut self) -> Vec<sock_filter> {
        self.backwards.reverse();
        self.backwards
    }

    fn push(&mut self, code: u32, jt: u8, jf: u8, k: u32) -> Label {
        self.backwards.push(sock_filter { code: code as u16, jt, jf, k });
        Label(self.backwards.len() - 1)
    }

    /// How many instructions the next one would have to jump over to reach `label`.
    fn distance(&self, label: Label) -> usize {
        self.backwards.len() - label.0 - 1
    }

    /// Whether a conditional jump reaches `label`, even past one more stepping stone before it.
    fn reaches(&self, label: Label) -> bool {
        self.distance(label) < usize::from(u8::MAX)
    }

    /// `label`, or a new instruction that leads there from within a jump's reach.
    fn near(&mut self, label: Label) -> Label {
        if self.reaches(label) {
            return label;
        }
        let target = self.backwards[label.0];
        if u32::from(target.code) == BPF_RET | BPF_K {
            return self.ret(target.k);
        }
        self.jump(label)
    }

    /// Makes `label` what the next instruction falls through to.
    fn fall_through(&mut self, label: Label) {
        if self.distance(label) > 0 {
            self.jump(label);
        }
    }

    fn jump(&mut self, label: Label) -> Label {
        let distance = self.distance(label);
        self.push(BPF_JMP | BPF_JA, 0, 0, distance as u32)
    }
}
