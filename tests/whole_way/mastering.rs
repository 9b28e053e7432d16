//! Where the joints are, over starts of the daemon: the arm stands where the test has put it, the record says where
//! it was left.

use std::io;

use motiond::cli::assembly::Assembly;
use motiond::config::cell::WithoutRecord;
use motiond::jobs::files::{Files, MemoryFiles};
use motiond::machine::MachineState;
use serde_json::{Value, json};

use crate::client::{Client, SAMPLE};

fn assembly() -> Assembly {
    Assembly::load(None).unwrap()
}

/// The cell with joint 2 of the standing arm turned by so many degrees.
fn moved(degrees: f64) -> Assembly {
    let mut assembly = assembly();
    let joints = &mut assembly.cell.simulation.start_joints;
    let at = joints.get(1) + degrees.to_radians();
    joints.set(1, at);
    assembly
}

fn start(assembly: &Assembly, record: &MemoryFiles) -> Client {
    Client::with_record(assembly, "", 1, record.clone())
}

fn trust(client: &mut Client) -> Value {
    client.call("master.status", json!({})).unwrap()
}

fn reasons(client: &mut Client) -> Vec<Option<String>> {
    let status = trust(client);
    status["joints"]
        .as_array()
        .unwrap()
        .iter()
        .map(|joint| joint["reason"].as_str().map(str::to_owned))
        .collect()
}

/// Carries a command out and returns how it ended.
fn done(client: &mut Client, method: &str, mut params: Value) -> Result<(), Value> {
    params["epoch"] = json!(client.epoch);
    let accepted = client.call(method, params)?;
    client.cycles(3);
    let id = &accepted["command_id"];
    let event = client.events.iter().find(|event| event["command_id"] == *id).expect("told").clone();
    if event["kind"] == "command_done" { Ok(()) } else { Err(event["error"].clone()) }
}

fn acknowledge(client: &mut Client) {
    done(client, "reset", json!({})).unwrap();
}

fn start_is_refused(client: &mut Client, joint: &str) {
    let job = client.put(SAMPLE).unwrap();
    let error = client.start(&job).unwrap_err();
    assert_eq!(error["data"]["code"], "E7110", "{error}");
    assert_eq!(error["data"]["where"], joint, "{error}");
}

fn joint_deg(client: &mut Client, joint: usize) -> f64 {
    client.call("status", json!({})).unwrap()["joints_deg"][joint - 1].as_f64().unwrap()
}

#[test]
fn an_arm_found_where_it_was_left_goes_on_and_one_found_elsewhere_does_not() {
    let record = MemoryFiles::default();
    assert_eq!(reasons(&mut start(&assembly(), &record)), [const { None }; 6]);

    // A little: brakes give.
    let mut client = start(&moved(0.4), &record.after_power_cut(false));
    assert_eq!(reasons(&mut client), [const { None }; 6]);
    client.welding_job();

    // More than that.
    let mut client = start(&moved(5.0), &record.after_power_cut(false));
    let fault = client.events.iter().find(|event| event["kind"] == "fault").unwrap().clone();
    assert_eq!((&fault["code"], &fault["where"]), (&json!("E2008"), &json!("joint 2")), "{fault}");
    assert_eq!((&fault["value"], &fault["limit"]), (&json!("5.000 °"), &json!("0.500 °")), "{fault}");
    assert!(fault["detail"].as_str().unwrap().contains("joint 2: it is further"), "{fault}");
    assert!(client.command("enable").is_err(), "not before it is acknowledged");
    acknowledge(&mut client);
    client.enable();
    start_is_refused(&mut client, "joint 2");
    assert_eq!(client.call("status", json!({})).unwrap()["untrusted_joints"], json!([2]));

    // Confirmed, with the drives on.
    let before = joint_deg(&mut client, 2);
    done(&mut client, "master.accept", json!({})).unwrap();
    assert!((joint_deg(&mut client, 2) - before).abs() < 1e-3);
    let job = client.put(SAMPLE).unwrap();
    client.start(&job).unwrap();
    client.until(MachineState::Executing);
}

#[test]
fn what_is_not_relied_on_stays_so_over_any_number_of_starts() {
    let record = MemoryFiles::default();
    start(&assembly(), &record);
    start(&moved(5.0), &record);
    // The arm has not moved since; the record says so, and that nobody has confirmed it.
    let record = record.after_power_cut(false);
    let mut client = start(&moved(5.0), &record);
    assert_eq!(reasons(&mut client)[1].as_deref(), Some("moved"));
    acknowledge(&mut client);
    done(&mut client, "master.accept", json!({"joint": 2})).unwrap();
    let mut client = start(&moved(5.0), &record.after_power_cut(false));
    assert_eq!(reasons(&mut client), [const { None }; 6]);
}

#[test]
fn a_joint_is_where_it_was_mastered_also_after_the_next_start() {
    let record = MemoryFiles::default();
    let mut client = start(&assembly(), &record);
    client.enable();
    let others = [1, 3, 4, 5, 6].map(|joint| joint_deg(&mut client, joint));
    let targets: Vec<i32> = (0..6).map(|drive| target(&mut client, drive)).collect();
    done(&mut client, "master.set", json!({"joint": 5, "at": 70.0})).unwrap();
    client.cycles(50);
    // The arm holds where it is: no drive was told anything else.
    for (drive, before) in targets.into_iter().enumerate() {
        let step = target(&mut client, drive).wrapping_sub(before);
        assert!(step.abs() <= 1, "drive {}: {step} counts", drive + 1);
    }
    assert_eq!(client.cell.state(), MachineState::Ready);
    assert!((joint_deg(&mut client, 5) - 70.0).abs() < 1e-3);
    for (joint, before) in [1, 3, 4, 6].into_iter().zip([others[0], others[1], others[2], others[4]]) {
        assert!((joint_deg(&mut client, joint) - before).abs() < 1e-3, "joint {joint}");
    }
    // Drives off, power off.
    client.command("disable").unwrap();
    client.until(MachineState::Disabled);
    client.cycles(3);
    let mut client = start(&assembly(), &record.after_power_cut(false));
    assert!((joint_deg(&mut client, 5) - 70.0).abs() < 1e-3);
    assert_eq!(reasons(&mut client), [const { None }; 6]);
    let drives = trust(&mut client)["drives"].clone();
    assert!(drives[4]["mastered"]["raw_counts"].is_i64(), "{drives}");
    assert!(drives[0]["mastered"].is_null(), "{drives}");
}

fn target(client: &mut Client, drive: usize) -> i32 {
    client.cell.segment_mut().last_received(drive).unwrap().target_position
}

#[test]
fn a_mastering_that_is_not_on_disk_is_not_said_to_be_done() {
    let (mut refused, mut carried_out) = (0, 0);
    for step in 0..=4 {
        let record = MemoryFiles::default();
        let mut client = start(&assembly(), &record);
        record.fail_from(record.operations() + step, io::ErrorKind::Other);
        match done(&mut client, "master.set", json!({"joint": 1, "at": 10.0})) {
            Ok(()) => carried_out += 1,
            Err(error) => {
                assert_eq!(error["code"], "E7204", "{error}");
                assert!(error["message"].as_str().unwrap().contains("not recorded"), "{error}");
                refused += 1;
            }
        }
        let mut client = start(&assembly(), &record.after_power_cut(false));
        let at = joint_deg(&mut client, 1);
        let is_new = (at - 10.0).abs() < 1e-3;
        assert!(is_new || at.abs() < 1e-3, "step {step}: {at}");
        assert!(is_new || step < 4, "acknowledged and lost");
    }
    assert_eq!((refused, carried_out), (4, 1));
}

#[test]
fn a_damaged_record_and_none_at_all_leave_every_joint_untrusted() {
    let record = MemoryFiles::default();
    start(&assembly(), &record);
    let mut damaged = record.after_power_cut(false);
    let mut text = damaged.read("mastering.json", 1 << 20).unwrap();
    let middle = text.len() / 2;
    text[middle] ^= 4;
    damaged.write("mastering.json", &text).unwrap();
    let mut client = start(&assembly(), &damaged);
    assert_eq!(reasons(&mut client), [const { "damaged_record" }; 6].map(|reason| Some(reason.to_owned())));
    assert_eq!(trust(&mut client)["found_at_start"], "damaged");
    acknowledge(&mut client);
    client.enable();
    start_is_refused(&mut client, "joint 1");

    let mut unvouched = assembly();
    unvouched.cell.without_record = WithoutRecord::Untrusted;
    let record = MemoryFiles::default();
    let mut client = start(&unvouched, &record);
    assert_eq!(reasons(&mut client)[5].as_deref(), Some("no_record"));
    acknowledge(&mut client);
    for joint in 1..=6 {
        let at = joint_deg(&mut client, joint);
        done(&mut client, "master.set", json!({"joint": joint, "at": at})).unwrap();
    }
    let mut client = start(&unvouched, &record.after_power_cut(false));
    assert_eq!(reasons(&mut client), [const { None }; 6]);
    client.welding_job();
}

#[test]
fn another_drive_is_not_relied_on_until_its_joint_is_mastered() {
    let record = MemoryFiles::default();
    start(&assembly(), &record);
    // Drive 5 has a part in joint 6.
    let script = "at start: identity 5 serial 77";
    let mut client = Client::with_record(&assembly(), script, 1, record.after_power_cut(false));
    let found = reasons(&mut client);
    assert_eq!(found[..4], [const { None }; 4]);
    assert_eq!(found[4..], [const { "other_drive" }; 2].map(|reason| Some(reason.to_owned())));
    acknowledge(&mut client);
    for joint in [5, 6] {
        done(&mut client, "master.set", json!({"joint": joint, "at": 3.0})).unwrap();
    }
    assert_eq!(reasons(&mut client), [const { None }; 6]);
    assert_eq!(trust(&mut client)["drives"][4]["serial"], 77);
}

/// Nothing but a 16-bit counter: it comes round forty times and more within the range of the joint.
#[test]
fn the_turns_of_a_narrow_counter_come_from_the_record() {
    let narrow = |degrees: f64| {
        let mut assembly = moved(degrees);
        let drive = assembly.cell.subdevices[1].drives.first_mut().unwrap();
        drive.counter_bits = 16;
        drive.counts_per_turn = 16_384;
        drive.offset_counts = 1234;
        assembly
    };
    // Which turn it is on nobody knows at the first start.
    let record = MemoryFiles::default();
    let mut client = start(&narrow(0.0), &record);
    assert_eq!(reasons(&mut client)[1].as_deref(), Some("ambiguous"));
    acknowledge(&mut client);
    done(&mut client, "master.set", json!({"joint": 2, "at": -20.0})).unwrap();
    assert!((joint_deg(&mut client, 2) + 20.0).abs() < 1e-3);
    for degrees in [0.0, 0.4, -0.4] {
        let mut client = start(&narrow(degrees), &record.after_power_cut(false));
        assert_eq!(reasons(&mut client), [const { None }; 6], "{degrees}");
        let at = joint_deg(&mut client, 2);
        assert!((at + 20.0 - degrees).abs() < 1e-3, "{at}");
    }
    let mut client = start(&narrow(1.0), &record.after_power_cut(false));
    assert_eq!(reasons(&mut client)[1].as_deref(), Some("moved"));
}

#[test]
fn a_daemon_that_ended_with_the_drives_on_did_not_see_where_the_arm_came_to_rest() {
    let record = MemoryFiles::default();
    let mut client = start(&assembly(), &record);
    client.welding_job();
    client.cycles(500);
    drop(client);
    let mut client = start(&assembly(), &record.after_power_cut(false));
    assert_eq!(reasons(&mut client), [const { "ended_while_on" }; 6].map(|reason| Some(reason.to_owned())));
    acknowledge(&mut client);
    done(&mut client, "master.accept", json!({})).unwrap();
    client.welding_job();
}

#[test]
fn an_encoder_that_jumps_is_not_relied_on_until_it_is_confirmed() {
    let mut client = Client::new();
    let script = motiond::cli::fault_script::FaultScript::parse("at cycle 0: encoder 2 jump 20000000");
    for injection in script.unwrap().due(1, 0.0, MachineState::Disabled) {
        client.cell.segment_mut().inject(injection).unwrap();
    }
    client.cycles(10);
    assert!(client.has_event(|event| event["code"] == "E2006"), "{:#?}", client.last_events());
    client.command("reset").unwrap();
    client.until(MachineState::Disabled);
    client.enable();
    start_is_refused(&mut client, "joint 2");
    assert_eq!(reasons(&mut client)[1].as_deref(), Some("jumped"));
    done(&mut client, "master.set", json!({"joint": 2, "at": -20.0})).unwrap();
    let job = client.put(SAMPLE).unwrap();
    client.start(&job).unwrap();
    client.until(MachineState::Executing);
}

#[test]
fn what_makes_no_sense_is_refused_with_the_range() {
    let mut client = Client::new();
    for (params, place) in [
        (json!({"joint": 0, "at": 1.0}), "params.joint"),
        (json!({"joint": 7, "at": 1.0}), "params.joint"),
        (json!({"joint": 1, "at": 1000.0}), "params.at"),
    ] {
        let error = done(&mut client, "master.set", params).unwrap_err();
        assert_eq!(error["data"]["where"], place, "{error}");
        assert!(error["message"].as_str().unwrap().contains("allowed"), "{error}");
    }
    client.welding_job();
    let error = done(&mut client, "master.set", json!({"joint": 1, "at": 1.0})).unwrap_err();
    assert_eq!(error["data"]["code"], "E7104", "while it moves: {error}");
    assert!(client.call("master.set", json!({"joint": 1, "at": 1.0, "epoch": 99})).is_err());
}
