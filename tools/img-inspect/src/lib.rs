//! img-inspect
