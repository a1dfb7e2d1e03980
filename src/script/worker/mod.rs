//! The worker process: runs one login at a time, each in a fresh JavaScript runtime.
//!
//! It has one thread, no network, no files and no environment; the kernel enforces that. It exchanges frames on standard
//! input and output and exits when its host does, also while a script runs and when the host is killed.

mod engine;
mod host_functions;
mod pipe;
#[cfg(target_os = "linux")]
mod sandbox;

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::io;
use std::process::ExitCode;
use std::rc::Rc;

use rlimit::Resource;

use self::pipe::Pipe;
use super::ipc::{FromWorker, ToWorker, WorkerLimits};

/// Address space beyond the JavaScript heap, in bytes: for the executable, its stack and frames.
const EXTRA_SPACE: u64 = 256 * 1024 * 1024;

/// The hidden subcommand `script-worker`: runs logins from standard input until the host closes it. Fails silently when
/// its limits cannot be set or the host breaks the protocol.
pub fn worker_main() -> ExitCode {
    if serve(&Rc::new(Pipe::stdio())).is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn serve(pipe: &Rc<Pipe>) -> io::Result<()> {
    let Some(ToWorker::Start(limits)) = pipe.receive()? else {
        return Err(io::Error::other("the host did not start with Start"));
    };
    confine(limits)?;
    pipe.send(&FromWorker::Ready)?;
    // The rules' `global`, as JSON, kept between logins until the rules or the configuration change. As in Auth0's
    // containers, it is not shared between workers and can be lost at any time.
    let (mut global, mut global_owner) = (None, 0);
    while let Some(message) = pipe.receive()? {
        match message {
            ToWorker::Run(login) => {
                let owner = hash(&(&login.rules, &login.input.configuration));
                if owner != global_owner {
                    (global, global_owner) = (None, owner);
                }
                let (verdict, kept) = engine::run(pipe, *login, limits.heap_bytes, global.as_deref())?;
                global = kept.or(global);
                let is_spent = verdict.spends_worker();
                pipe.send(&FromWorker::Finished(verdict))?;
                if is_spent {
                    return Ok(());
                }
            }
            // The reply to a call that its login did not wait for.
            ToWorker::Reply(..) => {}
            ToWorker::Start(_) => return Err(io::Error::other("the host started twice")),
        }
    }
    Ok(())
}

/// Sets hard limits, which cannot be raised again.
fn confine(limits: WorkerLimits) -> io::Result<()> {
    for (resource, limit) in [
        (Resource::CORE, 0),
        (Resource::CPU, limits.cpu_seconds),
        (Resource::FSIZE, 0),
        // The three standard descriptors are open; without a fourth there is no file and no socket.
        (Resource::NOFILE, 3),
        (Resource::NPROC, 0),
    ] {
        resource.set(limit, limit)?;
    }
    // macOS refuses this one with EINVAL; there only the engine's own limit applies.
    if cfg!(target_os = "linux") {
        let space = limits.heap_bytes.saturating_add(EXTRA_SPACE);
        Resource::AS.set(space, space)?;
    }
    #[cfg(target_os = "linux")]
    sandbox::enter()?;
    Ok(())
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
