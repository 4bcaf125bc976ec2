//! Names in the kernel, made of a container's id or a network's name, and of the instance: so gc finds what is ours.

use ctr_core::{
    ident,
    instance::{self, digest, instance},
};

/// Most bytes of an interface's name (`IFNAMSIZ` without the end).
pub const MAX_INTERFACE: usize = 15;
/// Most networks that a container is on: the digits of base 36.
pub const PLACES: usize = 36;

/// The eight digits of an instance that is not the usual one.
fn tag() -> Option<String> {
    instance().strip_prefix("ctr-").map(str::to_owned)
}

/// The network namespace of container `id`, in `/run/netns`.
pub fn netns(id: &str) -> String {
    format!("{}-{}", instance::instance(), ident::short(id))
}

/// The first digits of the id of the container that a network namespace of that name belongs to; `None` for another's.
pub fn id_of_netns(name: &str) -> Option<&str> {
    let digits = name.strip_prefix(&instance())?.strip_prefix('-')?;
    (digits.len() == 12 && is_hex(digits)).then_some(digits)
}

/// The container's interface at a place, as docker calls it.
pub fn inside(place: usize) -> String {
    format!("eth{place}")
}

/// The place of an interface of that name inside; `None` for one that is not ours.
pub fn place_of(inside: &str) -> Option<usize> {
    let place = inside.strip_prefix("eth")?.parse().ok()?;
    (place < PLACES && self::inside(place) == inside).then_some(place)
}

/// The host's end of the container's veth at a place: `ve`, twelve digits of the id and the place, of base 36; in another
/// instance than the usual one `v`, five digits of the instance, eight of the id and the place.
pub fn veth(id: &str, place: usize) -> String {
    let place = char::from_digit(place as u32, PLACES as u32).unwrap_or('-');
    match tag() {
        None => format!("ve{}{place}", ident::short(id)),
        Some(tag) => format!("v{}{}{place}", &tag[..5], id.get(..8).unwrap_or(id)),
    }
}

/// The first digits of the id of the container that the interface belongs to, and its place; `None` for another's.
pub fn id_of_veth(name: &str) -> Option<(&str, usize)> {
    let (rest, len) = match tag() {
        None => (name.strip_prefix("ve")?, 12),
        Some(tag) => (name.strip_prefix('v')?.strip_prefix(&tag[..5])?, 8),
    };
    let (digits, place) = rest.split_at_checked(len)?;
    let mut place = place.chars();
    let at = place.next()?.to_digit(PLACES as u32)?;
    (is_hex(digits) && place.next().is_none()).then_some((digits, at as usize))
}

/// The bridge of a network: `ctr0` for the default one, `ctr-` and eight digits made of the name for others; in
/// another instance `br` with its eight digits, and five of the name.
pub fn bridge(network: &str) -> String {
    let digits = format!("{:08x}", digest(network.as_bytes()));
    match tag() {
        None if network == crate::network::DEFAULT => "ctr0".to_owned(),
        None => format!("ctr-{digits}"),
        Some(tag) => format!("br{tag}{}", &digits[..5]),
    }
}

/// Whether an interface has the form of a bridge of this instance.
pub fn is_bridge(name: &str) -> bool {
    let (digits, len) = match tag() {
        None if name == "ctr0" => return true,
        None => (name.strip_prefix("ctr-"), 8),
        Some(tag) => (name.strip_prefix("br").and_then(|name| name.strip_prefix(tag.as_str())), 5),
    };
    digits.is_some_and(|digits| digits.len() == len && is_hex(digits))
}

/// The bridges of this instance as iptables(8) writes many: a plus stands for any rest.
pub fn bridges() -> Vec<String> {
    match tag() {
        None => vec!["ctr0".to_owned(), "ctr-+".to_owned()],
        Some(tag) => vec![format!("br{tag}+")],
    }
}

/// The table of this instance in nftables, and its chain in iptables' tables.
pub fn table() -> String {
    instance()
}

/// Whether a table has the form of an instance's.
pub fn is_table(name: &str) -> bool {
    name == "ctr" || name.strip_prefix("ctr-").is_some_and(|digits| !digits.is_empty() && is_hex(digits))
}

fn is_hex(digits: &str) -> bool {
    digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn names_fit_and_lead_back() {
        let id = "0123456789abcdef".repeat(4);
        for name in [veth(&id, 0), veth(&id, 35), bridge("bridge"), bridge("a network with a long name")] {
            assert!(name.len() <= MAX_INTERFACE, "{name}");
        }
        assert!(id.starts_with(id_of_netns(&netns(&id)).unwrap()));
        for place in [0, 9, 35] {
            let name = veth(&id, place);
            let (digits, at) = id_of_veth(&name).unwrap();
            assert!(id.starts_with(digits) && at == place && place_of(&inside(place)) == Some(place));
        }
        assert_eq!((place_of("eth01"), place_of("eth36"), place_of("lo")), (None, None, None));
        assert!(is_bridge(&bridge("bridge")) && is_bridge(&bridge("web")));
        for other in ["veth0", "docker0", "br-0123456789ab", "eth0", "ctr", ""] {
            assert!(id_of_veth(other).is_none() && id_of_netns(other).is_none() && !is_bridge(other), "{other}");
        }
    }
}
