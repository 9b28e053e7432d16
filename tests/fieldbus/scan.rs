//! Looking at a bus without knowing it, and at objects of one device, from the library and from the shell.

use std::process::{Command, Output};

use motiond::devices::objects;
use motiond::fieldbus::AlState;
use motiond::fieldbus::mailbox::MailboxProblem;
use motiond::fieldbus::scan::{ScanError, ScanOptions, scan, with_mailbox};
use motiond::simulator::{AlState as SimulatedState, Injection};

use crate::segment_link::{description, pump_on, segment};

#[test]
fn everything_on_the_bus_is_found_and_left_as_it_was() {
    let mut pump = pump_on(segment());
    let (devices, _) = scan(&mut pump, ScanOptions::default(), |_, _| {}).expect("a bus");
    assert_eq!(devices.len(), 8);
    for (device, expected) in devices.iter().zip(description().devices) {
        assert_eq!(device.identity, expected.device.identity);
        assert_eq!(device.clock.is_some(), expected.device.distributed_clock);
        assert_eq!(device.al.state, AlState::Init);
        assert!(device.problems.is_empty(), "{:?}", device.problems);
        assert!(device.ports[0].has_link && device.ports[0].is_open);
        assert_eq!(device.ports[1].has_link, device.position < 7);
        assert_eq!(device.sii.name, format!("device {}", device.position));
    }
    let delays: Vec<u32> = devices[..6].iter().filter_map(|device| Some(device.clock?.delay_ns)).collect();
    assert_eq!(delays[0], 0);
    assert!(delays.windows(2).all(|pair| pair[1] > pair[0]), "{delays:?}");
    assert_eq!(devices[2].names[0].as_deref(), Some("device 2"));
    let outputs = devices[2].pdos.iter().find(|pdo| pdo.assignment == 0x1C12).expect("outputs");
    assert_eq!((outputs.index, outputs.entries[0].index), (0x1600, objects::CONTROLWORD));
    // Digital terminal: no mailbox, its PDOs are in the SII.
    assert_eq!((devices[6].mailbox, devices[6].pdos.len()), (None, 0));
    assert!(devices[6].sii.pdos.iter().any(|pdo| pdo.is_output && pdo.entries.len() == 8));
    // Once more: nothing has changed.
    let (again, _) = scan(&mut pump, ScanOptions::default(), |_, _| {}).expect("a bus");
    assert!(again.iter().all(|device| device.al.state == AlState::Init));
}

#[test]
fn objects_are_read_and_written_without_a_daemon() {
    let mut pump = pump_on(segment());
    let write = with_mailbox(&mut pump, 1, false, async |client| {
        client.download(objects::FOLLOWING_ERROR_TIMEOUT, 0, &[77, 0]).await?;
        client.upload(objects::FOLLOWING_ERROR_TIMEOUT, 0).await
    });
    assert_eq!(write.expect("a drive").0, Ok(vec![77, 0]));
    let missing = with_mailbox(&mut pump, 1, false, async |client| client.upload(0x5FFF, 0).await);
    assert_eq!(missing.expect("a drive").0, Err(MailboxProblem::Aborted { code: 0x0602_0000 }));
    let nobody = with_mailbox(&mut pump, 8, false, async |client| client.upload(0x1018, 1).await);
    assert_eq!(nobody.map(drop), Err(ScanError::NoSuchDevice { position: 8, devices: 8 }));
    let terminal = with_mailbox(&mut pump, 6, false, async |client| client.upload(0x1018, 1).await);
    assert!(matches!(terminal.map(drop), Err(ScanError::NoMailbox { position: 6, .. })));
}

#[test]
fn a_bus_that_somebody_runs_is_left_alone() {
    let bus = motiond::fieldbus::bring_up(pump_on(segment()), &description());
    let mut bus = bus.unwrap_or_else(|failure| panic!("{}", failure.error));
    let link = std::mem::replace(bus.link_mut(), crate::segment_link::SegmentLink::new(segment()));
    let mut pump = motiond::fieldbus::FramePump::new(link, motiond::fieldbus::PumpSettings::SIMULATED);
    let refused = scan(&mut pump, ScanOptions::default(), |_, _| {}).map(drop);
    assert!(matches!(refused, Err(ScanError::InOperation { position: 0, .. })), "{refused:?}");
    let forced = ScanOptions { force: true, ..ScanOptions::default() };
    assert_eq!(scan(&mut pump, forced, |_, _| {}).expect("forced").0.len(), 8);
}

#[test]
fn a_device_that_refuses_pre_op_is_shown_with_its_reason() {
    let mut segment = segment();
    let refuse = Injection::RefuseState { device: 3, state: SimulatedState::PreOp, code: 0x0016 };
    segment.inject(refuse).expect("the device exists");
    let (devices, _) = scan(&mut pump_on(segment), ScanOptions::default(), |_, _| {}).expect("a bus");
    assert!(
        devices[3].problems.iter().any(|problem| problem.contains("0x0016")),
        "{:?}",
        devices[3].problems
    );
    assert!(devices[4].problems.is_empty() && !devices[4].pdos.is_empty());
}

fn motiond(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_motiond")).args(arguments).output().expect("the program runs")
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn the_shell_shows_the_simulated_bus_and_its_objects() {
    let shown = motiond(&["scan", "--simulated"]);
    assert!(shown.status.success());
    for part in ["8 devices", "vendor 0x4d4f5449", "outputs   0x1600: 6040:00/16", "clock     none"] {
        assert!(text(&shown).contains(part), "{part}: {}", text(&shown));
    }
    let json: serde_json::Value =
        serde_json::from_slice(&motiond(&["scan", "--simulated", "--json"]).stdout).expect("JSON");
    assert_eq!(json["devices"].as_array().map(Vec::len), Some(8));
    for (arguments, code, part) in [
        (&["sdo", "read", "--simulated", "0", "0x1008", "--type", "string"][..], 0, "drive-1"),
        (&["sdo", "read", "--simulated", "0", "0x1018:1"], 0, "1297044553"),
        (&["sdo", "read", "--simulated", "0", "5fff"], 1, "there is no such object"),
        (&["sdo", "write", "--simulated", "0", "6066", "30", "--type", "u16"], 0, "written"),
        (
            &["sdo", "write", "--simulated", "0", "6066", "70000", "--type", "u16"],
            1,
            "allowed for u16: 0 to 65535",
        ),
        (&["sdo", "write", "--simulated", "0", "0x1018:1", "1", "--type", "u32"], 1, "can only be read"),
        (&["sdo", "read", "--simulated", "9", "1018"], 1, "8 devices answer, counted from 0"),
        (&["sdo", "read", "0", "1018"], 4, "--interface"),
        (&["sdo", "read", "--simulated", "0", "position"], 2, "0x6064:00"),
    ] {
        let output = motiond(arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", text(&output));
        assert!(text(&output).contains(part), "{arguments:?}: {}", text(&output));
    }
}

#[test]
fn a_cell_file_written_from_the_bus_lacks_only_what_it_says() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let path = folder.path().join("cell.toml");
    let name = path.to_str().expect("a plain path");
    assert!(motiond(&["scan", "--simulated", "--write-cell", name]).status.success());
    let check = text(&motiond(&["check", name]));
    assert!(check.contains("unknown robot `FILL-IN`") && check.contains("gear_ratio"), "{check}");
    let written = std::fs::read_to_string(&path).expect("written");
    let filled: Vec<String> = written
        .lines()
        .map(|line| match line.split_once(" = ") {
            Some(("model", _)) => "model = \"six-axis-8kg\"".to_owned(),
            Some((key, value)) if value.starts_with('0') && key != "offset_counts" => format!("{key} = 16"),
            Some(_) | None => line.to_owned(),
        })
        .collect();
    std::fs::write(&path, filled.join("\n")).expect("written");
    let check = motiond(&["check", name]);
    // Data sets that are part of the program belong to cells that weld: nothing else is left to complain of.
    let left = text(&check);
    assert!(check.status.success() || (left.contains("1 mistake") && left.contains("[welding]")), "{left}");
    // Never over a file that is there.
    assert!(!motiond(&["scan", "--simulated", "--write-cell", name]).status.success());
}

#[test]
fn a_captured_scan_replays_to_the_same_words_and_answers_no_other_command() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("scan.pcapng");
    let name = file.to_str().expect("a name of text");
    let recorded = motiond(&["scan", "--simulated", "--json", "--capture", name]);
    assert!(recorded.status.success(), "{}", String::from_utf8_lossy(&recorded.stdout));
    let replayed = motiond(&["scan", "--replay", name, "--json"]);
    assert_eq!(String::from_utf8_lossy(&replayed.stdout), String::from_utf8_lossy(&recorded.stdout));
    assert!(!motiond(&["sdo", "read", "--replay", name, "0", "0x1018:1"]).status.success());
    std::fs::write(&file, "no recording").expect("the folder is there");
    let refused = motiond(&["scan", "--replay", name]);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && said.contains("pcapng"), "{said}");
}
