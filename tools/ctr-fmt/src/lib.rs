//! ctr-fmt
