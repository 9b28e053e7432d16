//! RealtimeSanitizer, when the test is built with it: the same cycle runs under it (every test of this binary
//! that steps a cycle does), and a seeded bug ends the process.

use std::process::Command;

/// Set for the child process that is to commit the seeded bug.
const SEEDED_BUG: &str = "MOTIOND_SEEDED_BUG";

#[rtsan_standalone::nonblocking]
fn allocates_where_it_must_not() {
    drop(std::hint::black_box(Box::new(5)));
}

#[test]
fn commits_the_seeded_bug_when_asked() {
    if std::env::var_os(SEEDED_BUG).is_some() {
        allocates_where_it_must_not();
    }
}

#[test]
fn a_seeded_allocation_in_the_cycle_ends_the_process() {
    if option_env!("RTSAN_ENABLE").is_none() {
        println!("NOT CHECKED: built without RealtimeSanitizer; `.ci/realtime-sanitizer` does it");
        return;
    }
    let output = Command::new(std::env::current_exe().expect("this test has a path"))
        .args(["--exact", "sanitizer::commits_the_seeded_bug_when_asked"])
        .env(SEEDED_BUG, "1")
        .output()
        .expect("this test can be run again");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "the seeded bug went unnoticed");
    assert!(said.contains("RealtimeSanitizer"), "ended by something else: {said}");
}
