//! System calls outside the list are refused and counted; those of the cycle go through.

use std::thread;

use motiond::platform::clock;
use motiond::platform::system_call_filter::{forbidden_system_calls, install, last_forbidden_system_call};
use motiond::units::Nanoseconds;

use crate::take_turn;

/// Runs `work` in a filtered thread; returns its result and the number of refused calls.
fn in_filtered_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> (T, u64) {
    thread::spawn(|| {
        install().expect("this kernel has seccomp");
        let before = forbidden_system_calls();
        let result = work();
        (result, forbidden_system_calls() - before)
    })
    .join()
    .expect("the filtered thread ends")
}

#[test]
fn the_clock_and_sleeping_are_allowed() {
    let _turn = take_turn();
    let (slept, refused) = in_filtered_thread(|| {
        let begin = clock::now();
        clock::sleep_until(begin.plus(Nanoseconds(1_000_000)));
        clock::now().since(begin)
    });
    assert!(slept >= Nanoseconds(1_000_000));
    assert_eq!(refused, 0, "last refused: {:?}", last_forbidden_system_call());
}

#[test]
fn sending_and_receiving_are_allowed() {
    let _turn = take_turn();
    let (near, far) = rustix::net::socketpair(
        rustix::net::AddressFamily::UNIX,
        rustix::net::SocketType::DGRAM,
        rustix::net::SocketFlags::NONBLOCK,
        None,
    )
    .expect("a socket pair");
    // The sockets are closed outside: closing is not on the list.
    let ((received, _sockets), refused) = in_filtered_thread(move || {
        use rustix::event::{PollFd, PollFlags, poll};
        let exchange = || {
            rustix::net::send(&near, b"frame", rustix::net::SendFlags::DONTWAIT)?;
            poll(&mut [PollFd::new(&far, PollFlags::IN)], Some(&clock::timespec(Nanoseconds(1_000_000))))?;
            let mut buffer = [0_u8; 16];
            rustix::net::recv(&far, &mut buffer, rustix::net::RecvFlags::DONTWAIT).map(|(length, _)| length)
        };
        (exchange(), (near, far))
    });
    assert_eq!((received, refused), (Ok(5), 0));
}

#[test]
fn opening_a_file_is_refused_counted_and_named_and_the_thread_goes_on() {
    let _turn = take_turn();
    let ((error, last), refused) = in_filtered_thread(|| {
        let error = std::fs::File::open("/dev/null").err().and_then(|error| error.raw_os_error());
        (error, last_forbidden_system_call())
    });
    assert_eq!(error, Some(libc::ENOSYS));
    assert_eq!(last, Some(libc::SYS_openat));
    assert_eq!(refused, 1);
}

#[test]
fn waiting_for_a_lock_is_refused_and_counted() {
    let _turn = take_turn();
    let ((), refused) = in_filtered_thread(|| {
        // What a lock does when somebody else has it: a futex wait, here with a time limit.
        thread::park_timeout(std::time::Duration::from_millis(1));
    });
    assert!(refused >= 1);
}

#[test]
fn threads_without_the_filter_are_not_affected() {
    let _turn = take_turn();
    let ((), _) = in_filtered_thread(|| {});
    let before = forbidden_system_calls();
    assert!(std::fs::File::open("/dev/null").is_ok());
    assert_eq!(forbidden_system_calls(), before);
}

/// Memory is given back under the allocator's lock, at the end of a thread too. Refusing to wait for it must not end
/// the process, whoever holds it.
#[test]
fn a_filtered_thread_gives_memory_back_while_another_does() {
    let _turn = take_turn();
    for _ in 0..20 {
        // Blocks of one arena, too large for what a thread keeps for itself.
        let blocks = || (0..3000).map(|_| vec![0_u8; 2000]).collect::<Vec<_>>();
        let (one, other) = (blocks(), blocks());
        let unfiltered = thread::spawn(move || drop(one));
        in_filtered_thread(move || drop(other));
        unfiltered.join().expect("the other thread ends");
    }
}
