//! img-pull
