//! A container that this call is about to start: claimed, held, its spec complete; or taken back.

use crate::{NsSpawn, Rm, state, supervise, volumes};
use ctr_core::{
    Code, Document, Error, Lock, Map, Result, Rootfs, State, Tool, Value, container, ident, json, steps, trace,
};
use ctr_net::{Net, port};
use ctr_runtime::spec;
use oci_spec::runtime::Spec;

/// What this call began, and what was before it.
pub struct Begun {
    /// The container.
    pub id: String,
    /// Whether this call made it.
    pub claimed: bool,
    /// Held until its process has ended and the record says so: two of one container would write to one root.
    pub held: Option<Lock>,
    before: Map<String, Value>,
    /// The document is whole: what fails from here on is the start, which can be tried again.
    whole: bool,
}

impl Begun {
    /// Claims id and name where the document has none, and makes this the one process of the container.
    ///
    /// # Errors
    /// `busy` while it runs: then nothing was changed, and nothing is this call's to clean up.
    pub fn new(args: &mut NsSpawn, doc: &mut Document) -> Result<Self> {
        let claimed = container::claim_unless_there(doc, args.name.as_deref(), &args.labels)?;
        let id = container::checked_id(doc.str("id").unwrap_or_default())?.to_owned();
        let held = container::hold(&id)?;
        if !claimed {
            // Only now: nobody removes it from here on, nor renames it, and the document may be older than that.
            let record = container::whole(&id)?;
            if let Some(name) = record.str("name") {
                doc.set("name", &name)?;
            }
        }
        args.held = true;
        let mut begun = Self { id, claimed, held, before: Map::new(), whole: false };
        // Only now: of one that runs nothing changes.
        let made = if args.no_image_volumes { Ok(()) } else { volumes::make(doc) };
        let spec = made.and_then(|()| doc.object("spec").cloned());
        match spec {
            Ok(spec) => begun.before = spec,
            Err(e) => {
                begun.take_back(doc, &e);
                return Err(e);
            }
        }
        Ok(begun)
    }

    /// Completes the document's spec, what becomes of the container beside running, and the step.
    pub fn complete(&mut self, args: &mut NsSpawn, doc: &mut Document, rootfs: &Rootfs) -> Result<Spec> {
        args.complete(doc, rootfs, Some(&self.id))?;
        supervise::complete(doc, args)?;
        let spec = spec::read(doc.get("spec").unwrap_or(&Value::Null))?;
        if !doc.steps()?.iter().any(|step| step.tool == NsSpawn::NAME) {
            doc.push_step(NsSpawn::NAME, json!({"id": self.id, "claimed": self.claimed, "spec": self.before}));
        }
        self.whole = true;
        if args.rm == Some(Rm::Failed) {
            args.rm = None;
        }
        Ok(spec)
    }

    /// Has ports published again that are not by now: given back when it ended last, taken by another while its document was set
    /// aside, or without their proxy. Gives the lock by which others know of a start, to be held until its process is there.
    pub fn publish(&self, doc: &Document) -> Result<Option<Lock>> {
        let Some(net) = doc.section::<Net>("net")? else { return Ok(None) };
        if trace::dry_run() || port::are_published(&self.id, &net)? {
            return Ok(None);
        }
        let busy =
            || Error::new(Code::Busy, format!("container {} is being started or changed", ident::short(&self.id)));
        let held = container::try_hold_limits(&self.id)?.ok_or_else(busy)?;
        let mut doc = doc.clone();
        doc.set("state", &State { status: "running".to_owned(), ..State::default() })?;
        steps::repair("net-attach", &doc)?;
        Ok(Some(held))
    }

    /// Our own half of a failed add goes; the container that others began stays, and its record says why nothing runs.
    /// One that was whole, and only could not be started, keeps what it is to run, as docker's do.
    pub fn take_back(self, doc: &mut Document, error: &Error) {
        if trace::dry_run() {
            return;
        }
        let undone = if self.claimed {
            volumes::undo(doc);
            container::remove(&self.id)
        } else {
            let failed = state::failed(doc, self.whole, error.exit, &error.message);
            // One that does not run holds no port.
            failed.and_then(|()| container::forget_state(&self.id)).and(ctr_net::free_ports(&self.id))
        };
        if let Err(e) = undone {
            trace::warn(&format!("rollback: {e}"));
        }
    }
}
