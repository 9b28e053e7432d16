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
