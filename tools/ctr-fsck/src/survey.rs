//! The whole look: each part by itself, short locks only.

use crate::{
    bytes::{self, Layers},
    finding::Finding,
    images::Images,
    leftovers, records, strays,
};
use ctr_core::{Result, paths};
use ctr_store::Store;
use serde::Serialize;

/// What was looked at.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Checked {
    pub(crate) images: usize,
    pub(crate) blobs: usize,
    pub(crate) bytes: u64,
    pub(crate) layers: usize,
    pub(crate) containers: usize,
}

/// What was looked at and what was found.
#[derive(Default)]
pub(crate) struct Survey {
    pub(crate) findings: Vec<Finding>,
    pub(crate) checked: Checked,
}

impl Survey {
    /// Looks at everything; with `quick` not at the bytes of blobs and the trees of layers. What may be another's work of this
    /// very moment is a finding only with `all`: to repair it is harmless.
    pub(crate) fn take(quick: bool, all: bool) -> Result<Self> {
        let mut survey = Self::default();
        let (mut is_whole, mut layers) = (true, Layers::new());
        if paths::images().exists() {
            let store = Store::open()?;
            let images = Images::read(&store)?;
            survey.checked.images = images.count;
            let mut blobs = bytes::blobs(&store, quick, &images, &mut survey.checked);
            survey.findings.append(&mut blobs);
            (is_whole, layers) = (images.is_whole, images.layers);
            survey.findings.extend(images.findings);
        }
        records::add_blobs(&mut layers)?;
        survey.findings.extend(bytes::trees(quick, all, &layers, &mut survey.checked)?);
        is_whole &= records::look(&mut survey)?;
        // What is torn besides was named already.
        let known = |new: &Finding| survey.findings.iter().any(|f| f.kind == new.kind && f.name == new.name);
        let left: Vec<_> = leftovers::look(all, is_whole)?.into_iter().filter(|new| !known(new)).collect();
        survey.findings.extend(left);
        survey.findings.extend(strays::look());
        Ok(survey)
    }
}
