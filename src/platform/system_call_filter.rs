//! A list of the system calls the real-time thread may make. Any other is refused with `ENOSYS`, counted
//! and remembered by number: in production it shows that the cycle did something it must not, in tests it
//! is the proof that it does not.
//!
//! Waiting for a lock (futex) is refused with `EAGAIN`: whoever waits looks again, and goes on when the lock is
//! free. With `ENOSYS` the C library ends the process, and a thread that ends gives its memory back under a lock that
//! another may hold. Waking is allowed for the same reason: a waiter would never hear of the lock otherwise.
//!
//! The filter belongs to the calling thread and cannot be taken off again. It is set after bring-up and
//! before the first cycle.

#![expect(unsafe_code, reason = "installing a signal handler and changing its return value")]

use std::collections::BTreeMap;
use std::ffi::{c_int, c_void};
use std::fmt;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch, apply_filter,
};

use super::clock;

static FORBIDDEN: AtomicU64 = AtomicU64::new(0);
static LAST_FORBIDDEN: AtomicI64 = AtomicI64::new(-1);

/// Number of system calls refused so far, in all filtered threads of this process.
#[must_use]
pub fn forbidden_system_calls() -> u64 {
    FORBIDDEN.load(Ordering::Relaxed)
}

/// Number (of this machine's architecture) of the last refused system call.
#[must_use]
pub fn last_forbidden_system_call() -> Option<i64> {
    Some(LAST_FORBIDDEN.load(Ordering::Relaxed)).filter(|number| *number >= 0)
}

/// Why the filter could not be set.
#[derive(Debug)]
pub enum FilterError {
    /// The signal handler could not be installed.
    Handler(std::io::Error),
    /// The filter could not be built for this architecture, or the kernel refused it.
    Filter(String),
}

impl std::error::Error for FilterError {}

impl fmt::Display for FilterError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Handler(error) => write!(formatter, "the handler for refused system calls: {error}"),
            Self::Filter(text) => write!(formatter, "the system-call filter: {text}"),
        }
    }
}

/// What the cycle needs: the clock, sleeping, sending, receiving, returning from a signal. And what a
/// thread needs to end: the memory calls that give memory back are part of it.
fn allowed() -> impl Iterator<Item = i64> {
    let common = [
        libc::SYS_clock_gettime,
        libc::SYS_clock_nanosleep,
        libc::SYS_sendto,
        libc::SYS_recvfrom,
        libc::SYS_sendmsg,
        libc::SYS_recvmsg,
        libc::SYS_ppoll,
        libc::SYS_restart_syscall,
        libc::SYS_rt_sigreturn,
        libc::SYS_rt_sigprocmask,
        libc::SYS_sigaltstack,
        libc::SYS_madvise,
        libc::SYS_munmap,
        libc::SYS_exit,
        libc::SYS_exit_group,
    ];
    #[cfg(target_arch = "x86_64")]
    let of_architecture = [libc::SYS_poll];
    #[cfg(not(target_arch = "x86_64"))]
    let of_architecture = [];
    common.into_iter().chain(of_architecture)
}

/// Filters the calling thread from now on.
///
/// # Errors
/// The kernel has no seccomp, or refused; the thread then goes on unfiltered.
pub fn install() -> Result<(), FilterError> {
    // The first reading of the clock in a process looks for the vDSO in files.
    let _first = clock::now();
    install_handler().map_err(FilterError::Handler)?;
    let text = |error: &dyn fmt::Display| FilterError::Filter(error.to_string());
    let architecture = TargetArch::try_from(std::env::consts::ARCH).map_err(|error| text(&error))?;
    // An empty list of conditions: allowed with any arguments.
    let mut rules: BTreeMap<i64, _> = allowed().map(|number| (number, Vec::new())).collect();
    let wakes = u64::from((libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG).cast_unsigned());
    let waking = SeccompCondition::new(1, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, wakes)
        .and_then(|operation| SeccompRule::new(vec![operation]))
        .map_err(|error| text(&error))?;
    rules.insert(libc::SYS_futex, vec![waking]);
    let filter = SeccompFilter::new(rules, SeccompAction::Trap, SeccompAction::Allow, architecture)
        .map_err(|error| text(&error))?;
    let program = BpfProgram::try_from(filter).map_err(|error| text(&error))?;
    apply_filter(&program).map_err(|error| text(&error))
}

fn install_handler() -> std::io::Result<()> {
    let action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: an all-zero `sigaction` is valid: no flags, empty mask, default handler.
    let mut action = unsafe { action.assume_init() };
    // SAFETY: the pointer is to the mask of a live `sigaction`.
    let emptied = unsafe { libc::sigemptyset(&raw mut action.sa_mask) };
    if emptied != 0 {
        return Err(std::io::Error::last_os_error());
    }
    let handler: extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) = on_refused;
    action.sa_sigaction = handler as usize;
    action.sa_flags = libc::SA_SIGINFO | libc::SA_NODEFER;
    // SAFETY: `action` is initialised, its handler has the signature `SA_SIGINFO` asks for and touches
    // only atomics and the context it is given; the old action is not wanted.
    let result = unsafe { libc::sigaction(libc::SIGSYS, &raw const action, ptr::null_mut()) };
    if result == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}

/// The error a refused call gets.
const fn refusal(number: i64) -> c_int {
    if number == libc::SYS_futex { libc::EAGAIN } else { libc::ENOSYS }
}

/// Runs on the thread that made the refused call, in its place.
extern "C" fn on_refused(_signal: c_int, _information: *mut libc::siginfo_t, context: *mut c_void) {
    FORBIDDEN.fetch_add(1, Ordering::Relaxed);
    if context.is_null() {
        return;
    }
    let context = context.cast::<libc::ucontext_t>();
    // SAFETY: with `SA_SIGINFO` the kernel passes a valid `ucontext_t` that lives until the handler
    // returns, and nobody else has a reference to it.
    let context = unsafe { &mut *context };
    // The registers are as at the call: the number of the call is where its result will be expected, or
    // next to it.
    #[cfg(target_arch = "x86_64")]
    {
        let result = usize::try_from(libc::REG_RAX).unwrap_or(usize::MAX);
        if let Some(result) = context.uc_mcontext.gregs.get_mut(result) {
            LAST_FORBIDDEN.store(*result, Ordering::Relaxed);
            *result = -i64::from(refusal(*result));
        }
    }
    #[cfg(target_arch = "aarch64")]
    {
        if let [result, .., number] = &mut context.uc_mcontext.regs[..=8] {
            LAST_FORBIDDEN.store(number.cast_signed(), Ordering::Relaxed);
            *result = (-i64::from(refusal(number.cast_signed()))).cast_unsigned();
        }
    }
}
