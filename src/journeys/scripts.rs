//! Scripts in their worker processes: the real binary, loopback only.
//!
//! `answers`: how a rule can answer, and what it finds around it. `actions` and `triggers`: what an action gets and may ask
//! for. `isolation`: what lasts from run to run. `hostile`, `hostile_actions`: what must be stopped. `fetches`: the way out.
//! `clients`: the packages that send requests. `modules`: what is built in. `packages`: what npm installed.
//! `workers`: the processes. `traces`: what scripts read and changed. `load`: what scripts cost. `fixtures`: the three rules that ship with the product.

mod actions;
mod answers;
mod clients;
mod corpus;
mod fetches;
mod fixtures;
mod hostile;
mod hostile_actions;
mod http_stub;
mod isolation;
mod load;
mod modules;
mod packages;
mod traces;
mod triggers;
mod workers;
mod script_host;
