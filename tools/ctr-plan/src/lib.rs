//! ctr-plan
