//! img-tag
