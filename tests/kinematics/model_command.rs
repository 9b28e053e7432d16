//! `motiond model` as a shell sees it.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::Value;

/// Runs `motiond model` with `arguments`, gives it `input`; exit code and standard output.
fn model(arguments: &[&str], input: &str) -> (i32, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_motiond"))
        .arg("model")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program was built");
    // A program that refuses its arguments does not read.
    let _unread = child.stdin.take().expect("piped").write_all(input.as_bytes());
    let output = child.wait_with_output().expect("it ends");
    (output.status.code().expect("no signal"), String::from_utf8(output.stdout).expect("text"))
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn a_bad_line_is_answered_with_its_number_and_the_rest_goes_on() {
    let input = "{\"q\": [0,0,0,0,0,0]}\nnonsense\n\n{\"q\": [1]}\n{\"q\": [0,0,0,0,0,1e999]}\n{\"Q\": []}\n[]\n{\"q\": [0,0,0,0,0,\"x\"]}\n\
                 {\"q\": [0,0,0,0,0,0]}";
    let (code, text) = model(&["fk", "--model", "six-axis-8kg"], input);
    let answers = lines(&text);
    assert_eq!(code, 1, "{text}");
    let numbers: Vec<Option<u64>> = answers.iter().map(|answer| answer["line"].as_u64()).collect();
    assert_eq!(numbers, [None, Some(2), Some(4), Some(5), Some(6), Some(7), Some(8), None], "{text}");
    assert_eq!(answers[0], answers[7]);
    assert_eq!(answers[0]["position_m"].as_array().expect("three").len(), 3);
    assert_eq!(answers[0]["quaternion_wxyz"].as_array().expect("four").len(), 4);
    assert!(answers[2]["error"].as_str().expect("text").contains("joint_1"), "{text}");
}

#[test]
fn a_line_without_end_is_refused_and_the_next_one_answered() {
    let input = format!("{}\n{{\"q\": [0,0,0,0,0,0]}}\n", "x".repeat(3 << 20));
    let (_, text) = model(&["fk", "--model", "six-axis-8kg"], &input);
    let answers = lines(&text);
    assert_eq!(answers.len(), 2, "{text}");
    assert_eq!(answers[0]["line"], 1);
    assert!(answers[1]["position_m"].is_array());
}

#[test]
fn a_model_that_does_not_exist_is_a_mistake_with_the_names_that_do() {
    let (code, text) = model(&["check", "--model", "nothing", "--json"], "");
    assert_eq!(code, 1);
    assert!(text.contains("six-axis-8kg"), "{text}");
}

#[test]
fn collide_answers_distance_and_pair_and_goes_on_behind_a_bad_line() {
    let folded = [0.0, 130.0, 45.0, 0.0, 0.0, 0.0_f64].map(f64::to_radians);
    let input = format!("{{\"q\": [0,0,0,0,0,0]}}\n{{\"q\": [0]}}\n{{\"q\": {folded:?}}}\n");
    let (code, text) = model(&["collide", "--model", "six-axis-8kg"], &input);
    let answers = lines(&text);
    assert_eq!((code, answers.len()), (1, 3), "{text}");
    assert!(answers[0]["distance_m"].as_f64().expect("a number") > 0.05 && answers[0]["colliding"] == false);
    assert_eq!(answers[1]["line"], 2);
    assert!(answers[2]["distance_m"].as_f64().expect("a number") < 0.0 && answers[2]["colliding"] == true);
    assert!(answers[2]["pair"].to_string().contains("base_link"), "{text}");
    // The same without that pair; a link that does not exist is a mistake.
    let allowed = ["collide", "--model", "six-axis-8kg", "--allow", "base_link,link_4"];
    let (_, text) = model(&allowed, &format!("{{\"q\": {folded:?}}}\n"));
    assert_ne!(lines(&text)[0]["pair"], answers[2]["pair"], "{text}");
    assert_eq!(model(&["collide", "--model", "six-axis-8kg", "--allow", "arm,leg"], "").0, 1);
}

#[test]
fn workspace_and_picture_need_no_input_and_say_what_is_wrong_with_joints() {
    let (code, text) = model(&["workspace", "--model", "scara-6kg", "--samples", "5000"], "");
    let found: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(code, 0);
    assert!((found["reach_level_m"].as_f64().expect("a number") - 0.65).abs() < 0.01, "{text}");
    let (code, text) = model(&["picture", "--model", "scara-6kg"], "");
    assert!(code == 0 && text.starts_with("<svg") && text.trim_end().ends_with("</svg>"));
    assert_eq!(model(&["picture", "--model", "scara-6kg", "--q", "1,2"], "").0, 1);
}

#[test]
fn inverse_gives_the_branch_of_the_seed_and_with_all_every_branch_and_turn() {
    let q = [0.3, 0.2, 0.3, 0.4, 0.5, 0.6];
    let (_, text) = model(&["fk", "--model", "six-axis-8kg"], &serde_json::json!({"q": q}).to_string());
    let pose = lines(&text).remove(0);
    let ask = |more: Value| {
        let mut question = pose.clone();
        question.as_object_mut().expect("object").extend(more.as_object().expect("object").clone());
        let (code, text) = model(&["ik", "--model", "six-axis-8kg"], &question.to_string());
        assert_eq!(code, 0, "{text}");
        lines(&text).remove(0)
    };
    let near = |found: &Value, wanted: &[f64]| {
        let found = found.as_array().expect("a list");
        found.iter().zip(wanted).all(|(a, b)| (a.as_f64().expect("a number") - b).abs() < 1e-9)
    };
    let answer = ask(serde_json::json!({"seed": q}));
    assert_eq!(answer["solutions"].as_array().expect("a list").len(), 1, "{answer}");
    assert!(near(&answer["solutions"][0], &q), "{answer}");
    assert_eq!(answer["configuration"][0]["shoulder"], "front", "{answer}");
    assert_eq!(answer["configuration"][0]["elbow"], "up", "{answer}");
    assert_eq!(answer["configuration"][0]["wrist"], "noflip", "{answer}");

    let all = ask(serde_json::json!({"all": true}));
    let solutions = all["solutions"].as_array().expect("a list");
    assert!(solutions.len() >= 4 && solutions.iter().any(|found| near(found, &q)), "{all}");
    assert_eq!(solutions.len(), all["configuration"].as_array().expect("a list").len());
    // Every one leads back to the pose.
    let questions: String =
        solutions.iter().map(|q| serde_json::json!({"q": q}).to_string() + "\n").collect();
    let (_, text) = model(&["fk", "--model", "six-axis-8kg"], &questions);
    for reached in lines(&text) {
        let wanted: Vec<f64> = ["position_m", "quaternion_wxyz"]
            .iter()
            .flat_map(|key| pose[key].as_array().expect("numbers"))
            .map(|value| value.as_f64().expect("a number"))
            .collect();
        let (position, quaternion) = wanted.split_at(3);
        assert!(
            near(&reached["position_m"], position) && near(&reached["quaternion_wxyz"], quaternion),
            "{reached}"
        );
    }
}

#[test]
fn a_pose_out_of_reach_has_no_solution_and_a_bad_quaternion_is_refused() {
    let input = "{\"position_m\": [9, 0, 0], \"quaternion_wxyz\": [1, 0, 0, 0]}\n\
                 {\"position_m\": [1, 0, 0], \"quaternion_wxyz\": [1, 1, 0, 0]}\n";
    let (code, text) = model(&["ik", "--model", "six-axis-8kg"], input);
    let answers = lines(&text);
    assert_eq!(code, 1);
    assert_eq!(answers[0]["solutions"].as_array().map(Vec::len), Some(0), "{text}");
    assert_eq!(answers[1]["line"], 2, "{text}");
}

#[test]
fn a_mimic_joint_in_the_chain_has_no_entry_in_q_and_moves_with_the_other() {
    let urdf = "<robot name=\"two\"><link name=\"a\"/><link name=\"b\"/><link name=\"c\"/><link name=\"d\"/>\
        <joint name=\"j1\" type=\"revolute\"><parent link=\"a\"/><child link=\"b\"/><axis xyz=\"0 0 3\"/>\
        <limit lower=\"-3\" upper=\"3\" velocity=\"1\" effort=\"1\"/></joint>\
        <joint name=\"j2\" type=\"revolute\"><parent link=\"b\"/><child link=\"c\"/><origin xyz=\"1 0 0\"/>\
        <axis xyz=\"0 0 1\"/><mimic joint=\"j1\" multiplier=\"-1\"/><limit lower=\"-3\" upper=\"3\" velocity=\"1\" effort=\"1\"/></joint>\
        <joint name=\"j3\" type=\"fixed\"><parent link=\"c\"/><child link=\"d\"/><origin xyz=\"1 0 0\"/></joint></robot>";
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("two.urdf");
    std::fs::write(&path, urdf).expect("written");
    let half_pi = std::f64::consts::FRAC_PI_2;
    let (code, text) =
        model(&["jacobian", "--urdf", path.to_str().expect("text")], &format!("{{\"q\": [{half_pi}]}}"));
    assert_eq!(code, 0, "{text}");
    let answer = lines(&text).remove(0);
    // The first link points along y, the second still along x.
    let position: Vec<f64> = answer["position_m"]
        .as_array()
        .expect("three")
        .iter()
        .map(|v| v.as_f64().expect("a number"))
        .collect();
    assert!((position[0] - 1.0).abs() < 1e-15 && (position[1] - 1.0).abs() < 1e-15, "{text}");
    let row = |row: usize| answer["jacobian"][row][0].as_f64().expect("a number");
    assert!((row(0) + 1.0).abs() < 1e-15 && row(5).abs() < 1e-15, "{text}");
}
