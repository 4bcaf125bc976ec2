//! What becomes of a container beside running: the flags about it, and the document's section `supervise`.

use crate::{NsSpawn, Rm};
use clap::Args;
use ctr_core::{Code, Document, Error, HealthCheck, LogLimits, Policy, Restart, Result, Supervise, Value, parse_size};
use jiff::SignedDuration;

const SECOND: u64 = 1_000_000_000;

/// The flags about the time after the start.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct SuperviseFlags {
    /// When to start it again: no, on-failure[:MAX], always, unless-stopped
    #[arg(long, value_name = "POLICY")]
    restart: Option<String>,
    /// json-file, or none to keep no log
    #[arg(long, value_name = "DRIVER")]
    log_driver: Option<String>,
    /// max-size=SIZE, max-file=N [default: 10m and 3]
    #[arg(long, value_name = "KEY=VALUE")]
    log_opt: Vec<String>,
    /// Seconds that a stop waits before it kills, -1 for ever
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    stop_timeout: Option<i32>,
    /// Find out whether it is healthy by this shell command
    #[arg(long, value_name = "COMMAND")]
    health_cmd: Option<String>,
    /// Time between two checks [default: 30s]
    #[arg(long, value_name = "TIME")]
    health_interval: Option<String>,
    /// A check that takes longer has failed [default: 30s]
    #[arg(long, value_name = "TIME")]
    health_timeout: Option<String>,
    /// Failures in a row that make it unhealthy [default: 3]
    #[arg(long, value_name = "N")]
    health_retries: Option<u32>,
    /// Time after the start in which failures do not count [default: 0s]
    #[arg(long, value_name = "TIME")]
    health_start_period: Option<String>,
    /// Time between two checks in that time [default: 5s]
    #[arg(long, value_name = "TIME")]
    health_start_interval: Option<String>,
    /// Leave the image's health check out
    #[arg(long)]
    no_healthcheck: bool,
}

impl SuperviseFlags {
    /// What takes somebody who stays: a container in the foreground has nobody.
    pub fn refuse_in_foreground(&self) -> Result<()> {
        let restarts = self.restart.as_deref().is_some_and(|policy| policy != "no");
        if restarts || self.health_cmd.is_some() {
            let flag = if restarts { "--restart" } else { "--health-cmd" };
            return Err(Error::new(Code::Unsupported, format!("{flag} is for a container that is detached"))
                .hint("give --detach"));
        }
        Ok(())
    }
}

/// Completes the section: a flag, else what the document says, else the image, else docker's default.
pub fn complete(doc: &mut Document, args: &NsSpawn) -> Result<()> {
    let stays = args.detach || args.create;
    complete_with(doc, &args.supervise, stays, args.rm == Some(Rm::Ended), args.interactive)
}

fn complete_with(doc: &mut Document, flags: &SuperviseFlags, stays: bool, rm: bool, interactive: bool) -> Result<()> {
    let before = doc.section::<Supervise>("supervise")?;
    let fresh = before.is_none();
    let mut section = before.unwrap_or_default();
    if let Some(word) = &flags.restart {
        section.restart = Restart::parse(word)?;
    }
    if rm && section.restart.policy != Policy::No {
        return Err(Error::new(Code::Usage, "a container that is to be removed cannot be started again")
            .hint("--rm or --restart, not both"));
    }
    log(&mut section.log, flags)?;
    if let Some(seconds) = flags.stop_timeout {
        section.stop_timeout = Some(if seconds < 0 { u32::MAX } else { seconds as u32 });
    }
    if flags.no_healthcheck {
        section.health = None;
    } else {
        let image = if fresh { image_health(doc)? } else { section.health.take() };
        section.health = health(image, flags)?;
    }
    section.stdin |= interactive;
    if !stays {
        // In the foreground nobody acts on it; a later start does, on what is not the default.
        return if fresh && section == Supervise::default() { Ok(()) } else { doc.set("supervise", &section) };
    }
    section.remove |= rm;
    doc.set("supervise", &section)
}

fn log(limits: &mut LogLimits, flags: &SuperviseFlags) -> Result<()> {
    match flags.log_driver.as_deref() {
        None => {}
        Some("json-file" | "local") => limits.max_file = limits.max_file.max(1),
        Some("none") => limits.max_file = 0,
        Some(other) => {
            return Err(Error::new(Code::Unsupported, format!("log driver {other} is not supported"))
                .hint("json-file or none; ctr logs -f pipes into any other"));
        }
    }
    for option in &flags.log_opt {
        let bad = || Error::new(Code::Usage, format!("invalid log option {option:?}")).hint("max-size=10m, max-file=3");
        match option.split_once('=') {
            Some(("max-size", "-1")) => limits.max_size = u64::MAX,
            Some(("max-size", size)) => limits.max_size = parse_size(size)?,
            Some(("max-file", n)) => limits.max_file = n.parse().ok().filter(|n| *n > 0).ok_or_else(bad)?,
            _ => return Err(bad()),
        }
    }
    Ok(())
}

/// The image's HEALTHCHECK; `NONE` is none.
fn image_health(doc: &Document) -> Result<Option<HealthCheck>> {
    let config = doc.get("image").and_then(|i| i.get("config")).and_then(|c| c.get("config"));
    let Some(check) = config.and_then(|c| c.get("Healthcheck")).filter(|h| !h.is_null()) else { return Ok(None) };
    let list = check.get("Test").and_then(Value::as_array).cloned().unwrap_or_default();
    let test: Vec<String> = list.iter().filter_map(|w| w.as_str().map(str::to_owned)).collect();
    let number = |key: &str| check.get(key).and_then(Value::as_u64).unwrap_or(0);
    match test.first().map(String::as_str) {
        None | Some("NONE") => Ok(None),
        Some("CMD" | "CMD-SHELL") if test.len() > 1 => Ok(Some(HealthCheck {
            interval: number("Interval"),
            timeout: number("Timeout"),
            start_period: number("StartPeriod"),
            start_interval: number("StartInterval"),
            retries: number("Retries") as u32,
            test,
        })),
        _ => Err(Error::new(Code::Invalid, "the image's health check is neither CMD nor CMD-SHELL")
            .hint("--no-healthcheck leaves it out")),
    }
}

/// The check with what the flags change of it, and docker's defaults for what nobody says.
fn health(check: Option<HealthCheck>, flags: &SuperviseFlags) -> Result<Option<HealthCheck>> {
    let mut check = match (&flags.health_cmd, check) {
        (Some(command), check) => {
            HealthCheck { test: vec!["CMD-SHELL".to_owned(), command.clone()], ..check.unwrap_or_default() }
        }
        (None, Some(check)) => check,
        (None, None) => return Ok(None),
    };
    let set = |field: &mut u64, flag: &Option<String>, default: u64| -> Result<()> {
        match flag {
            Some(word) => *field = duration(word)?,
            None if *field == 0 => *field = default,
            None => {}
        }
        Ok(())
    };
    set(&mut check.interval, &flags.health_interval, 30 * SECOND)?;
    set(&mut check.timeout, &flags.health_timeout, 30 * SECOND)?;
    set(&mut check.start_period, &flags.health_start_period, 0)?;
    set(&mut check.start_interval, &flags.health_start_interval, 5 * SECOND)?;
    check.retries = flags.health_retries.unwrap_or(check.retries);
    if check.retries == 0 {
        check.retries = 3;
    }
    Ok(Some(check))
}

/// Nanoseconds of a time as `1m30s`.
fn duration(word: &str) -> Result<u64> {
    let time = word.parse::<SignedDuration>().ok().filter(|t| !t.is_negative());
    time.and_then(|t| u64::try_from(t.as_nanos()).ok()).ok_or_else(|| {
        Error::new(Code::Usage, format!("invalid time {word:?}")).hint("numbers with h, m, s, ms: 1m30s")
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use ctr_core::json;

    #[test]
    fn flags_then_image_then_defaults() {
        let image = json!({"ctr": 1, "image": {"config": {"config": {"Healthcheck": {
            "Test": ["CMD", "true"], "Interval": 5 * SECOND, "Retries": 7}}}}});
        let mut doc = Document::from_value(image).unwrap();
        let flags = SuperviseFlags { health_timeout: Some("1m30s".to_owned()), ..SuperviseFlags::default() };
        complete_with(&mut doc, &flags, true, false, true).unwrap();
        let section: Supervise = doc.section("supervise").unwrap().unwrap();
        let check = section.health.unwrap();
        assert_eq!((check.interval, check.timeout, check.retries), (5 * SECOND, 90 * SECOND, 7));
        assert!(section.stdin && !section.remove);
        assert_eq!(section.log, LogLimits::default());
        // A second time it is the document that counts.
        let none = SuperviseFlags { no_healthcheck: true, ..SuperviseFlags::default() };
        complete_with(&mut doc, &none, true, false, false).unwrap();
        complete_with(&mut doc, &SuperviseFlags::default(), true, false, false).unwrap();
        assert_eq!(doc.section::<Supervise>("supervise").unwrap().unwrap().health, None);
    }

    #[test]
    fn what_is_no_time_is_refused() {
        assert_eq!(duration("500ms").unwrap(), SECOND / 2);
        for bad in ["", "5", "-1s", "soon"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }
}
