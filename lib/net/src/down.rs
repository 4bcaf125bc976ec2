//! Interfaces set down without what else netlink is needed for (rtnetlink(7)): by whoever ends a container.

use crate::nfnetlink::{self, Connection, NLM_F_ACK, Request};
use ctr_core::{Cannot, Result, json, trace};

const RTM_NEWLINK: u16 = 16;
const IFLA_IFNAME: u16 = 3;
const IFF_UP: u32 = 1;
const ENODEV: i32 = 19;

/// Sets interfaces down (rtnetlink(7)); those that are not there are passed over.
///
/// # Errors
/// The kernel's.
pub fn set_down(names: &[String]) -> Result<()> {
    let what = || "set interfaces down".to_owned();
    trace::act(
        "setlink",
        || json!({"links": names, "up": false}),
        || {
            let connection = Connection::of(None, what)?;
            for name in names {
                // What follows the family: the number, which the name tells, the flags, and which of them are meant.
                let mut request = Request::new(RTM_NEWLINK, 0);
                request.fixed(&[0; 8]);
                request.fixed(&IFF_UP.to_ne_bytes());
                request.text(IFLA_IFNAME, name);
                let answer = connection.ask(request, NLM_F_ACK).cannot(what)?;
                match nfnetlink::error(&answer) {
                    Some(e) if e.raw_os_error() != Some(ENODEV) => return Err(e).cannot(what),
                    _ => {}
                }
            }
            Ok(())
        },
    )
}
