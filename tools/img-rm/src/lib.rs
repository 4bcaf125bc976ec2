//! img-rm
