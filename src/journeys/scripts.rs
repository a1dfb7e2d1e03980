//! Rules in their worker processes: the real binary, loopback only.
//!
//! `answers`: how a rule can answer, and what it finds around it. `hostile`: what must be stopped. `fetches`: the way
//! out. `workers`: the processes. `fixtures`: the three rules that ship with the product.

mod actions;
mod answers;
mod fetches;
mod fixtures;
mod hostile;
mod http_stub;
mod isolation;
mod triggers;
mod workers;
mod script_host;
