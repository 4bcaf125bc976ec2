//! overlay-mount
