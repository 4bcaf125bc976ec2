//! Version 2: a program that the kernel asks before a device is opened or made (`BPF_PROG_TYPE_CGROUP_DEVICE`; kernel,
//! cgroup-v2.rst, Device controller).

use super::rules::{Exception, Verdict};
use crate::{
    Group,
    sys::{self, Instruction},
};
use ctr_core::{Cannot, Code, Error, Result, json, trace};
use rustix::fs::{Mode, OFlags};
use std::os::fd::OwnedFd;

// linux/bpf_common.h, linux/bpf.h.
const LOAD_WORD: u8 = 0x61;
const MOVE: u8 = 0xb7;
const MOVE_REGISTER: u8 = 0xbf;
const AND: u8 = 0x57;
const SHIFT_RIGHT: u8 = 0x77;
const JUMP_IF_EQUAL: u8 = 0x15;
const JUMP_IF_NOT: u8 = 0x55;
const JUMP_IF_NOT_REGISTER: u8 = 0x5d;
const EXIT: u8 = 0x95;

/// Bits of `bpf_cgroup_dev_ctx.access_type` below what is asked for: the type.
const BLOCK: i32 = 1;
const CHARACTER: i32 = 2;

// The registers: the answer, the context, and from it type, access, major and minor number; one to count with.
const ANSWER: u8 = 0;
const CONTEXT: u8 = 1;
const TYPE: u8 = 2;
const ACCESS: u8 = 3;
const MAJOR: u8 = 4;
const MINOR: u8 = 5;
const SCRATCH: u8 = 6;

/// The program: an exception that meets what is asked for answers, the end answers for all else.
///
/// One that allows has to allow all that is asked for; one that denies, denies if it denies any of it: so does version
/// 1 (security/device_cgroup.c, `match_exception`, `match_exception_partial`).
fn compile(verdict: &Verdict) -> Vec<Instruction> {
    let load = |to, offset| Instruction::new(LOAD_WORD, to, CONTEXT, offset, 0);
    let with = |code, register, value| Instruction::new(code, register, 0, 0, value);
    let mut program = vec![
        load(TYPE, 0),
        Instruction::new(MOVE_REGISTER, ACCESS, TYPE, 0, 0),
        with(AND, TYPE, 0xffff),
        with(SHIFT_RIGHT, ACCESS, 16),
        load(MAJOR, 4),
        load(MINOR, 8),
    ];
    for exception in &verdict.exceptions {
        program.extend(one(exception, verdict.allow));
    }
    program.extend([with(MOVE, ANSWER, i32::from(verdict.allow)), with(EXIT, 0, 0)]);
    program
}

fn one(exception: &Exception, allowed: bool) -> Vec<Instruction> {
    let with = |code, register, value| Instruction::new(code, register, 0, 0, value);
    let kind = if exception.character { CHARACTER } else { BLOCK };
    let mut tests = vec![
        with(JUMP_IF_NOT, TYPE, kind),
        Instruction::new(MOVE_REGISTER, SCRATCH, ACCESS, 0, 0),
        with(AND, SCRATCH, i32::from(exception.access.0)),
    ];
    tests.push(if allowed {
        with(JUMP_IF_EQUAL, SCRATCH, 0)
    } else {
        Instruction::new(JUMP_IF_NOT_REGISTER, SCRATCH, ACCESS, 0, 0)
    });
    // Numbers of devices have 12 and 20 bits.
    tests.extend(exception.major.map(|n| with(JUMP_IF_NOT, MAJOR, n as i32)));
    tests.extend(exception.minor.map(|n| with(JUMP_IF_NOT, MINOR, n as i32)));
    let length = tests.len();
    for (at, test) in tests.iter_mut().enumerate().filter(|(_, test)| test.is_jump()) {
        // Behind the answer.
        test.jump((length - at + 1) as i16);
    }
    tests.extend([with(MOVE, ANSWER, i32::from(!allowed)), with(EXIT, 0, 0)]);
    tests
}

/// Puts the program to work in the group, and takes those away that were there before: as long as both are, both have
/// to allow, so that nothing is open meanwhile.
pub fn set(verdict: &Verdict, group: &Group) -> Result<()> {
    let what = || {
        json!({"program": "device", "cgroup": group.dir(), "allow": verdict.allow,
        "exceptions": verdict.exceptions.iter().map(Exception::to_string).collect::<Vec<_>>()})
    };
    trace::act("bpf", what, || {
        let dir = open(group)?;
        let before = sys::attached(&dir).cannot(|| attaching(group))?;
        let program = load(verdict)?;
        sys::attach(&dir, &program).cannot(|| attaching(group))?;
        for id in before {
            if let Some(old) = sys::program(id).cannot(|| attaching(group))? {
                sys::detach(&dir, &old).cannot(|| attaching(group))?;
            }
        }
        Ok(())
    })
}

/// Two programs of the same instructions have the same tag.
pub fn differ(verdict: &Verdict, group: &Group) -> Result<Option<Error>> {
    let dir = open(group)?;
    let attached = sys::attached(&dir).cannot(|| attaching(group))?;
    let wanted = sys::tag(&load(verdict)?).cannot(|| attaching(group))?;
    for id in &attached {
        if let Some(program) = sys::program(*id).cannot(|| attaching(group))?
            && sys::tag(&program).cannot(|| attaching(group))? == wanted
        {
            return Ok(None);
        }
    }
    let message =
        format!("control group {} does not have the program with the container's device rules", group.dir().display());
    Ok(Some(Error::new(Code::NotFound, message)))
}

fn attaching(group: &Group) -> String {
    format!("set the device rules of control group {}", group.dir().display())
}

fn load(verdict: &Verdict) -> Result<OwnedFd> {
    sys::load(&compile(verdict)).cannot(|| "load the program with the device rules")
}

fn open(group: &Group) -> Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let dir = group.dir();
    rustix::fs::open(&dir, flags, Mode::empty()).cannot(|| format!("open control group {}", dir.display()))
}

#[cfg(test)]
mod tests;
