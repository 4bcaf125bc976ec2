//! ns-spawn
