//! The worker process: one login after the other, in a fresh JavaScript runtime each.
//!
//! It has one thread, no network, no files and no environment; the kernel holds it to that. It speaks frames on its
//! standard input and output and ends when its host does.

mod engine;

mod host_functions;

mod pipe;

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::io;
use std::process::ExitCode;
use std::rc::Rc;

use rlimit::Resource;

use self::pipe::Link;
use super::ipc::{FromWorker, Limits, Run, ToWorker};

/// Address space beyond the JavaScript heap: the executable, its stack, and frames under way.
const ROOM: u64 = 256 * 1024 * 1024;

/// The body of the hidden subcommand `script-worker`: serves logins on standard input and output until the host closes
/// them. Not for people. Fails, without a word, when its limits can not be set or the host does not speak its language.
pub fn worker_main() -> ExitCode {
    match serve(&Rc::new(Link::stdio())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// The rules' `global`, kept from one login to the next as JSON, as long as rules and configuration stay the same.
/// Auth0 keeps it per container in the same way: it can be gone at any time and is not shared between workers.
#[derive(Default)]
struct Global {
    of: u64,
    json: Option<String>,
}

fn serve(link: &Rc<Link>) -> io::Result<()> {
    let Some(ToWorker::Start(limits)) = link.receive()? else {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the host did not start with Start"));
    };
    confine(limits)?;
    link.send(&FromWorker::Ready)?;
    let mut global = Global::default();
    while let Some(message) = link.receive()? {
        match message {
            ToWorker::Run(run) => {
                global = global.for_run(&run);
                let ended = engine::run(link, *run, limits.heap_bytes, global.json.as_deref())?;
                if let Some(json) = ended.global {
                    global.json = Some(json);
                }
                link.send(&FromWorker::End(ended.verdict))?;
                if ended.spent {
                    return Ok(());
                }
            }
            // The answer to a call of a login that did not wait for it.
            ToWorker::Reply(_) => {}
            ToWorker::Start(_) => {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "the host started twice"));
            }
        }
    }
    Ok(())
}

/// Gives up what a script has no business with, for good: hard limits can not be raised again.
fn confine(limits: Limits) -> io::Result<()> {
    let space = limits.heap_bytes.saturating_add(ROOM);
    let mut all = vec![
        (Resource::CORE, 0),
        (Resource::CPU, limits.cpu_seconds),
        (Resource::FSIZE, 0),
        // Three are open, since the host leaves it no other; there is no fourth, so no file and no socket.
        (Resource::NOFILE, 3),
        (Resource::NPROC, 0),
    ];
    // macOS answers this one with EINVAL. There the engine's own limit stands alone.
    if cfg!(target_os = "linux") {
        all.push((Resource::AS, space));
    }
    for (resource, limit) in all {
        resource.set(limit, limit)?;
    }
    Ok(())
}

impl Global {
    fn for_run(self, run: &Run) -> Self {
        let mut hasher = DefaultHasher::new();
        run.rules.hash(&mut hasher);
        run.configuration.hash(&mut hasher);
        let of = hasher.finish();
        if of == self.of { self } else { Self { of, json: None } }
    }
}
