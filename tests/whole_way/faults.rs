//! What goes wrong in the middle of a seam: the reaction on the wire, the process safe at once, and the daemon
//! ready again after acknowledgement, without restart.

use motiond::cli::assembly::Assembly;
use motiond::cli::fault_script::FaultScript;
use motiond::machine::MachineState;
use serde_json::{Value, json};

use crate::client::{Client, SAMPLE};

struct Case {
    name: &'static str,
    /// What goes wrong once the arm is on the seam.
    script: &'static str,
    /// What makes it well again.
    cure: &'static str,
    /// Code of the fault.
    code: &'static str,
    /// State the machine ends in.
    state: MachineState,
}

const CASES: &[Case] = &[
    Case {
        name: "drive fault",
        script: "drive 3 fault 0x7500",
        cure: "",
        code: "E2001",
        state: MachineState::Fault,
    },
    Case { name: "STO", script: "sto on", cure: "sto off", code: "E2002", state: MachineState::Fault },
    Case {
        name: "voltage",
        script: "voltage lost 2",
        cure: "voltage back 2",
        code: "E2001",
        state: MachineState::Fault,
    },
    Case {
        name: "stop input",
        script: "stop_input open",
        cure: "stop_input closed",
        code: "E5001",
        state: MachineState::Fault,
    },
    Case {
        name: "stall",
        script: "plant 1 stall",
        cure: "plant 1 free",
        code: "E2005",
        state: MachineState::Fault,
    },
    Case { name: "frames", script: "drop 5", cure: "", code: "E1001", state: MachineState::Fault },
    Case { name: "arc", script: "arc lost", cure: "arc well", code: "E4002", state: MachineState::Held },
];

fn inject(client: &mut Client, line: &str) {
    if line.is_empty() {
        return;
    }
    let script = format!("at cycle 0: {line}");
    let mut script = FaultScript::parse(&script).unwrap();
    for injection in script.due(1, 0.0, MachineState::Executing) {
        client.cell.segment_mut().inject(injection).unwrap();
    }
}

fn fault_event<'a>(client: &'a Client, code: &str) -> Option<&'a Value> {
    client.events.iter().find(|event| event["kind"] == "fault" && event["code"] == code)
}

#[test]
fn every_fault_on_a_seam_ends_safe_and_the_daemon_is_ready_again_after_acknowledgement() {
    for case in CASES {
        let mut client = Client::new();
        client.welding_job();
        client.until_on_the_seam();
        inject(&mut client, case.script);
        // From the first cycle that is not executing, welding is off; one more for it to reach the wire.
        let mut cycles = 0;
        while client.cell.state() == MachineState::Executing {
            client.cycle();
            cycles += 1;
            assert!(cycles < 4000, "{}: no reaction", case.name);
        }
        client.cycle();
        assert!(!client.weld_is_on(), "{}: weld on in the frame after the first stop setpoint", case.name);
        client.until(case.state);
        let fault = fault_event(&client, case.code);
        let fault =
            fault.unwrap_or_else(|| panic!("{}: no {} in {:#?}", case.name, case.code, client.last_events()));
        for key in ["message", "cause", "remedy"] {
            assert!(
                fault[key].as_str().is_some_and(|text| !text.is_empty()),
                "{}: no {key} in {fault}",
                case.name
            );
        }
        let (place, value) = (fault["where"].clone(), fault["value"].clone());
        let status = client.call("status", json!({})).unwrap();
        assert_eq!(status["faults"][0]["where"], place, "{}: another place in the status", case.name);
        assert_eq!(status["faults"][0]["value"], value, "{}: another value in the status", case.name);
        match case.code {
            "E2001" if case.name != "voltage" => assert_eq!(value, "0x7500"),
            "E2005" => assert!(value.as_str().is_some_and(|value| value.ends_with(" °")), "{value}"),
            "E4002" => assert_eq!(place, "process `front edge`, phase `main`"),
            "E5001" => assert_eq!(place, "input `stop_chain_closed`"),
            _ => {}
        }
        // Nothing goes on by itself, and nothing before the acknowledgement.
        client.cycles(1500);
        assert_eq!(client.cell.state(), case.state, "{}", case.name);
        let again = if case.state == MachineState::Held { "resume" } else { "enable" };
        assert!(client.command(again).is_err(), "{}: {again} without acknowledgement", case.name);
        let job = client.put(SAMPLE).unwrap();
        let error = client.start(&job).unwrap_err();
        let expected = if case.state == MachineState::Held { "run_active" } else { "fault_active" };
        assert_eq!(
            error["data"]["name"], expected,
            "{}: a start without acknowledgement: {error}",
            case.name
        );
        inject(&mut client, case.cure);
        client.cycles(20);
        client.command("reset").unwrap();
        if case.state == MachineState::Held {
            client.cycles(5);
            client.command("resume").unwrap();
            client.until(MachineState::Executing);
            client.until(MachineState::Ready);
            assert!(client.has_event(|event| event["state"] == "completed"), "{}", case.name);
        } else {
            client.until(MachineState::Disabled);
            client.enable();
            client.start(&job).unwrap();
            client.until(MachineState::Executing);
            client.cycles(1000);
            assert_eq!(client.cell.state(), MachineState::Executing, "{}", case.name);
        }
    }
}

#[test]
fn a_script_that_names_what_is_not_there_is_refused_when_it_is_read() {
    let assembly = Assembly::load(None).unwrap();
    for (action, message, allowed) in [
        ("drive 9 fault 0x7500", "there is no SubDevice 9", "1 to 8"),
        ("drive 7 well", "the SubDevice 7 is of another kind", "6 servo_drive, 7 digital_io"),
        ("encoder 8 jump 5", "the SubDevice 8", "5 servo_drive, 6 servo_drive"),
        ("sto on 7", "the SubDevice 7", "1 servo_drive, 2 servo_drive"),
        ("powercycle 100 for 1 s", "there is no SubDevice 100", "1 to 8"),
        ("al 9 SAFEOP 0x1B", "there is no SubDevice 9", "1 to 8"),
    ] {
        let script = FaultScript::parse(&format!("\nat 1 s: {action}")).unwrap();
        let problems = script.check(assembly.simulated_segment(1).unwrap()).unwrap_err();
        let [problem] = problems.as_slice() else { panic!("{action}: {problems:?}") };
        assert_eq!(problem.place, "line 2");
        assert!(problem.message.contains(message) && problem.allowed.contains(allowed), "{problem}");
    }
}

#[test]
fn a_stopped_run_shows_how_far_it_came() {
    let mut client = Client::new();
    client.welding_job();
    client.until_on_the_seam();
    client.cycles(1000);
    let progress =
        |client: &mut Client| client.call("status", json!({})).unwrap()["run"]["progress"].as_f64().unwrap();
    let before = progress(&mut client);
    client.call("stop", json!({})).unwrap();
    client.until(MachineState::Ready);
    client.cycles(10);
    let after = progress(&mut client);
    assert!(after >= before && before > 0.0, "{after} after {before}");
}

#[test]
fn a_command_in_the_wrong_state_is_answered_with_the_states_it_needs() {
    let mut client = Client::new();
    let error = client.command("resume").unwrap_err();
    let remedy = error["data"]["remedy"].as_str().unwrap();
    assert!(remedy.contains("held, holding, executing"), "{error}");
    client.call("hold", json!({})).unwrap();
    client.cycles(5);
    let refused = client.events.iter().find(|event| event["kind"] == "command_refused").unwrap();
    let remedy = refused["error"]["remedy"].as_str().unwrap();
    assert!(remedy.contains("executing, holding, held"), "{refused}");
}

#[test]
fn an_arc_that_never_establishes_is_a_fault_with_its_phase_and_no_motion() {
    let assembly = Assembly::load(None).unwrap();
    let mut client = Client::with(&assembly, "at cycle 1: arc never", 1);
    client.welding_job();
    client.cycles(2500);
    let before = client.call("status", json!({})).unwrap();
    assert_eq!(before["run"]["phase"], "preflow");
    client.until(MachineState::Held);
    let fault = fault_event(&client, "E4001").expect("a fault E4001").clone();
    assert_eq!(fault["where"], "process `front edge`, phase `ignition`", "{fault}");
    client.cycles(2);
    assert!(!client.weld_is_on());
    let held = client.call("status", json!({})).unwrap();
    assert!(held["run"]["s_mm"].is_null(), "on a motion: {held}");
    assert_eq!(held["tcp"]["position_mm"], before["tcp"]["position_mm"]);
}

#[test]
fn three_lost_frames_change_nothing_the_user_could_see() {
    let mut client = Client::new();
    client.welding_job();
    client.until_on_the_seam();
    for _ in 0..20 {
        inject(&mut client, "drop 3");
        client.cycles(100);
        assert!(client.arc_burns());
    }
    let status = client.call("status", json!({})).unwrap();
    assert_eq!(status["counters"]["lost_frames"], 60);
    assert_eq!(status["state"], "executing");
}

#[test]
fn a_drive_that_is_cut_off_is_named_and_the_others_stop() {
    let mut client = Client::new();
    client.welding_job();
    client.until_on_the_seam();
    inject(&mut client, "detach 5");
    client.until(MachineState::Fault);
    let named = client.has_event(|event| event["kind"] == "fault" && event["code"] == "E1005");
    assert!(named, "{:#?}", client.last_events());
}
