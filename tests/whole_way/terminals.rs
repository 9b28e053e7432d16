//! The cell of other devices: drives of two axes, terminals behind a coupler, an encoder input, a force sensor.

use std::path::Path;

use motiond::cli::assembly::Assembly;
use motiond::devices::DrivePlace;
use motiond::machine::MachineState;
use serde_json::{Value, json};

use crate::client::Client;

fn client(script: &str) -> Client {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/terminal-cell.toml");
    Client::with(&Assembly::load(Some(&file)).unwrap(), script, 1)
}

fn status(client: &mut Client) -> Value {
    client.call("status", json!({})).unwrap()
}

#[test]
fn the_sample_job_is_welded_with_drives_of_two_axes_and_terminals_behind_a_coupler() {
    let mut client = client("");
    client.welding_job();
    client.until(MachineState::Ready);
    assert!(client.has_event(|event| event["kind"] == "run_state" && event["state"] == "completed"));
    assert_eq!(client.cell.segment_mut().power_source(0).unwrap().ignitions, 1);
    for subdevice in 0..3 {
        for axis in 0..2 {
            let drive = client.cell.segment_mut().drive(DrivePlace { subdevice, axis }).unwrap();
            assert!(drive.energised && drive.error_code == 0, "{subdevice}.{axis}: {drive:?}");
        }
    }
    let counters = status(&mut client)["counters"].clone();
    for counter in ["lost_frames", "wkc_errors", "heap_allocations_in_cycle"] {
        assert_eq!(counters[counter], 0, "{counter}");
    }
}

#[test]
fn a_fault_of_the_second_axis_stops_the_joint_it_turns_and_no_other_drive_is_at_fault() {
    let mut client = client("after ready 100 cycles: drive 2.2 fault 0x7500");
    client.enable();
    client.until(MachineState::Fault);
    let fault = client.events.iter().find(|event| event["kind"] == "fault").unwrap();
    assert_eq!(fault["where"], "drive of joint 4", "{fault}");
    let error = |client: &mut Client, subdevice, axis| {
        client.cell.segment_mut().drive(DrivePlace { subdevice, axis }).unwrap().error_code
    };
    assert_eq!((error(&mut client, 1, 0), error(&mut client, 1, 1)), (0, 0x7500));
}

#[test]
fn encoder_and_force_sensor_are_read_by_name_in_their_units() {
    let mut client = client(
        "at start: encoder 9 speed 4000\n\
         at start: wrench 10 12 -7 100 0.5 -0.25 2",
    );
    client.cycles(20);
    let before = status(&mut client);
    client.cycles(1000);
    let after = status(&mut client);
    let input = |status: &Value, name: &str| {
        let inputs = &status["analog_inputs"];
        inputs[name].as_f64().unwrap_or_else(|| panic!("{name} in {inputs}"))
    };
    let travelled = input(&after, "conveyor_mm") - input(&before, "conveyor_mm");
    assert!((travelled - 100.0).abs() < 0.2, "{travelled} mm in a second at 4000 counts/s, 40 counts a mm");
    for (name, acting, noise) in [
        ("force_x_N", 12.0, 0.05),
        ("force_y_N", -7.0, 0.05),
        ("force_z_N", 100.0, 0.05),
        ("torque_x_Nm", 0.5, 0.005),
        ("torque_y_Nm", -0.25, 0.005),
        ("torque_z_Nm", 2.0, 0.005),
    ] {
        assert!((input(&after, name) - acting).abs() <= noise + 1e-4, "{name}: {}", input(&after, name));
    }
    let noise = (input(&before, "force_x_N") - input(&after, "force_x_N")).abs();
    assert!(noise > 0.0, "two readings are never the same");
}
