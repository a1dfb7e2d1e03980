//! Tests across modules, through real processes and real sockets on port 0. Each starts what it needs; none uses the
//! network.
//!
//! The request path:
//! - `refusals`: every refusal code, its status and its body
//! - `cases`: the numbered inputs that must be refused
//! - `callers`: how the current user is found, and what happens in races and outages
//! - `resolution`: the same under attack and over time
//! - `away`: the same while Auth0 hangs, fails or returns nonsense
//! - `keys`: key rotation, floods of unknown keys, outages
//! - `load`: the same at full length (ignored by default)
//! - `clients`: slow and broken clients, and the drain
//! - `explaining`: `vestibule explain`
//!
//! The two APIs:
//! - `doorway`: methods, media types, origins, hosts and limits of the endpoint
//! - `hostile`: documents and bodies meant to exhaust the server
//! - `sockets`: subscriptions over WebSockets: the protocol, the limits, what closes a connection
//! - `staff`, `people`: what the internal and the public schema allow, and what it costs
//! - `updates`, `deployments`: subscriptions and queries for user changes and deployments
//! - `reads`: what ends a running query
//! - `schemas`: the SDL files in `schema/`
//! - `reference`: the doors compared with `juniper_warp`, the stock filter, over the same schemas
//!
//! The dev tenant and scripts:
//! - `login_flow`: the dev tenant, its rules and both doors
//! - `notes`: the same with an embedding team's own schemas
//! - `developer`: the commands `dev`, `token` and `explain` together
//! - `scripts`: rules in their worker processes
//!
//! The executable and its database:
//! - `process`: start, exit codes and shutdown
//! - `operator`: the commands `users` and `audit`
//! - `crashes`, `imports`: SIGKILL during writes and during a large import
//! - `disks`: full, read-only and damaged disks
//!
//! The sources:
//! - `layers`: imports between modules, compared with `docs/architecture.md`, and import cycles between files
//!
//! Support: `test_server` (both doors and a stub of Auth0), `dev_server` (both doors and the dev tenant),
//! `executable` (commands and servers as processes), `auth0_stub`, `tokens`, `socket` (a WebSocket client), `waiting`.

// Tells clippy that helpers are test code too.
#![cfg(test)]

mod auth0_stub;
mod dev_server;
mod executable;
mod socket;
mod test_server;
mod tokens;
mod waiting;

mod away;
mod callers;
mod cases;
mod clients;
mod crashes;
mod deployments;
mod developer;
mod disks;
mod doorway;
mod explaining;
mod hostile;
mod imports;
mod keys;
mod layers;
mod load;
mod login_flow;
mod notes;
mod operator;
mod people;
mod process;
mod reads;
mod reference;
mod refusals;
mod resolution;
mod schemas;
mod scripts;
mod sockets;
mod staff;
mod updates;
