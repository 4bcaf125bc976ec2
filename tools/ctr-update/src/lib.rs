//! Changes the limits of containers, running or not, and when they are started again.

use cg_limit::{Limits, forget_uncounted_swap};
use clap::Args;
use ctr_cgroup::{
    Cgroup, Groups, Resources,
    limits::{self, Setting},
    section,
};
use ctr_core::{
    Code, Document, Error, Lock, Map, Policy, Restart, Result, Supervise, Value, container, each, events, json,
    print_line,
};

/// The tool's name.
pub const NAME: &str = "ctr-update";
/// The first line of its help.
pub const ABOUT: &str = "Change the limits of containers, running or not";

/// The arguments of ctr-update(1).
#[derive(Args, Debug)]
pub struct CtrUpdate {
    #[command(flatten)]
    limits: Limits,
    /// When to start it again: no, on-failure[:MAX], always, unless-stopped
    #[arg(long, value_name = "POLICY")]
    restart: Option<String>,
    /// Names, ids or beginnings of ids that no other container has
    #[arg(value_name = "CONTAINER", required = true)]
    containers: Vec<String>,
}

/// Changes each container and prints its name as it was given.
///
/// # Errors
/// The last failure, once all were tried; the earlier ones are printed. A container for which one limit cannot be set
/// has all of them as before, in the kernel and in its record.
pub fn run(args: CtrUpdate) -> Result<()> {
    let restart = args.restart.as_deref().map(Restart::parse).transpose()?;
    each(&args.containers, |word| {
        let id = container::find(word)?;
        let cannot = |e: Error| Error { message: format!("cannot update container {word}: {}", e.message), ..e };
        update(&id, &args.limits, restart).map_err(cannot)?;
        print_line(&word)
    })
}

fn update(id: &str, limits: &Limits, restart: Option<Restart>) -> Result<()> {
    // Two updates one after the other, kernel and record together.
    let _lock = container::hold_limits(id)?;
    // Whether it is started again is asked of the record, at its end: that may change whatever the container does.
    let asks = Changed::of(id)?.limits(limits)?.is_some();
    let _held = if asks { settled(id)? } else { None };
    let mut changed = Changed::of(id)?;
    if let Some((resources, swap_implied)) = changed.limits(limits)? {
        changed.limit(id, resources, swap_implied)?;
    }
    let recorded = changed.record(id, restart);
    if recorded.is_err() {
        section::write_back(&changed.settings);
    }
    recorded?;
    events::emit("update", &changed.doc, &json!({}));
    Ok(())
}

/// Keeps a container that does not run from being started meanwhile: its limits would be written by two.
fn settled(id: &str) -> Result<Option<Lock>> {
    if container::live_state(id)?.is_some() {
        return Ok(None);
    }
    match container::hold_ended(id) {
        // It was just being started.
        Err(_) if container::live_state(id)?.is_some() => Ok(None),
        held => held,
    }
}

/// A container whose limits are new in the kernel and not yet in the record.
struct Changed {
    doc: Document,
    /// What takes them back.
    settings: Vec<Setting>,
}

impl Changed {
    /// One that was made whole, as it is recorded.
    fn of(id: &str) -> Result<Self> {
        let doc = container::recorded(id)?;
        if doc.is_partial() {
            return Err(Error::new(Code::Invalid, "it was never made whole").hint("ctr rm"));
        }
        Ok(Self { doc, settings: Vec::new() })
    }

    /// `spec.linux.resources` with the limits, and whether that of swap is only implied; none where they have them already.
    fn limits(&self, limits: &Limits) -> Result<Option<(Map<String, Value>, bool)>> {
        let old = section::resources(&self.doc).and_then(Value::as_object).cloned().unwrap_or_default();
        let mut new = old.clone();
        let swap_implied = limits.fill(&mut new)?;
        Ok((new != old).then_some((new, swap_implied)))
    }

    /// Sets the limits in the groups that are there; one that was not started since the machine was has none.
    fn limit(&mut self, id: &str, mut resources: Map<String, Value>, swap_implied: bool) -> Result<()> {
        let Some(before) = Cgroup::of(&self.doc)? else {
            return Err(Error::new(Code::Invalid, "it has no control group").hint("it was made without cg-limit"));
        };
        let groups = Groups::at(&before.path)?;
        if swap_implied {
            forget_uncounted_swap(&mut resources, &groups);
        }
        let resources = Value::Object(resources);
        let settings = limits::settings(&Resources::read(Some(&resources))?, &groups)?;
        let (there, lacking): (Vec<Setting>, Vec<Setting>) = settings.iter().cloned().partition(|s| s.group.exists());
        if let Some(lacking) = lacking.first()
            && container::live_state(id)?.is_some_and(|state| container::is_alive(&state))
        {
            let group = lacking.group.dir();
            return Err(Error::new(Code::NotFound, format!("it runs, and has no control group {}", group.display())));
        }
        self.settings = section::change(&there, &before.limits)?;
        if let Some(linux) = self.doc.object("spec")?.get_mut("linux").and_then(Value::as_object_mut) {
            linux.insert("resources".to_owned(), resources);
        }
        self.doc.set("cgroup", &Cgroup::new(&before.path, &groups, &settings))
    }

    /// Writes the record; of one that is changed meanwhile, by a rename, nothing is lost.
    fn record(&mut self, id: &str, restart: Option<Restart>) -> Result<()> {
        let _lock = Lock::store()?;
        let mut record = container::recorded(id)?;
        let limited = self.doc.clone();
        for key in ["cgroup", "spec"] {
            if let Some(value) = limited.get(key) {
                record.set(key, value)?;
            }
        }
        if let Some(restart) = restart {
            let mut supervise: Supervise = record.section("supervise")?.unwrap_or_default();
            if supervise.remove && restart.policy != Policy::No {
                return Err(Error::new(Code::Usage, "a container that is to be removed cannot be started again"));
            }
            supervise.restart = restart;
            record.set("supervise", &supervise)?;
        }
        container::save(&record)?;
        self.doc = record;
        Ok(())
    }
}
