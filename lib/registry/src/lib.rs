//! Client of the OCI distribution specification: what pulling needs today and pushing will.
//!
//! A [`Session`] speaks to one registry: it knows by which scheme, proves who it is, follows redirects
//! without showing that to others, and says which failures are worth another try.

mod auth;
mod blob;
mod challenge;
mod credentials;
mod failure;
mod host;
mod manifest;
mod retry;
mod session;
mod tls;
mod token;
mod transport;

pub use challenge::Challenge;
pub use credentials::{Credentials, Secret};
pub use manifest::{Kind, Manifest};
pub use session::{Access, Notice, Options, Session};
