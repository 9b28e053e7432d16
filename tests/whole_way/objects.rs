//! Objects of SubDevices read and written over the socket while the bus runs and the arm moves, and what devices say
//! by themselves.

use motiond::cli::fault_script::FaultScript;
use motiond::machine::MachineState;
use serde_json::{Value, json};

use crate::client::Client;

/// An object of the simulated drives that takes values of any length.
const PARAMETER_BACKUP: u16 = 0x2100;

fn read(client: &mut Client, subdevice: &Value, index: u16, subindex: u8) -> Result<Value, Value> {
    client.call("sdo.read", json!({"subdevice": subdevice, "index": index, "subindex": subindex}))
}

fn data(client: &mut Client, index: u16, complete: bool) -> String {
    let params = json!({"subdevice": 3, "index": index, "complete": complete});
    client.call("sdo.read", params).unwrap()["data"].as_str().unwrap().to_owned()
}

fn write(client: &mut Client, index: u16, data: &str) -> Result<Value, Value> {
    let epoch = client.epoch;
    client.call("sdo.write", json!({"subdevice": "drive-3", "index": index, "data": data, "epoch": epoch}))
}

fn inject(client: &mut Client, line: &str) {
    let mut script = FaultScript::parse(&format!("at cycle 0: {line}")).unwrap();
    for injection in script.due(1, 0.0, MachineState::Executing) {
        client.cell.segment_mut().inject(injection).unwrap();
    }
}

#[test]
fn objects_of_any_size_are_read_and_written_in_the_middle_of_a_seam() {
    let mut client = Client::new();
    client.welding_job();
    client.until_on_the_seam();
    // Vendor id by position and by name; the following-error window; a text; all of the identity at once.
    let by_position = read(&mut client, &json!(3), 0x1018, 1).unwrap();
    let by_name = read(&mut client, &json!("drive-3"), 0x1018, 1).unwrap();
    assert_eq!((&by_position, &by_position["bytes"]), (&by_name, &json!(4)));
    assert_eq!(write(&mut client, 0x6066, "63 00").unwrap(), json!({"written": true, "bytes": 2}));
    assert_eq!(data(&mut client, 0x6066, false), "63 00");
    let name = data(&mut client, 0x1008, false);
    assert!(name.len() > 3 * 4, "a short name: {name}");
    let identity = data(&mut client, 0x1018, true);
    assert!(identity.starts_with("04 00 ") && identity.len() == 3 * 18 - 1, "{identity}");
    // Longer than a chunk of the queue and longer than the mailbox.
    let long: Vec<String> = (0..1_000_u32).map(|at| format!("{:02x}", at % 253)).collect();
    let long = long.join(" ");
    assert_eq!(write(&mut client, PARAMETER_BACKUP, &long).unwrap()["bytes"], 1_000);
    assert_eq!(data(&mut client, PARAMETER_BACKUP, false), long);
    assert!(client.has_event(|event| event["kind"] == "object_written" && event["object"] == "0x6066:00"));
    assert_eq!(client.cell.state(), MachineState::Executing);
    let status = client.call("status", json!({})).unwrap();
    assert_eq!(status["counters"]["lost_frames"], 0);
}

#[test]
fn what_the_controller_writes_itself_is_refused_and_so_is_whoever_is_not_in_control() {
    let mut client = Client::new();
    for index in [0x6040, 0x607A, 0x1C12, 0x1600, 0x6060, 0x60C2, 0x605A, 0x10F1] {
        let error = write(&mut client, index, "00").unwrap_err();
        assert_eq!(error["data"]["name"], "object_owned", "{index:#06x}: {error}");
        assert_eq!(error["data"]["where"], format!("{index:#06x}:00"));
    }
    let params = json!({"subdevice": 1, "index": 0x6066, "data": "00 00", "epoch": client.epoch + 1});
    assert_eq!(client.call("sdo.write", params).unwrap_err()["data"]["name"], "stale_epoch");
    for (params, place) in [
        (json!({"subdevice": 9, "index": 0x1018}), "params.subdevice"),
        (json!({"subdevice": 0, "index": 0x1018}), "params.subdevice"),
        (json!({"subdevice": "drive-9", "index": 0x1018}), "params.subdevice"),
        (json!({"subdevice": 1, "index": 0x1018, "subindex": 2, "complete": true}), "params.subindex"),
    ] {
        assert_eq!(client.call("sdo.read", params).unwrap_err()["data"]["where"], place);
    }
    for (text, detail) in [("", "1 to"), ("1", "odd number"), ("zz", "pair")] {
        let error = write(&mut client, 0x6066, text).unwrap_err();
        assert_eq!(error["data"]["where"], "params.data");
        assert!(error["data"]["message"].as_str().unwrap().contains(detail), "{error}");
    }
    // What the device itself refuses is told in its words; a terminal without a mailbox has no objects.
    let error = read(&mut client, &json!(1), 0x5FFF, 0).unwrap_err();
    assert_eq!(error["data"]["name"], "object_failed");
    assert!(error["data"]["message"].as_str().unwrap().contains("no such object"), "{error}");
    let error = read(&mut client, &json!(7), 0x1018, 1).unwrap_err();
    assert!(error["data"]["message"].as_str().unwrap().contains("no CoE mailbox"), "{error}");
}

#[test]
fn an_emergency_is_an_event_with_code_register_and_text_and_a_flood_is_counted() {
    let mut client = Client::new();
    client.enable();
    inject(&mut client, "emcy 2 0x8611");
    // Seven mailboxes are looked into in turn, one every cycle or two.
    client.cycles(40);
    let told = client.events.iter().find(|event| event["kind"] == "emergency").unwrap().clone();
    assert_eq!((&told["subdevice"], &told["error_code"]), (&json!(2), &json!("0x8611")), "{told}");
    assert_eq!(told["error_register"], "0x01");
    let text = told["message"].as_str().unwrap();
    assert!(text.contains("`drive-2`") && text.contains("following error"), "{text}");
    inject(&mut client, "mailbox 4 flood 0x7300 every 5 ms");
    client.cycles(4_000);
    inject(&mut client, "mailbox 4 calm");
    client.cycles(200);
    let told = client.events.iter().filter(|event| event["kind"] == "emergency" && event["subdevice"] == 4);
    let told = told.count();
    assert!((10..80).contains(&told), "{told} told");
    let status = client.call("status", json!({})).unwrap();
    let counted = status["bus"]["subdevices"][3]["emergencies"].as_u64().unwrap();
    assert!(counted > 3 * u64::try_from(told).unwrap(), "{counted} counted, {told} told");
    assert_eq!(client.cell.state(), MachineState::Ready);
}

#[test]
fn a_transfer_that_is_under_way_when_the_line_breaks_ends_with_a_reason_and_the_next_one_works() {
    let mut client = Client::new();
    client.enable();
    inject(&mut client, "detach 3");
    let error = read(&mut client, &json!(3), 0x1018, 1).unwrap_err();
    assert!(error["data"]["message"].as_str().unwrap().contains("no answer in time"), "{error}");
    client.until(MachineState::Fault);
    inject(&mut client, "attach");
    client.command("reset").unwrap();
    client.until(MachineState::Disabled);
    assert_eq!(read(&mut client, &json!(3), 0x1018, 1).unwrap()["bytes"], 4);
}
