//! What only Linux has: the worker is killed with its host, gains no privileges, and keeps the few system calls it needs.

use std::io;

use rustix::process::{Signal, set_parent_process_death_signal};
use rustix::thread::set_no_new_privs;
use seccompiler::{SeccompAction, SeccompFilter, TargetArch};

/// The system calls of a JavaScript engine without threads, files or network: memory, time, randomness, the open pipes, and
/// the end of the process. Any other fails with EPERM.
const CALLS: [libc::c_long; 37] = [
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_close,
    libc::SYS_fstat,
    libc::SYS_lseek,
    libc::SYS_ppoll,
    libc::SYS_brk,
    libc::SYS_mmap,
    libc::SYS_mremap,
    libc::SYS_munmap,
    libc::SYS_mprotect,
    libc::SYS_madvise,
    libc::SYS_futex,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_getrandom,
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_gettimeofday,
    libc::SYS_getrusage,
    libc::SYS_prlimit64,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    libc::SYS_tgkill,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_rseq,
    libc::SYS_set_robust_list,
];

/// Enters the sandbox for good. A kernel without seccomp gives the worker its limits only.
pub(super) fn enter() -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // If the host died before that, the next read finds its pipe closed.
    set_no_new_privs(true)?;
    let Ok(arch) = TargetArch::try_from(std::env::consts::ARCH) else { return Ok(()) };
    let rules = CALLS.into_iter().map(|call| (call, Vec::new())).collect();
    let denied = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    let filter = SeccompFilter::new(rules, denied, SeccompAction::Allow, arch).and_then(TryInto::try_into);
    let program: seccompiler::BpfProgram = filter.map_err(io::Error::other)?;
    drop(seccompiler::apply_filter(&program));
    Ok(())
}
