//! The simulated segment as a process on a network interface.

use std::process::Command;

#[test]
fn an_interface_that_does_not_exist_is_named() {
    let output = Command::new(env!("CARGO_BIN_EXE_motiond"))
        .args(["simulate-bus", "--interface", "no-such-if0", "--drives", "1"])
        .output()
        .expect("the program runs");
    let said = String::from_utf8_lossy(&output.stderr);
    // Without the right to open raw sockets the kernel does not even look for the interface.
    let expected = if said.contains("not permitted") { 4 } else { 1 };
    assert_eq!(output.status.code(), Some(expected), "{said}");
    assert!(said.contains("no-such-if0") || said.contains("setcap"), "{said}");
}

#[test]
fn a_number_of_drives_that_no_segment_has_is_refused_with_the_range() {
    for (wrong, allowed) in [("0", "1..=32"), ("33", "1..=32")] {
        let output = Command::new(env!("CARGO_BIN_EXE_motiond"))
            .args(["simulate-bus", "--interface", "no-such-if0", "--drives", wrong])
            .output()
            .expect("the program runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(allowed), "{said}");
    }
}
