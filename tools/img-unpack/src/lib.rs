//! img-unpack
