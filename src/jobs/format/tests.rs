use super::*;
use crate::config::embedded;
use crate::config::load::embedded_cell;
use crate::jobs::expand::{expand, planning_limits};
use crate::jobs::expand_problems::{plan_problem, start_problem};
use crate::planning::{Plan, StepKind, plan};

fn cell() -> Cell {
    embedded_cell().expect("the embedded cell is valid")
}

/// The sample job with each first text replaced by the second.
fn changed(from: &str, to: &str) -> String {
    assert!(embedded::SAMPLE_JOB.contains(from), "the sample job has no `{from}` any more");
    embedded::SAMPLE_JOB.replacen(from, to, 1)
}

/// A small job around instructions.
fn job_of(instructions: &str) -> String {
    format!(
        r#"{{"format":"motiond-job","format_version":1,"name":"t","tool":"torch","work_object":"table",
           "instructions":[{instructions}]}}"#
    )
}

fn problems(text: &str) -> Vec<Problem> {
    read_job(text, &cell()).map(|job| job.name).expect_err("the job is wrong")
}

fn plan_of(text: &str) -> Result<Plan, Vec<Problem>> {
    let cell = cell();
    let job = read_job(text, &cell)?;
    plan(&expand(&job), &cell.model.chain, &planning_limits(&cell), &cell.simulation.start_joints)
        .map_err(|found| found.iter().map(|problem| plan_problem(problem, &cell.model.chain)).collect())
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

const POSE: &str = r#""pose":{"position_mm":[0,0,80],"quaternion_wxyz":[0,0,1,0]}"#;

/// Instructions, where the mistake is, and a part of the message.
fn wrong_instructions() -> Vec<(String, &'static str, &'static str)> {
    let pose = POSE;
    let path = format!(r#""path":[{{"do":"move_l",{pose}}}]"#);
    let weld = r#""preflow_s":0.2,"v_mm_s":10,"current_a":200,"voltage_v":24,"postflow_s":0.5"#;
    vec![
        (r#"{"do":"fly"}"#.into(), "instructions[0].do", "found \"fly\""),
        (r#"{"time_s":1}"#.into(), "instructions[0].do", "missing"),
        ("7".into(), "instructions[0]", "found 7"),
        ("null".into(), "instructions[0]", "found null"),
        (r#"{"do":"wait","time_s":-1}"#.into(), "instructions[0].time_s", "too small"),
        (r#"{"do":"wait","time_ms":10}"#.into(), "instructions[0].time_ms", "unknown key"),
        (r#"{"do":"wait","time_s":"1 s"}"#.into(), "instructions[0].time_s", "found \"1 s\""),
        (r#"{"do":"wait","time_s":1,"time_s":2}"#.into(), "instructions[0].time_s", "written twice"),
        (r#"{"do":"move_j","speed_pct":50}"#.into(), "instructions[0].pose", "missing"),
        (
            format!(r#"{{"do":"move_j","joints_deg":[0,0,0,0,0,0],{pose},"speed_pct":50}}"#),
            "instructions[0].pose",
            "written beside",
        ),
        (
            r#"{"do":"move_j","joints_deg":[0,0,0,0,0],"speed_pct":50}"#.into(),
            "instructions[0].joints_deg",
            "a list of 5",
        ),
        (
            r#"{"do":"move_j","joints_deg":[0,0,90,0,0,0],"speed_pct":50}"#.into(),
            "instructions[0].joints_deg[2]",
            "90 is too large",
        ),
        (format!(r#"{{"do":"move_j",{pose}}}"#), "instructions[0].speed_pct", "missing"),
        (format!(r#"{{"do":"move_j",{pose},"speed_pct":0}}"#), "instructions[0].speed_pct", "too small"),
        (format!(r#"{{"do":"move_j",{pose},"speed_pct":101}}"#), "instructions[0].speed_pct", "too large"),
        (format!(r#"{{"do":"move_l",{pose}}}"#), "instructions[0].v_mm_s", "missing"),
        (format!(r#"{{"do":"move_l",{pose},"v_m_s":0.1}}"#), "instructions[0].v_m_s", "unknown key"),
        (format!(r#"{{"do":"move_l",{pose},"v_mm_s":1e9}}"#), "instructions[0].v_mm_s", "too large"),
        (
            format!(r#"{{"do":"move_l",{pose},"v_mm_s":10,"v_cm_min":60}}"#),
            "instructions[0].v_cm_min",
            "written beside",
        ),
        (
            format!(r#"{{"do":"move_l",{pose},"v_mm_s":10,"policy":"hope"}}"#),
            "instructions[0].policy",
            "found \"hope\"",
        ),
        (
            format!(
                r#"{{"do":"move_l",{pose},"v_mm_s":10,"configuration":{{"shoulder":"front","wrist":"flip"}}}}"#
            ),
            "instructions[0].configuration.elbow",
            "missing",
        ),
        (
            format!(r#"{{"do":"move_l",{pose},"v_mm_s":10,"configuration":{{"turns":[0,0,0,0,0]}}}}"#),
            "instructions[0].configuration.turns",
            "a list of 5",
        ),
        (
            format!(r#"{{"do":"move_j",{pose},"speed_pct":10,"configuration_mode":"nearest"}}"#),
            "instructions[0].configuration",
            "missing",
        ),
        (
            format!(r#"{{"do":"move_c",{pose},"via_mm":[0,0,9],"v_mm_s":10,"turn_mode":"use"}}"#),
            "instructions[0].configuration",
            "missing",
        ),
        (
            format!(r#"{{"do":"move_l",{pose},"v_mm_s":10,"singularity":"orientation_error"}}"#),
            "instructions[0].orientation_error_max_deg",
            "missing",
        ),
        (
            format!(
                r#"{{"do":"move_l",{pose},"v_mm_s":10,"singularity":"slow_down","orientation_error_max_deg":2}}"#
            ),
            "instructions[0].orientation_error_max_deg",
            "no such error",
        ),
        (
            format!(r#"{{"do":"move_l",{pose},"v_mm_s":10,"external":{{"track":1}}}}"#),
            "instructions[0].external.track",
            "unknown joint",
        ),
        (
            format!(r#"{{"do":"move_l",{pose},"v_mm_s":10,"external_mode":"away"}}"#),
            "instructions[0].external_mode",
            "found \"away\"",
        ),
        (
            format!(r#"{{"do":"move_j",{pose},"speed_pct":10,"arm_angle_deg":400}}"#),
            "instructions[0].arm_angle_deg",
            "400 is too large",
        ),
        (
            r#"{"do":"move_j","joints_deg":[0,0,0,0,0,0],"speed_pct":50,"turn_mode":"same"}"#.into(),
            "instructions[0].turn_mode",
            "written beside `joints_deg`",
        ),
        (
            r#"{"do":"move_l","v_mm_s":10,"pose":{"position_mm":[0,0,0],"quaternion_wxyz":[1,1,0,0]}}"#
                .into(),
            "instructions[0].pose.quaternion_wxyz",
            "the length is 1.4142",
        ),
        (
            r#"{"do":"move_l","v_mm_s":10,"pose":{"position_mm":[0,null,0],"quaternion_wxyz":[1,0,0,0]}}"#
                .into(),
            "instructions[0].pose.position_mm[1]",
            "found null",
        ),
        (format!(r#"{{"do":"move_c",{pose},"v_mm_s":10}}"#), "instructions[0].via_mm", "missing"),
        (
            r#"{"do":"wait_input","input":"door","on":true,"timeout_s":1}"#.into(),
            "instructions[0].input",
            "unknown digital input `door`",
        ),
        (
            r#"{"do":"wait_input","input":"part_clamped","on":1,"timeout_s":1}"#.into(),
            "instructions[0].on",
            "found 1",
        ),
        (
            r#"{"do":"set_output","output":"siren","on":true}"#.into(),
            "instructions[0].output",
            "unknown digital output",
        ),
        (
            r#"{"do":"set_analog","output":"current","value":100,"unit":"A"}"#.into(),
            "instructions[0].output",
            "this output belongs to the welding process",
        ),
        (
            r#"{"do":"set_analog","output":"voltage","value":20,"unit":"V"}"#.into(),
            "instructions[0].output",
            "this output belongs to the welding process",
        ),
        (
            r#"{"do":"set_output","output":"gas","on":true}"#.into(),
            "instructions[0].output",
            "this output belongs to the welding process",
        ),
        (format!(r#"{{"do":"seam",{path}}}"#), "instructions[0].weld", "a seam without process data"),
        (
            format!(r#"{{"do":"seam","weld_schedule":"butt",{path}}}"#),
            "instructions[0].weld_schedule",
            "unknown data set `butt`",
        ),
        (
            format!(r#"{{"do":"seam","weld_schedule":"fillet-4mm","weld":{{{weld}}},{path}}}"#),
            "instructions[0].weld_schedule",
            "a second process",
        ),
        (
            r#"{"do":"seam","weld_schedule":"fillet-4mm","path":[]}"#.into(),
            "instructions[0].path",
            "a list of 0",
        ),
        (
            format!(
                r#"{{"do":"seam","weld_schedule":"fillet-4mm","path":[{{"do":"move_l","v_mm_s":5,{pose}}}]}}"#
            ),
            "instructions[0].path[0].v_mm_s",
            "no speed of its own",
        ),
        (
            format!(r#"{{"do":"seam","weld_schedule":"fillet-4mm","path":[{{"do":"move_j",{pose}}}]}}"#),
            "instructions[0].path[0].do",
            "found \"move_j\"",
        ),
        (
            format!(r#"{{"do":"seam","weld":{{{}}},{path}}}"#, weld.replace("200", "2000")),
            "instructions[0].weld.current_a",
            "2000 is too large",
        ),
        (
            format!(r#"{{"do":"seam","weld":{{{}}},{path}}}"#, weld.replace("\"voltage_v\":24,", "")),
            "instructions[0].weld.voltage_v",
            "missing",
        ),
        (
            format!(r#"{{"do":"seam","weld":{{{weld},"crater":{{"current_a":100,"time_s":1}}}},{path}}}"#),
            "instructions[0].weld.crater.voltage_v",
            "missing",
        ),
        (
            format!(
                r#"{{"do":"seam","weld":{{{weld},"ignition_timeout_s":0.5,"arc_confirm_s":0.6}},{path}}}"#
            ),
            "instructions[0].weld.ignition_timeout_s",
            "no time to confirm",
        ),
        (
            format!(
                r#"{{"do":"seam","weld":{{{},"v_mm_s":200}},{path}}}"#,
                weld.replace("\"v_mm_s\":10,", "")
            ),
            "instructions[0].weld.v_mm_s",
            "200 is too large",
        ),
    ]
}

#[test]
fn each_mistake_of_an_instruction_is_reported_once_at_its_place() {
    for (instruction, place, message) in wrong_instructions() {
        let found = problems(&job_of(&instruction));
        let hit = found.iter().find(|problem| problem.place == place && problem.message.contains(message));
        assert!(hit.is_some(), "{instruction}\nexpected {place}: …{message}…, found\n{}", lines(&found));
        for problem in &found {
            assert!(!problem.allowed.is_empty() && !problem.remedy.is_empty(), "{problem}");
        }
        // A wrong key is unknown, and the right one is missing: two problems, one mistake.
        let unknown = usize::from(found.iter().any(|problem| problem.message == "unknown key"));
        assert!(found.len() <= 1 + unknown, "{instruction}\n{}", lines(&found));
    }
}

#[test]
fn all_mistakes_of_a_document_are_reported_at_once() {
    let wrong = wrong_instructions();
    let instructions: Vec<_> = wrong.iter().map(|(instruction, _, _)| instruction.as_str()).collect();
    let found = problems(&job_of(&instructions.join(",")));
    for (number, (_, place, message)) in wrong.iter().enumerate() {
        let place = place.replacen("[0]", &format!("[{number}]"), 1);
        assert!(
            found.iter().any(|problem| problem.place == place && problem.message.contains(message)),
            "{place}: {message}\n{}",
            lines(&found)
        );
    }
}

#[test]
fn each_mistake_of_the_head_is_reported_at_its_place() {
    for (from, to, place, message) in [
        ("\"motiond-job\"", "\"gcode\"", "format", "found \"gcode\""),
        ("\"format_version\": 1", "\"format_version\": 2", "format_version", "2 is too large"),
        ("\"name\": \"weld-sample\"", "\"name\": \"\"", "name", "found \"\""),
        ("\"tool\": \"torch\"", "\"tool\": \"gripper\"", "tool", "unknown tool `gripper`"),
        ("\"work_object\": \"table\"", "\"work_object\": 3", "work_object", "found 3"),
        (
            "\"work_object\": \"table\"",
            "\"work_object\": \"bed\"",
            "work_object",
            "unknown work object `bed`",
        ),
        ("\"instructions\": [", "\"steps\": [", "instructions", "missing"),
        ("\"name\"", "\"start\": {\"joints_deg\": [0,0,0,0,0,900]}, \"name\"", "start.joints_deg[5]", "900"),
    ] {
        let found = problems(&changed(from, to));
        let hit = found.iter().any(|problem| problem.place == place && problem.message.contains(message));
        assert!(hit, "{to}\n{}", lines(&found));
    }
}

#[test]
fn unknown_names_are_answered_with_the_known_ones() {
    let found = problems(&changed("\"tool\": \"torch\"", "\"tool\": \"gripper\""));
    assert_eq!(found[0].allowed, "`torch`");
    let found = problems(&job_of(r#"{"do":"set_output","output":"siren","on":true}"#));
    assert!(found[0].allowed.contains("`beacon`"), "{}", found[0]);
}

#[test]
fn text_that_is_not_json_is_refused_with_its_line() {
    for text in ["", "{", "[1,", "{\"name\": NaN}", "{\"name\": 1e999}", "\u{feff}{}", "{\"a\":1}}"] {
        let found = problems(text);
        assert_eq!(found.len(), 1, "{text}");
        assert!(found[0].place.starts_with("line "), "{}", found[0]);
    }
    let found = problems(&"[".repeat(200_000));
    assert!(found[0].message.contains("nested deeper"), "{}", found[0]);
    let found = problems(&format!("\"{}\"", "x".repeat(2 << 20)));
    assert!(found[0].message.contains("too many"), "{}", found[0]);
}

#[test]
fn a_flood_of_keys_is_answered_quickly_and_briefly() {
    let keys: Vec<_> = (0..60_000).map(|number| format!("\"key{number}\":1")).collect();
    let found = problems(&format!("{{{}}}", keys.join(",")));
    assert_eq!(found.len(), crate::config::problem::PROBLEMS_MAX + 1);
}

#[test]
fn the_speed_may_be_written_in_both_units() {
    let job = read_job(
        &job_of(&format!(
            r#"{{"do":"move_l",{POSE},"v_mm_s":10}},{{"do":"move_l",{POSE},"v_cm_min":60,"a_mm_s2":500}}"#
        )),
        &cell(),
    )
    .expect("valid");
    let [Instruction::Move(first), Instruction::Move(second)] = job.instructions.as_slice() else {
        panic!("two motions were written");
    };
    assert!((first.speed - 0.01).abs() < 1e-12);
    assert!((second.speed - 0.01).abs() < 1e-12);
    assert!((second.acceleration.expect("written") - 0.5).abs() < 1e-12);
}

#[test]
fn the_sample_job_expands_into_motions_in_the_base_frame_around_one_process() {
    let job = read_job(embedded::SAMPLE_JOB, &cell()).unwrap_or_else(|found| panic!("{}", lines(&found)));
    let program = expand(&job);
    let kinds: Vec<String> = program
        .steps
        .iter()
        .map(|step| {
            let kind = match &step.kind {
                StepKind::Unreadable => "unreadable".to_owned(),
                StepKind::MoveJoint { .. } => "move_j".to_owned(),
                StepKind::MoveLinear { x_base_tool, speed_m_s, .. } => {
                    format!("move_l x {:.3} m, {speed_m_s:.3} m/s", x_base_tool.translation.x)
                }
                StepKind::MoveCircular { via_in_base, x_base_tool, .. } => {
                    format!("move_c via x {:.3} m, x {:.3} m", via_in_base.x, x_base_tool.translation.x)
                }
                StepKind::ProcessStart(table) => format!("process {}", table.number),
                StepKind::ProcessEnd => "process ends".to_owned(),
                StepKind::Dwell(time) => format!("dwell {time} s"),
                StepKind::Output(_) => "output".to_owned(),
                StepKind::WaitInput { .. } => "wait".to_owned(),
            };
            format!("{} {kind}", step.instruction)
        })
        .collect();
    insta::assert_snapshot!(kinds.join("\n"), @"
    0 output
    1 move_j
    2 move_j
    3 move_l x 0.850 m, 0.060 m/s
    4 dwell 0.2 s
    5 process 1
    5 move_l x 0.850 m, 0.010 m/s
    5 move_c via x 0.868 m, x 0.910 m
    5 move_l x 1.010 m, 0.010 m/s
    5 process ends
    6 move_l x 1.010 m, 0.100 m/s
    7 move_j
    8 output
    ");
    assert_eq!(job.seams().map(|seam| seam.name.as_str()).collect::<Vec<_>>(), ["front edge"]);
}

#[test]
fn the_sample_job_can_be_driven_by_the_shipped_arm() {
    let plan = plan_of(embedded::SAMPLE_JOB).unwrap_or_else(|found| panic!("{}", lines(&found)));
    assert!((35.0..60.0).contains(&plan.report.duration_s), "{} s", plan.report.duration_s);
    let seam: f64 = plan
        .report
        .segments
        .iter()
        .filter(|segment| segment.instruction == 5)
        .map(|segment| segment.length)
        .sum();
    assert!((seam - (0.25 + 0.06 * std::f64::consts::FRAC_PI_2)).abs() < 1e-6, "{seam} m");
}

#[test]
fn what_planning_refuses_is_reported_at_its_instruction() {
    let far = r#"{"do":"move_l","v_mm_s":100,"pose":{"position_mm":[3000,0,0],"quaternion_wxyz":[0,0,1,0]}}"#;
    let found = plan_of(&job_of(far)).expect_err("out of reach");
    assert_eq!(found[0].place, "instructions[0]");
    assert!(found[0].message.contains("reach"), "{}", found[0]);
    assert!(!found[0].remedy.is_empty());
}

#[test]
fn a_target_takes_branch_and_turns_as_the_solver_prints_them_and_the_report_shows_them() {
    let flags =
        r#""configuration":{"shoulder":"front","elbow":"up","wrist":"flip","turns":[0,0,0,0,0,TURN]}"#;
    let flags = |turn: i8| flags.replace("TURN", &turn.to_string());
    let pose = r#""pose":{"position_mm":[-100,0,300],"quaternion_wxyz":[0,0,1,0]}"#;
    let planned =
        |turn| plan_of(&job_of(&format!(r#"{{"do":"move_j",{pose},"speed_pct":50,{}}}"#, flags(turn))));
    let turns: Vec<i8> = (-2..=2).filter(|turn| planned(*turn).is_ok()).collect();
    assert!(!turns.is_empty());
    let turn = turns[0];
    let plan = planned(turn).expect("was planned");
    let flags = flags(turn);
    let segment = plan.report.segments.last().expect("one motion");
    let branch = segment.configuration.expect("a spherical wrist");
    assert_eq!((branch.to_string().as_str(), segment.turns[5]), ("front, up, flip", turn));
    // A line from there to the other branch, and one that must not wind joint 6 further.
    let other = flags.replace("\"flip\"", "\"noflip\"");
    let line = |asked: &str| {
        format!(
            r#"{{"do":"move_j",{pose},"speed_pct":50,{flags}}},{{"do":"move_l",{},"v_mm_s":50,{asked}}}"#,
            pose.replace("-100", "-60")
        )
    };
    let found = plan_of(&job_of(&line(&other))).expect_err("another branch");
    assert_eq!(found[0].place, "instructions[1]");
    assert!(found[0].to_string().contains("front, up, flip and keeps it"), "{}", found[0]);
    let flags = format!(r#"{flags},"turn_mode":"free""#);
    plan_of(&job_of(&line(&flags))).unwrap_or_else(|found| panic!("{}", lines(&found)));
}

#[test]
fn a_job_with_a_start_is_refused_elsewhere() {
    let cell = cell();
    let start = r#""start": {"joints_deg": [0, -20, 30, 0, 75, 0]}, "name""#;
    let job = read_job(&changed("\"name\"", start), &cell).expect("valid");
    assert_eq!(start_problem(&job, &cell.simulation.start_joints, &cell.model.chain), None);
    let mut q = cell.simulation.start_joints;
    q.set(4, q.get(4) + 0.01);
    let problem = start_problem(&job, &q, &cell.model.chain).expect("half a degree off");
    assert_eq!(problem.place, "start.joints_deg[4]");
    q.set(4, f64::NAN);
    assert!(start_problem(&job, &q, &cell.model.chain).is_some());
}
