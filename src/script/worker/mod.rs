//! The worker process: runs one set of scripts at a time, in JavaScript contexts that it keeps for the next run.
//!
//! It has one thread, no network, no files and no environment; the kernel enforces that. It exchanges frames on standard
//! input and output and exits when its host does, also while a script runs and when the host is killed.

mod pipe;
mod run_state;
mod host_functions;
mod native;
mod require;
mod engine;
mod rules;
mod actions;
#[cfg(target_os = "linux")]
mod sandbox;

use std::io;
use std::process::ExitCode;
use std::rc::Rc;

use rlimit::Resource;

use self::engine::Engine;
use self::pipe::Pipe;
use super::ipc::{FromWorker, Scripts, ToWorker, Verdict, WorkerLimits};

/// Address space beyond the JavaScript heap, in bytes: for the executable, its stack and frames.
const EXTRA_SPACE: u64 = 256 * 1024 * 1024;

/// The hidden subcommand `script-worker`: runs scripts from standard input until the host closes it. Fails silently when
/// its limits cannot be set or the host breaks the protocol.
pub fn worker_main() -> ExitCode {
    if serve(&Rc::new(Pipe::stdio())).is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn serve(pipe: &Rc<Pipe>) -> io::Result<()> {
    let Some(ToWorker::Start(limits)) = pipe.receive()? else {
        return Err(io::Error::other("the host did not start with Start"));
    };
    confine(limits)?;
    let mut engine = Engine::new(pipe, limits.heap_bytes);
    engine.tidy();
    pipe.send(&FromWorker::Ready)?;
    while let Some(message) = pipe.receive()? {
        match message {
            ToWorker::Run(run) => {
                if run.is_fresh {
                    engine.forget();
                }
                engine.begin(&run);
                let verdict = match run.scripts {
                    Scripts::Rules { rules, input } => rules::run(&mut engine, &rules, &input)?,
                    Scripts::Actions { input, cache } => actions::run(&mut engine, *input, cache)?,
                };
                let verdict = engine.finish(verdict);
                let is_spent = matches!(&verdict, Verdict::Denied { reason, .. } if reason.spends_worker());
                pipe.send(&FromWorker::Finished(verdict))?;
                if is_spent {
                    // Freeing a corrupted heap can hang or abort. The process exits next, which frees it.
                    std::mem::forget(engine);
                    return Ok(());
                }
                engine.tidy();
            }
            // The reply to a call that its run did not wait for.
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
