//! Bringing one blob into the store.

use ctr_core::{Code, Result, json, trace};
use ctr_registry::Session;
use ctr_store::{Digest, Store};
use std::io::Write;

/// Where blobs come from and where they go.
pub(crate) struct Source {
    pub session: Session,
    pub store: Store,
    pub repository: String,
}

impl Source {
    /// Fetches the blob unless the store has it. `moved` is told how many of its bytes are there.
    ///
    /// Waits where another process fetches the same blob; takes over what an interrupted one left.
    pub fn fetch(&self, digest: &Digest, size: u64, moved: &mut dyn FnMut(u64)) -> Result<()> {
        if self.store.has_blob(digest, size) {
            return Ok(());
        }
        let what = || json!({"digest": digest.as_str(), "size": size, "from": self.session.host()});
        trace::act("fetch", what, || {
            loop {
                let Some(mut ingest) = self.store.ingest(digest, size)? else { return Ok(()) };
                let resumed = ingest.offset() > 0;
                moved(ingest.offset());
                self.session.blob(&self.repository, digest, size, &mut ingest, moved)?;
                match ingest.commit() {
                    // What an earlier pull had left may have been at fault: it is gone now, the whole blob once more.
                    Err(e) if e.code == Code::Corrupt && resumed => {}
                    done => return done,
                }
            }
        })
    }

    /// Writes the blob `bytes` of `digest` unless the store has it.
    pub fn put(&self, digest: &Digest, bytes: &[u8]) -> Result<()> {
        if trace::dry_run() || self.store.has_blob(digest, bytes.len() as u64) {
            return Ok(());
        }
        let Some(mut ingest) = self.store.ingest(digest, bytes.len() as u64)? else { return Ok(()) };
        ingest.restart()?;
        ctr_core::Cannot::cannot(ingest.write_all(bytes), || format!("write blob {digest}"))?;
        ingest.commit()
    }
}
