use super::super::schedule_problems;
use super::*;
use crate::boundary::phase_table::{MAX_ACTIONS, MAX_PHASES};
use crate::config::cell::Schedule;
use crate::config::document::parse_json;
use crate::config::load::embedded_cell;
use crate::config::problem::Problems;

fn cell() -> Cell {
    embedded_cell().expect("the embedded cell is valid")
}

fn read(text: &str, cell: &Cell) -> Arc<dyn ProcessPath> {
    let node = parse_json(text).expect("the test data is JSON");
    let problems = Problems::default();
    let path = Welding.read(&Value::root(&node, &problems), cell);
    problems.finish(path).unwrap_or_else(|found| panic!("{found:?}"))
}

const FULL: &str = r#"{"preflow_s": 0.3, "ignition_timeout_s": 2, "arc_confirm_s": 0.05, "v_cm_min": 60,
    "current_a": 220, "voltage_v": 25, "crater": {"current_a": 140, "voltage_v": 20, "time_s": 0.4},
    "burn_back_s": 0.08, "arc_loss_confirm_s": 0.1, "postflow_s": 0.6}"#;
const SHORT: &str = r#"{"preflow_s": 0, "v_mm_s": 8, "current_a": 180, "voltage_v": 22, "postflow_s": 0}"#;

fn name(channel: &Option<String>) -> String {
    channel.clone().unwrap_or_default()
}

fn show_actions(actions: &Actions, cell: &Cell) -> String {
    let words: Vec<String> = actions
        .iter()
        .map(|action| match action {
            Action::Digital { channel, on } => {
                format!("{}={on}", name(&cell.io.digital_outputs[usize::from(channel)].name))
            }
            Action::Analog { channel, value } => {
                format!("{}={value}", name(&cell.io.analog_outputs[usize::from(channel)].name))
            }
        })
        .collect();
    words.join(" ")
}

fn show(path: &dyn ProcessPath, cell: &Cell) -> String {
    let table = path.phase_table(3);
    let mut lines = vec![format!("table {}, safe: {}", table.number, show_actions(&table.safe, cell))];
    for phase in (0..MAX_PHASES).map_while(|position| table.phase(position)) {
        let end = match phase.end {
            PhaseEnd::Elapsed(time) => format!("{time} s"),
            PhaseEnd::Input { channel, on, confirm_s } => {
                let name = name(&cell.io.digital_inputs[usize::from(channel)].name);
                format!("{name}={on} for {confirm_s} s within {} s", phase.timeout_s)
            }
            PhaseEnd::Path => "end of path".to_owned(),
        };
        let supervised = phase.supervision.map_or_else(String::new, |supervision| {
            let name = name(&cell.io.digital_inputs[usize::from(supervision.channel)].name);
            format!(", lost when {name}≠{} for {} s", supervision.on, supervision.confirm_s)
        });
        let name = path.phase_names()[usize::from(phase.number)];
        let actions = show_actions(&phase.actions, cell);
        lines.push(format!("{:?} {name}: {actions} | until {end}{supervised}", phase.stage));
    }
    lines.join("\n")
}

#[test]
fn a_seam_with_everything_has_all_phases() {
    let cell = cell();
    insta::assert_snapshot!(show(&*read(FULL, &cell), &cell), @"
    table 3, safe: weld_on=false gas=false current=0 voltage=0 wire_feed=false
    Before preflow: gas=true | until 0.3 s
    Before ignition: gas=true current=220 voltage=25 weld_on=true wire_feed=true | until arc_established=true for 0.05 s within 2 s
    During main: current=220 voltage=25 | until end of path, lost when arc_established≠true for 0.1 s
    After crater_fill: current=140 voltage=20 | until 0.4 s, lost when arc_established≠true for 0.1 s
    After burn_back: wire_feed=false | until 0.08 s
    After postflow: weld_on=false current=0 voltage=0 wire_feed=false | until 0.6 s
    After end: gas=false | until 0 s
    ");
}

#[test]
fn a_seam_with_the_least_data_still_has_gas_ignition_and_a_safe_end() {
    let cell = cell();
    insta::assert_snapshot!(show(&*read(SHORT, &cell), &cell), @"
    table 3, safe: weld_on=false gas=false current=0 voltage=0 wire_feed=false
    Before ignition: gas=true current=180 voltage=22 weld_on=true wire_feed=true | until arc_established=true for 0.05 s within 2 s
    During main: current=180 voltage=22 | until end of path, lost when arc_established≠true for 0.1 s
    After postflow: weld_on=false current=0 voltage=0 wire_feed=false | until 0 s
    After end: gas=false | until 0 s
    ");
}

#[test]
fn a_power_source_that_feeds_its_wire_needs_no_output_for_it() {
    let mut cell = cell();
    let Some(binding) = &mut cell.welding else { panic!("the shipped cell welds") };
    binding.wire_feed = None;
    let shown = show(&*read(FULL, &cell), &cell);
    assert!(!shown.contains("wire_feed"), "{shown}");
    assert!(shown.contains("burn_back"), "{shown}");
}

#[test]
fn after_the_last_phase_every_output_is_where_the_safe_state_has_it() {
    let cell = cell();
    for text in [FULL, SHORT] {
        let table = read(text, &cell).phase_table(1);
        let mut outputs: Vec<Action> = Vec::new();
        let same = |a: &Action, b: &Action| match (a, b) {
            (Action::Digital { channel: a, .. }, Action::Digital { channel: b, .. })
            | (Action::Analog { channel: a, .. }, Action::Analog { channel: b, .. }) => a == b,
            (Action::Digital { .. }, Action::Analog { .. })
            | (Action::Analog { .. }, Action::Digital { .. }) => false,
        };
        for phase in (0..MAX_PHASES).map_while(|position| table.phase(position)) {
            for action in phase.actions.iter() {
                outputs.retain(|earlier| !same(earlier, &action));
                outputs.push(action);
            }
        }
        for safe in table.safe.iter() {
            assert!(outputs.contains(&safe), "{safe:?} in {outputs:?}");
        }
        assert_eq!(outputs.len(), table.safe.iter().count(), "no output is forgotten by the safe state");
        assert!(table.safe.iter().count() <= MAX_ACTIONS);
    }
}

#[test]
fn a_cell_without_power_source_cannot_weld() {
    let mut cell = cell();
    cell.welding = None;
    let node = parse_json(FULL).expect("the test data is JSON");
    let problems = Problems::default();
    assert!(Welding.read(&Value::root(&node, &problems), &cell).is_none());
    let found = problems.finish(None::<()>).expect_err("refused");
    assert!(found[0].message.contains("no welding power source"), "{}", found[0]);
}

#[test]
fn the_travel_speed_is_the_one_written() {
    let cell = cell();
    assert!((read(FULL, &cell).travel_speed_m_s() - 0.01).abs() < 1e-12);
    assert!((read(SHORT, &cell).travel_speed_m_s() - 0.008).abs() < 1e-12);
}

#[test]
fn without_a_valid_cell_data_sets_are_held_against_what_no_cell_can_do() {
    let set = |process: &str, text: &str| Schedule {
        name: "fillet".to_owned(),
        process: process.to_owned(),
        data: parse_json(text).expect("the test data is JSON"),
    };
    let sets = [
        set("weld", FULL),
        set("weld", &FULL.replace("\"postflow_s\": 0.6", "\"postflow_s\": 600")),
        set("weld", &FULL.replace("220", "-220").replace("0.3", "\"long\"")),
        set("solder", FULL),
    ];
    let problems = schedule_problems(&sets, None);
    let text: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(text.len(), 4, "{text:#?}");
    for (line, part) in
        text.iter().zip(["data.postflow_s: 600", "data.preflow_s", "data.current_a: -220", "solder"])
    {
        assert!(line.starts_with("processes/fillet.toml: ") && line.contains(part), "{line}");
    }
}
