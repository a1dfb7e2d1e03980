//! Tests across modules, through real processes and real sockets on port 0. Each starts what it needs; none uses the
//! network.
//!
//! The request path:
//! - `refusals`: every refusal code with its status, headers and body
//! - `bad_inputs`: tokens and requests that must be refused, by the numbers in `src/auth`'s tables
//! - `callers`: how the current user is found, in races and outages too
//! - `delegation`: tokens bound to a key, and agents that act for a user
//! - `identities`: look-alike emails, returning erased users, stale profiles, blocks at Auth0
//! - `roles`: where they come from, and how users with roles are linked
//! - `outages`: an Auth0 that hangs, fails, limits us or returns nonsense
//! - `keys`: key rotation, floods of unknown keys, outages
//! - `load`: the same at full length (ignored by default)
//! - `clients`: slow and broken clients, and the drain
//! - `explain`: `vestibule explain`
//! - `explain_property`: it and the doors agree about random tokens, rows and settings
//!
//! The two APIs:
//! - `endpoint`: methods, media types, origins, hosts and limits
//! - `hostile`: documents and bodies that are meant to exhaust the server
//! - `fairness`: heavy documents beside other callers, and what one request may take
//! - `sockets`: subscriptions over WebSockets: the protocol, the limits, what closes a connection
//! - `reference`: the doors compared with `juniper_warp`
//! - `internal_api`, `public_api`: what the two schemas allow, and how many queries it costs
//! - `lists`: lists and queries resolved without juniper's futures, compared with juniper's own execution
//! - `subscriptions`: events of both schemas
//! - `deployments`: queries for deployments
//! - `webhooks`: who is heard, and what is answered
//! - `forge_deployments`: from a push to the tenant
//! - `forge_crashes`: the same with SIGKILL half-way
//! - `forge_kinds`: push hooks of GitHub and Gitea, and their statuses
//! - `forge_reads`: bundles at a commit, from a real repository over HTTP
//! - `interrupted_reads`: queries that time out or lose their client
//! - `schemas`: the SDL files in `schema/`
//!
//! The dev tenant and scripts:
//! - `login_flow`: the dev tenant, its rules and both doors
//! - `second_identity`: one person with two identities: linked by email, by staff, by a merge, unlinked
//! - `tenant_https`: the dev tenant's listeners, its certificate authority and its issuer
//! - `script_tests`: the test cases of scripts, and one login with its trace, on the command line
//! - `tenant_run`: the dev tenant alone, for the tests of a team
//! - `notes`: the same with the example's schemas
//! - `exported_bundle`: a bundle that is only a tenant's export, completed
//! - `developer`: the commands `dev`, `token` and `explain` together
//! - `deploys`: bundles deployed to a tenant: plan, apply, drift, rollback, and what goes wrong
//! - `deploy_modules`: action modules, and the actions that use them
//! - `deploy_crashes`: deployments that are killed half-way
//! - `actions`: rules and actions at each place where Auth0 runs them
//! - `scripts`: rules and actions in their worker processes
//! - `converting`: the commands `tenant convert` and `tenant types`
//!
//! The executable and its database:
//! - `process`: start, output, exit codes and shutdown
//! - `reload`: the line of a request in the log, and SIGHUP
//! - `operator`: the commands `users` and `audit`
//! - `syncs`: what is on the disk when a request is answered, and a disk that fails
//! - `crashes`, `imports`: SIGKILL during writes and during a large import
//! - `disks`: full, read-only and damaged disks
//!
//! The sources:
//! - `layers`: imports between modules, compared with `docs/architecture.md`
//!
//! Support: `test_server` (both doors and a stub of Auth0), `dev_server` (both doors and the dev tenant),
//! `executable` (commands and servers as processes), `auth0_stub`, `forge_stub`, `forge_target`, `running_tenant`, `tokens`, `socket` (a WebSocket client), `waiting`.

// For clippy: helpers are test code too.
#![cfg(test)]

mod auth0_stub;
mod dev_server;
mod executable;
mod forge_stub;
mod forge_target;
mod running_tenant;
mod socket;
mod target;
mod test_server;
mod tokens;
mod waiting;

mod actions;
mod bad_inputs;
mod callers;
mod clients;
mod converting;
mod crashes;
mod delegation;
mod deploy_crashes;
mod deploy_modules;
mod deployments;
mod deploys;
mod developer;
mod disks;
mod endpoint;
mod explain;
mod explain_property;
mod exported_bundle;
mod fairness;
mod forge_crashes;
mod forge_deployments;
mod forge_kinds;
mod forge_reads;
mod hostile;
mod identities;
mod imports;
mod syncs;
mod internal_api;
mod interrupted_reads;
mod keys;
mod layers;
mod lists;
mod load;
mod login_flow;
mod notes;
mod operator;
mod outages;
mod process;
mod public_api;
mod reference;
mod reload;
mod refusals;
mod roles;
mod schemas;
mod scripts;
mod second_identity;
mod sockets;
mod subscriptions;
mod tenant_https;
mod script_tests;
mod tenant_run;
mod tenant_state;
mod webhooks;
