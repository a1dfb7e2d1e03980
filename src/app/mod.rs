//! The program as a value: handles opened, listeners bound, drained at the end.
//!
//! Owns the wiring of rooms and the life of a server. Leans on all rooms below. Never parses arguments, never prints.

mod listen;
mod vestibule;
mod doors;
mod blocks;
mod dev;
mod development;
mod post_sink;
mod explain;

pub use self::vestibule::Vestibule;
/// Why trusted documents can not be had.
pub use crate::api::ManifestError;
pub use dev::DevTenant;
pub use development::Development;
pub use doors::{Doors, trusted};
pub use explain::explain;
pub use listen::Listener;
pub use post_sink::PostSink;
