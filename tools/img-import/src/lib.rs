//! img-import
