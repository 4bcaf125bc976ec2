//! The verdict of the health check.

use crate::waiting::Waiting;
use ctr_core::{Code, Result, Supervise};
use ctr_lifecycle::Noted;

/// Waits until it is `wanted`. A container that becomes unhealthy is not waited for any longer, nor one that stops.
pub fn wait(waiting: &Waiting<'_>, wanted: &str) -> Result<()> {
    waiting.until(|now| {
        waiting.must_go_on(now)?;
        let Noted::Alive(state) = now else { return Ok(None) };
        match state.health.as_ref().map(|health| health.status.as_str()) {
            Some(status) if status == wanted => Ok(Some(())),
            Some("unhealthy") => Err(waiting.fails(Code::Invalid, "it is unhealthy")),
            Some(_) => Ok(None),
            None => {
                let supervise = waiting.document()?.section::<Supervise>("supervise")?.unwrap_or_default();
                match supervise.health {
                    Some(_) => Ok(None),
                    None => Err(waiting.fails(Code::Invalid, "it has no health check")),
                }
            }
        }
    })
}
