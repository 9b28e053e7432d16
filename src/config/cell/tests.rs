use std::sync::LazyLock;

use super::*;
use crate::config::document::parse_toml;
use crate::config::drive_file::read_drive_file;
use crate::config::embedded;
use crate::config::kinematic_model::{EMBEDDED_MODELS, KinematicModel};
use crate::units::Nanoseconds;

/// The model of the shipped cell; read once, it is needed a thousand times.
static MODEL: LazyLock<KinematicModel> =
    LazyLock::new(|| EMBEDDED_MODELS[0].load().expect("a test loads it"));

fn read(text: &str) -> Result<Cell, Vec<Problem>> {
    read_in(text, "", true)
}

/// Reads a cell where the file of one device type has mistakes, and perhaps the robot's.
fn read_in(text: &str, wrong_type: &str, model: bool) -> Result<Cell, Vec<Problem>> {
    let node = parse_toml(text).map_err(|problem| vec![problem])?;
    let device = |name: &str, text| (name != wrong_type).then(|| read_drive_file(text).expect("shipped"));
    let devices =
        embedded::DEVICES.iter().map(|(name, text)| ((*name).to_owned(), device(name, text))).collect();
    let load_model = |_: &Robot| {
        if model {
            Ok(MODEL.clone())
        } else {
            Err(vec![Problem::new("robot.urdf", "is wrong", "a right one", "correct it")])
        }
    };
    read_cell(&node, Surroundings { devices, schedules: Vec::new(), load_model: &load_model })
}

/// The shipped cell with each first text replaced by the second.
fn changed(changes: &[(&str, &str)]) -> String {
    let mut text = embedded::CELL.to_owned();
    for (from, to) in changes {
        assert!(text.contains(from), "the shipped cell has no `{from}` any more");
        text = text.replacen(from, to, 1);
    }
    text
}

fn problems(changes: &[(&str, &str)]) -> Vec<Problem> {
    read(&changed(changes)).expect_err("the cell is wrong")
}

/// What is changed, where the mistake is, and a part of the message.
const MISTAKES: &[(&str, &str, &str, &str)] = &[
    ("format_version = 1", "format_version = 2", "format_version", "2 is too large"),
    ("name = \"simulated-cell\"", "name = \"a cell\"", "name", "\"a cell\""),
    ("name = \"simulated-cell\"", "", "name", "missing"),
    ("name = \"simulated-cell\"", "name = \"x\"\nnmae = 1", "nmae", "unknown key"),
    ("stop_input = \"stop_chain_closed\"", "stop_input = \"gas\"", "stop_input", "unknown digital input"),
    ("model = \"six-axis-8kg\"", "", "robot.model", "missing"),
    ("cycle_time_ms = 1.0", "cycle_time_ms = 3.0", "ethercat.cycle_time_ms", "3 is not supported"),
    ("cycle_time_ms = 1.0", "cycle_time_ms = nan", "ethercat.cycle_time_ms", "not a number"),
    ("cycle_time_ms = 1.0", "cycle_time_us = 1000", "ethercat.cycle_time_us", "unknown key"),
    ("sync_shift_us = 500.0", "sync_shift_us = 1500.0", "ethercat.sync_shift_us", "too large"),
    ("distributed_clock = true", "distributed_clock = false", "ethercat.sync_shift_us", "no SYNC0"),
    ("distributed_clock = true", "distributed_clock = 1", "ethercat.distributed_clock", "found 1"),
    ("link = \"simulated\"", "link = \"eth 0\"", "ethercat.link", "eth 0"),
    ("priority = 80", "priority = 99", "realtime.priority", "too large"),
    ("name = \"drive-2\"", "name = \"drive-1\"", "subdevices[1]", "another SubDevice has this name"),
    ("type = \"generic-cia402\"", "type = \"generic\"", "subdevices[0].type", "unknown device type"),
    ("joint = 2", "joint = 1", "subdevices[1]", "joint 1 has another drive"),
    ("joint = 6\ncounts", "joint = 7\ncounts", "subdevices[5]", "joint 7 of an arm with 6 joints"),
    ("counter_bits = 32", "counter_bits = 33", "subdevices[0].counter_bits", "too large"),
    ("gear_ratio = 141.0", "gear_ratio = 0.0", "subdevices[0].gear_ratio", "too small"),
    ("gear_ratio = 141.0", "gear_ratio = inf", "subdevices[0].gear_ratio", "infinite"),
    ("gear_ratio = 141.0", "gear_ratio = \"141\"", "subdevices[0].gear_ratio", "found \"141\""),
    ("sign = 1", "sign = 0", "subdevices[0].sign", "no direction"),
    ("offset_counts = 12_345_678", "offset_counts = 0.5", "subdevices[0].offset_counts", "found 0.5"),
    (
        "[0.0, 0.0, 0.0, 0.0, -0.02, 1.0]",
        "[0.0, 0.0, 0.0, 0.0, 0.0, 0.0]",
        "coupling.joint_from_drive",
        "cannot be inverted",
    ),
    (
        "[0.0, 0.0, 0.0, 0.0, -0.02, 1.0]",
        "[0.0, 0.0, 0.0, 0.0, 1.0]",
        "coupling.joint_from_drive[5]",
        "a list of 5",
    ),
    (
        "position_min_deg = -270.0",
        "position_min_deg = -400.0",
        "joint_limits[0].position_min_deg",
        "too small",
    ),
    (
        "position_max_deg = 270.0",
        "position_max_deg = -280.0",
        "joint_limits[0].position_min_deg",
        "not below",
    ),
    ("position_max_deg = 270.0", "speed_max_deg_s = 1e4", "joint_limits[0].speed_max_deg_s", "too large"),
    ("joint = 6\nposition", "joint = 8\nposition", "joint_limits[0].joint", "too large"),
    ("speed_max_mm_s = 1500.0", "speed_max_m_s = 1.5", "tcp_limits.speed_max_mm_s", "missing"),
    (
        "quaternion_wxyz = [0.9816271834",
        "quaternion_wxyz = [0.5",
        "tools.torch.quaternion_wxyz",
        "the length is",
    ),
    ("mass_kg = 2.4", "", "tools.torch.mass_kg", "missing"),
    ("[tools.torch]", "[tools.\"my torch\"]", "tools.\"my torch\"", "name is not allowed"),
    (
        "position_mm = [850.0, 0.0, 300.0]",
        "position_mm = [850.0, 0.0]",
        "work_objects.table.position_mm",
        "a list of 2",
    ),
    (
        "gas = { device = \"digital\", channel = 0",
        "gas = { device = \"digital\", channel = 8",
        "digital_outputs.gas.channel",
        "8 is too large",
    ),
    (
        "gas = { device = \"digital\"",
        "gas = { device = \"analog\"",
        "digital_outputs.gas.device",
        "unknown terminal",
    ),
    (
        "weld_on = { device = \"digital\", channel = 1",
        "weld_on = { device = \"digital\", channel = 3",
        "digital_outputs.weld_on.channel",
        "is `beacon` already",
    ),
    (
        "at_100_percent = 50.0, safe = 0.0",
        "at_100_percent = 50.0, safe = 60.0",
        "analog_outputs.voltage.safe",
        "60 cannot be output",
    ),
    (
        "at_100_percent = 50.0, safe = 0.0",
        "at_100_percent = 0.0",
        "analog_outputs.voltage.at_100_percent",
        "equals",
    ),
    ("gas_output = \"gas\"", "gas_output = \"oxygen\"", "welding.gas_output", "unknown digital output"),
    (
        "current_output = \"current\"",
        "current_output = \"voltage\"",
        "welding.current_output",
        "its unit is V",
    ),
    (
        "wire_feed_output = \"wire_feed\"",
        "wire_feed_output = \"weld_on\"",
        "welding.wire_feed_output",
        "is `weld_on_output` already",
    ),
    (
        "actual_current_input = \"actual_current\"",
        "actual_current_input = \"actual_voltage\"",
        "welding.actual_current_input",
        "its unit is V",
    ),
    ("name = \"drive-3\"", "", "subdevices[2].name", "missing"),
    ("name = \"drive-4\"\ntype = \"generic-cia402\"", "name = \"drive-4\"", "subdevices[3].type", "missing"),
    ("[[joint_limits]]\njoint = 6", "[[joint_limits]]", "joint_limits[0].joint", "missing"),
    (
        "sign = -1",
        "sign = -1\nstartup_sdos = [{ index = 0x2000, subindex = 0, type = \"u8\", value = 300 }]",
        "subdevices[3].startup_sdos[0].value",
        "too large",
    ),
    ("tcp_port = 7402", "tcp_port = 70000", "sockets.tcp_port", "too large"),
    (
        "start_joints_deg = [0.0, -20.0",
        "start_joints_deg = [0.0, -200.0",
        "simulation.start_joints_deg[1]",
        "outside the limits of joint 2",
    ),
    (
        "position_gain_per_s = 80.0",
        "position_gain_per_s = 0.0",
        "simulation.drive.position_gain_per_s",
        "too small",
    ),
];

#[test]
fn each_mistake_is_reported_at_its_place() {
    for (from, to, place, message) in MISTAKES {
        let found = problems(&[(from, to)]);
        let hit = found.iter().find(|problem| problem.place == *place && problem.message.contains(message));
        assert!(hit.is_some(), "`{to}`: expected {place}: …{message}…, found {found:#?}");
    }
}

#[test]
fn one_mistake_causes_one_problem() {
    // These also touch a second key, or a name that other keys refer to.
    let with_others = ["speed_max_m_s", "cycle_time_us", "nmae", "generic\"", "oxygen"];
    for (from, to, place, _) in MISTAKES {
        if with_others.iter().any(|word| to.contains(word)) {
            continue;
        }
        let found = problems(&[(from, to)]);
        let names_channel = place.starts_with("digital_outputs") || place.starts_with("analog_outputs");
        assert!(found.len() == 1 || names_channel, "`{to}`: {found:#?}");
    }
}

/// True when `found` has the mistake.
fn is_among(found: &[Problem], (_, to, place, message): &(&str, &str, &str, &str)) -> bool {
    let _ = to;
    found.iter().any(|problem| problem.place == *place && problem.message.contains(message))
}

/// Pairs in which one makes the other none, or no longer a mistake of its own.
const NOT_INDEPENDENT: &[(&str, &str)] = &[
    // Without a robot nobody knows its limits.
    ("", "position_min_deg = -400.0"),
    ("", "speed_max_deg_s = 1e4"),
    ("", "joint = 8\nposition"),
    ("", "start_joints_deg = [0.0, -200.0"),
    // A range from -400° to -280° is one.
    ("position_min_deg = -400.0", "position_max_deg = -280.0"),
    // The tool of the first mistake has another name then.
    ("quaternion_wxyz = [0.5", "[tools.\"my torch\"]"),
    ("", "[tools.\"my torch\"]"),
];

#[test]
fn no_mistake_hides_another_one() {
    let mut pairs = 0;
    let mut hidden = Vec::new();
    for (index, a) in MISTAKES.iter().enumerate() {
        for b in &MISTAKES[index + 1..] {
            let text = embedded::CELL.replacen(a.0, a.1, 1).replacen(b.0, b.1, 1);
            let other_way = embedded::CELL.replacen(b.0, b.1, 1).replacen(a.0, a.1, 1);
            // Two changes of the same words cannot be made both.
            let both_made = text == other_way
                && [a, b].iter().all(|change| change.1.is_empty() || text.contains(change.1));
            if !both_made || NOT_INDEPENDENT.contains(&(a.1, b.1)) {
                continue;
            }
            pairs += 1;
            let found = read(&text).expect_err("the cell is wrong twice");
            if !is_among(&found, a) || !is_among(&found, b) {
                hidden.push((a.1, b.1, found.iter().map(ToString::to_string).collect::<Vec<_>>()));
            }
        }
    }
    assert!(hidden.is_empty(), "{hidden:#?}");
    assert!(pairs > 1000, "{pairs}");
}

#[test]
fn a_wrong_file_beside_the_cell_hides_no_mistake_of_the_cell() {
    // What these are measured against is in the wrong file itself.
    let needs_model = ["joint_limits", "simulation.start_joints_deg[1]"];
    let needs_terminal = ["digital_outputs.gas.channel", "digital_outputs.gas.device"];
    for mistake in MISTAKES {
        let text = embedded::CELL.replacen(mistake.0, mistake.1, 1);
        for wrong_type in ["generic-cia402", "digital-io-8", "analog-io-2"] {
            let skip = wrong_type != "generic-cia402" && needs_terminal.contains(&mistake.2);
            let found = read_in(&text, wrong_type, true).expect_err("wrong");
            assert!(skip || is_among(&found, mistake), "{wrong_type}, `{}`: {found:#?}", mistake.1);
        }
        let skip = needs_model.iter().any(|place| mistake.2.starts_with(place));
        let found = read_in(&text, "", false).expect_err("wrong");
        assert!(skip || is_among(&found, mistake), "robot, `{}`: {found:#?}", mistake.1);
    }
}

#[test]
fn all_mistakes_of_a_cell_are_reported_at_once() {
    let found = problems(&[
        ("cycle_time_ms = 1.0", "cycle_time_ms = 3.0"),
        ("priority = 80", "priority = \"high\""),
        ("mass_kg = 2.4", ""),
        ("gas_output = \"gas\"", "gas_output = \"oxygen\""),
        ("tcp_port = 7402", "port = 1"),
        ("position_gain_per_s = 80.0", "position_gain_per_s = -1"),
    ]);
    let places: Vec<_> = found.iter().map(|problem| problem.place.as_str()).collect();
    assert_eq!(
        places,
        [
            "ethercat.cycle_time_ms",
            "realtime.priority",
            "tools.torch.mass_kg",
            "welding.gas_output",
            "sockets.port",
            "simulation.drive.position_gain_per_s",
        ]
    );
}

#[test]
fn every_problem_says_what_is_allowed_and_what_to_do() {
    for (from, to, _, _) in MISTAKES {
        for problem in problems(&[(from, to)]) {
            assert!(!problem.allowed.is_empty() && !problem.remedy.is_empty(), "{problem}");
        }
    }
}

#[test]
fn the_shipped_cell_holds_si_units() {
    let cell = read(embedded::CELL).expect("valid");
    assert_eq!(cell.link.cycle_time, Nanoseconds(1_000_000));
    assert!((cell.tcp_limits.speed_max - 1.5).abs() < 1e-12);
    assert!((cell.work_objects[0].x_base_work.translation.x - 0.85).abs() < 1e-12);
    let (position, drive) = cell.drives()[1];
    assert_eq!((position, drive.joint), (1.into(), 1));
    let counts_per_radian = 161.0 * 8_388_608.0 / std::f64::consts::TAU;
    assert!((drive.counts_per_radian() - counts_per_radian).abs() < 1e-6);
    assert!((drive.position_at_count_0() + 2_132_483_648.0 / counts_per_radian).abs() < 1e-12);
    assert!((cell.joint_limits.as_slice()[5].position_max - 270_f64.to_radians()).abs() < 1e-12);
    assert_eq!(cell.joint_limits.as_slice()[0], cell.model.limits.as_slice()[0]);
}

#[test]
fn channels_are_numbered_over_the_whole_cell_in_bus_order() {
    let second = "\n[[subdevices]]\nname = \"digital-b\"\ntype = \"digital-io-8\"\n";
    let text = changed(&[
        ("\n# Joint positions of drive positions", second),
        ("beacon = { device = \"digital\", channel = 3", "beacon = { device = \"digital-b\", channel = 2"),
    ]);
    let text = text.replacen(second, &format!("{second}\n#"), 1);
    let cell = read(&text).expect("valid");
    assert_eq!(cell.io.digital_outputs.len(), 16);
    let beacon = cell.io.digital_outputs.iter().position(|channel| channel.name.as_deref() == Some("beacon"));
    assert_eq!(beacon, Some(10));
    let channel = &cell.io.digital_outputs[10];
    assert_eq!((channel.subdevice, channel.bit_offset), (8, 2));
    assert_eq!(cell.io.analog_inputs[1].bit_offset, 16);
}

#[test]
fn one_drive_begins_so_near_the_end_of_its_counter_that_the_job_wraps_it() {
    let cell = read(embedded::CELL).expect("valid");
    let start = cell.coupling.drives(&cell.simulation.start_joints);
    let half = 2_f64.powi(31);
    let distances: Vec<f64> = cell
        .drives()
        .iter()
        .map(|(_, drive)| {
            let counts = (start.get(drive.joint) - drive.position_at_count_0()) * drive.counts_per_radian();
            assert!(counts.abs() < half, "the simulated arm begins on the turn the offset is written for");
            (half - counts) / drive.counts_per_radian().abs()
        })
        .collect();
    assert!(distances.iter().any(|distance| distance.to_degrees() < 30.0), "{distances:?}");
}
