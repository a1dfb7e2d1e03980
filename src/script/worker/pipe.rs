//! The worker's end of the pipes to its host.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io::{self, BufReader, Stdin, Stdout};

use serde_json::Value;

use super::super::ipc::{self, Call, CallError, FromWorker, ToWorker};

/// Reads and writes frames. Blocking: while it waits for its host, a worker has nothing else to do.
pub(super) struct Pipe {
    input: RefCell<BufReader<Stdin>>,
    output: RefCell<Stdout>,
    last_call: Cell<u64>,
    /// Frames that arrived while [`Pipe::ask`] waited for another.
    early: RefCell<VecDeque<ToWorker>>,
}

impl Pipe {
    pub(super) fn stdio() -> Self {
        let (input, output) = (RefCell::new(BufReader::new(io::stdin())), RefCell::new(io::stdout()));
        Self { input, output, last_call: Cell::new(0), early: RefCell::default() }
    }

    /// The host's next frame; `None` when the host has closed the pipe.
    pub(super) fn receive(&self) -> io::Result<Option<ToWorker>> {
        let early = self.early.borrow_mut().pop_front();
        early.map_or_else(|| ipc::read(&mut *self.input.borrow_mut()), |frame| Ok(Some(frame)))
    }

    /// Sends a call and waits for its reply. Frames before it are kept for [`Pipe::receive`].
    pub(super) fn ask(&self, call: Call) -> io::Result<Result<Value, CallError>> {
        let id = self.call(call)?;
        loop {
            match ipc::read(&mut *self.input.borrow_mut())? {
                Some(ToWorker::Reply(reply, result)) if reply == id => return Ok(result),
                Some(frame) => self.early.borrow_mut().push_back(frame),
                None => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
        }
    }

    pub(super) fn send(&self, message: &FromWorker) -> io::Result<()> {
        ipc::write(&mut *self.output.borrow_mut(), message)
    }

    /// Sends a call to the host. The reply carries the id returned here.
    pub(super) fn call(&self, call: Call) -> io::Result<u64> {
        let id = self.last_call.get() + 1;
        self.last_call.set(id);
        self.send(&FromWorker::Call(id, call))?;
        Ok(id)
    }
}
