//! Changes the limits of containers, running or not, and when they are started again.

use cg_limit::Limits;
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
    // Who starts it reads the record and writes it back.
    let _held = if container::live_state(id)?.is_some_and(|state| state.status != "restarting") {
        None
    } else {
        container::hold(id)?
    };
    let doc = container::recorded(id)?;
    if doc.is_partial() {
        return Err(Error::new(Code::Invalid, "it was never made whole").hint("ctr rm"));
    }
    let old = section::resources(&doc).and_then(Value::as_object).cloned().unwrap_or_default();
    let mut new = old.clone();
    limits.fill(&mut new)?;
    let mut changed = Changed { doc, settings: Vec::new() };
    if new != old {
        changed.limit(new)?;
    }
    let recorded = changed.record(id, restart);
    if recorded.is_err() {
        section::write_back(&changed.settings);
    }
    recorded?;
    events::emit("update", &changed.doc, &json!({}));
    Ok(())
}

/// A container whose limits are new in the kernel and not yet in the record.
struct Changed {
    doc: Document,
    /// What takes them back.
    settings: Vec<Setting>,
}

impl Changed {
    /// Sets the limits in the groups, if those are there; one that was not started since the machine was has none.
    fn limit(&mut self, resources: Map<String, Value>) -> Result<()> {
        let Some(before) = Cgroup::of(&self.doc)? else {
            return Err(Error::new(Code::Invalid, "it has no control group").hint("it was made without cg-limit"));
        };
        let groups = Groups::at(&before.path)?;
        let resources = Value::Object(resources);
        let settings = limits::settings(&Resources::read(Some(&resources))?, &groups)?;
        if groups.exist() {
            self.settings = section::change(&settings)?;
        }
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
