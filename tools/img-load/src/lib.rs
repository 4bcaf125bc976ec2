//! img-load
