//! What crosses rooms, through real processes and real sockets on port 0.
//!
//! - `scripts`: rules in their worker processes
//! - `refusals`: every way to be turned away
//! - `cases`: inputs that must be refused, by number
//! - `callers`: how the current user is found, and what races and outages do to it
//! - `away`: the same before a tenant that hangs, fails or talks nonsense
//! - `resolution`: the same under attack and over time
//! - `keys`: rotation, floods and outages; `load`: the same at full length, when asked for
//! - `clients`: slow and broken ones, and the drain
//! - `doorway`: what the endpoint takes and refuses; `hostile`: documents and bodies made to hurt
//! - `sockets`: the protocol, what a connection can not use up, and what ends it
//! - `house`: the dev tenant with its rules and both doors together; `notes`: a team's own schemas in it
//! - `staff` and `people`: what the two schemas let them do, and what it costs; `updates`: what
//!   subscriptions tell; `deployments`: what is told of them; `schemas`: both as text; `reads`: what ends them
//! - `explaining`: what a door makes of a token, told
//! - `developer`: `dev`, `token` and `explain` together, on ports that were moved
//! - `process`: the executable as an operator meets it; `crashes`: it is killed, again and again; `imports`:
//!   so is an import of many; `disks`: full, read-only and damaged ones
//! - `floors`: who may import whom, as `docs/architecture.md` has it

// The attribute tells clippy that helpers are tests too.

#[cfg(test)]
mod stub;
#[cfg(test)]
mod socket;
#[cfg(test)]
mod yard;
#[cfg(test)]
mod house;
#[cfg(test)]
mod notes;
#[cfg(test)]
mod floors;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod cases;
#[cfg(test)]
mod callers;
#[cfg(test)]
mod away;
#[cfg(test)]
mod resolution;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod load;
#[cfg(test)]
mod clients;
#[cfg(test)]
mod explaining;
#[cfg(test)]
mod doorway;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod staff;
#[cfg(test)]
mod people;
#[cfg(test)]
mod deployments;
#[cfg(test)]
mod updates;
#[cfg(test)]
mod reads;
#[cfg(test)]
mod schemas;
#[cfg(test)]
mod sockets;
#[cfg(test)]
mod process;
#[cfg(test)]
mod developer;
#[cfg(test)]
mod operator;
#[cfg(test)]
mod server;
#[cfg(test)]
mod crashes;
#[cfg(test)]
mod imports;
#[cfg(test)]
mod disks;
#[cfg(test)]
mod scripts;
