//! Which of several servers' answers counts.

use crate::query::HEADER;
use simple_dns::{PacketFlag, RCODE, header_buffer};

/// What came of asking one of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Heard {
    /// Nothing yet.
    #[default]
    Nothing,
    /// Records.
    Good(Vec<u8>),
    /// That there is no such name, or nothing of that type.
    Negative(Vec<u8>),
    /// That it cannot tell; or it cannot be asked.
    Bad(Option<Vec<u8>>),
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Wait for more.
    Wait,
    /// The answer of this one counts.
    Take(usize),
    /// There is none.
    Fail,
}

/// The first good answer counts. That there is no such name counts once all those before have said so too, or cannot be waited
/// for: the first of them may be the only one that knows names of this place. `waits` says for whom to wait so.
pub fn decide(heard: &[Heard], waits: &[bool]) -> Verdict {
    if let Some(good) = heard.iter().position(|h| matches!(h, Heard::Good(_))) {
        return Verdict::Take(good);
    }
    if let Some(negative) = heard.iter().position(|h| matches!(h, Heard::Negative(_))) {
        let before = heard.iter().zip(waits).take(negative);
        let open = before.into_iter().any(|(h, waits)| *waits && *h == Heard::Nothing);
        return if open { Verdict::Wait } else { Verdict::Take(negative) };
    }
    if heard.contains(&Heard::Nothing) { Verdict::Wait } else { last_resort(heard) }
}

/// After the last wait: whatever was said.
pub fn last_resort(heard: &[Heard]) -> Verdict {
    let said = |h: &Heard| matches!(h, Heard::Negative(_) | Heard::Bad(Some(_)));
    heard.iter().position(said).map_or(Verdict::Fail, Verdict::Take)
}

/// What a server's answer to a query with this id and question is; `None` for what is no answer to it.
pub fn read(answer: &[u8], id: u16, asked: &[u8]) -> Option<Heard> {
    if answer.len() < HEADER
        || !header_buffer::has_flags_unchecked(answer, PacketFlag::RESPONSE)
        || header_buffer::id_unchecked(answer) != id
    {
        return None;
    }
    let rcode = header_buffer::rcode_unchecked(answer);
    if header_buffer::questions_unchecked(answer) == 0 && rcode != RCODE::NoError {
        // Some that do not understand a query do not repeat it.
        return Some(Heard::Bad(None));
    }
    let same = answer.get(HEADER..HEADER + asked.len()).is_some_and(|own| {
        let (name, kind) = own.split_at(own.len() - 4);
        let (asked_name, asked_kind) = asked.split_at(asked.len() - 4);
        name.eq_ignore_ascii_case(asked_name) && kind == asked_kind
    });
    if !same || header_buffer::questions_unchecked(answer) != 1 {
        return None;
    }
    let some = header_buffer::answers_unchecked(answer) > 0
        || header_buffer::has_flags_unchecked(answer, PacketFlag::TRUNCATION);
    Some(match rcode {
        RCODE::NoError if some => Heard::Good(answer.to_owned()),
        RCODE::NoError | RCODE::NameError => Heard::Negative(answer.to_owned()),
        _ => Heard::Bad(Some(answer.to_owned())),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::query::tests::of;
    use simple_dns::TYPE;

    fn good() -> Heard {
        Heard::Good(vec![1])
    }

    fn none() -> Heard {
        Heard::Negative(vec![2])
    }

    #[test]
    fn the_first_good_answer_counts() {
        let bad = Heard::Bad(Some(vec![3]));
        let all = [true, true];
        for (heard, waits, verdict) in [
            ([Heard::Nothing, good()], all, Verdict::Take(1)),
            ([Heard::Nothing, none()], all, Verdict::Wait),
            ([Heard::Nothing, none()], [false, true], Verdict::Take(1)),
            ([none(), Heard::Nothing], all, Verdict::Take(0)),
            ([Heard::Bad(None), none()], all, Verdict::Take(1)),
            ([none(), good()], all, Verdict::Take(1)),
            ([bad.clone(), Heard::Nothing], all, Verdict::Wait),
            ([bad.clone(), Heard::Bad(None)], all, Verdict::Take(0)),
            ([Heard::Bad(None), Heard::Bad(None)], all, Verdict::Fail),
        ] {
            assert_eq!(decide(&heard, &waits), verdict, "{heard:?} {waits:?}");
        }
        assert_eq!(last_resort(&[Heard::Nothing, bad]), Verdict::Take(1));
        assert_eq!(last_resort(&[Heard::Nothing]), Verdict::Fail);
    }

    #[test]
    fn an_answer_is_told_by_id_and_question() {
        let query = of("web.example", TYPE::A, 0);
        let asked = &query[HEADER..];
        let mut answer = query.clone();
        answer[2] = 0x81;
        assert_eq!(read(&answer, 0x1234, asked), Some(Heard::Negative(answer.clone())));
        assert_eq!(read(&answer, 0x1235, asked), None);
        assert_eq!(read(&query, 0x1234, asked), None, "a query");
        assert_eq!(read(&answer[..answer.len() - 1], 0x1234, asked), None);
        let mut other = answer.clone();
        other[HEADER + 1] = b'W';
        assert!(read(&other, 0x1234, asked).is_some());
        other[HEADER + 1] = b'x';
        assert_eq!(read(&other, 0x1234, asked), None);
        let mut typed = answer.clone();
        let at = typed.len() - 3;
        typed[at] = 28;
        assert_eq!(read(&typed, 0x1234, asked), None);
        answer[3] = 2;
        assert_eq!(read(&answer, 0x1234, asked), Some(Heard::Bad(Some(answer.clone()))));
        answer[5] = 0;
        assert_eq!(read(&answer, 0x1234, asked), Some(Heard::Bad(None)));
    }
}
