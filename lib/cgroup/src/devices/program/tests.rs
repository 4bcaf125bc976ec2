//! The program does what its rules say: run here, instruction by instruction, as bpf(2)'s machine does.

use super::*;
use crate::devices::rules::Access;

/// Runs it for a device; gives the answer.
fn run(program: &[Instruction], kind: i32, access: u8, major: u32, minor: u32) -> bool {
    let context = [(i64::from(access) << 16) | i64::from(kind), i64::from(major), i64::from(minor)];
    let (mut registers, mut at) = ([0i64; 11], 0i64);
    loop {
        let step = program[at as usize];
        let (to, from) = (step.registers & 15, step.registers >> 4);
        let (left, right) = (registers[usize::from(to)], registers[usize::from(from)]);
        let value = i64::from(step.value);
        let jumps = match step.code {
            EXIT => return registers[0] == 1,
            JUMP_IF_EQUAL => left == value,
            JUMP_IF_NOT => left != value,
            JUMP_IF_NOT_REGISTER => left != right,
            _ => false,
        };
        registers[usize::from(to)] = match step.code {
            LOAD_WORD => context[step.offset as usize / 4],
            MOVE => value,
            MOVE_REGISTER => right,
            AND => left & value,
            SHIFT_RIGHT => left >> value,
            _ => left,
        };
        at += 1 + if jumps { i64::from(step.offset) } else { 0 };
    }
}

/// What the kernel's version 1 answers.
fn version_1(verdict: &Verdict, character: bool, access: u8, major: u32, minor: u32) -> bool {
    let of_it = verdict.exceptions.iter().filter(|e| {
        e.character == character && e.major.is_none_or(|n| n == major) && e.minor.is_none_or(|n| n == minor)
    });
    let mut of_it = of_it;
    let met =
        if verdict.allow { of_it.any(|e| e.access.0 & access != 0) } else { of_it.any(|e| access & !e.access.0 == 0) };
    met != verdict.allow
}

#[test]
fn it_answers_as_version_1_does() {
    let exception = |character, major, minor, access| Exception { character, major, minor, access: Access(access) };
    let exceptions = vec![
        exception(true, None, None, 1),
        exception(true, Some(1), Some(3), 7),
        exception(true, Some(136), None, 6),
        exception(false, Some(8), Some(0), 2),
        exception(false, None, Some(5), 4),
    ];
    for verdict in [
        Verdict { allow: false, exceptions: exceptions.clone() },
        Verdict { allow: true, exceptions },
        Verdict { allow: false, exceptions: Vec::new() },
        Verdict { allow: true, exceptions: Vec::new() },
    ] {
        let program = compile(&verdict);
        for (kind, character) in [(CHARACTER, true), (BLOCK, false)] {
            for access in 1..=7 {
                for (major, minor) in [(1, 3), (1, 5), (136, 0), (136, 9), (8, 0), (8, 5), (9, 5), (4095, 1_048_575)] {
                    assert_eq!(
                        run(&program, kind, access, major, minor),
                        version_1(&verdict, character, access, major, minor),
                        "{verdict:?} {kind} {access} {major}:{minor}"
                    );
                }
            }
        }
    }
}
