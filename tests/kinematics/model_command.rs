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
