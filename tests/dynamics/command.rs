//! `motiond model dynamics` as a shell sees it.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

/// Runs `motiond model dynamics` with `arguments` and one question a line; exit code, answers, error text.
fn ask(arguments: &[&str], questions: &[String]) -> (i32, Vec<Value>, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_motiond"))
        .args(["model", "dynamics"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that refuses its arguments does not read.
    let _unread = child.stdin.take().unwrap().write_all(questions.join("\n").as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let answers = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (output.status.code().unwrap(), answers, String::from_utf8(output.stderr).unwrap())
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|entry| entry.as_f64().unwrap()).collect()
}

const ARM: [&str; 2] = ["--model", "six-axis-8kg"];

#[test]
fn torques_and_accelerations_are_answers_to_each_other() {
    let (q, qd, qdd) = (
        [0.1, -0.4, 0.6, 0.3, 0.8, -1.0],
        [0.5, -0.2, 1.0, 2.0, -1.5, 3.0],
        [1.0, 2.0, -3.0, 4.0, 5.0, -6.0],
    );
    let payload = json!({"mass_kg": 5.0, "center_of_mass_m": [0.0, 0.02, 0.1], "inertia_kg_m2": [[0.02, 0.0, 0.0], [0.0, 0.03, 0.0], [0.0, 0.0, 0.01]]});
    let asked = json!({"q": q, "qd": qd, "qdd": qdd, "payload": payload, "gravity": [0.0, 6.0, -7.0]});
    let (code, answers, _) = ask(&ARM, &[asked.to_string()]);
    assert_eq!(code, 0);
    let torques = numbers(&answers[0]["tau_nm"]);
    let asked = json!({"q": q, "qd": qd, "tau_nm": torques, "payload": payload, "gravity": [0.0, 6.0, -7.0]});
    let (_, answers, _) = ask(&ARM, &[asked.to_string()]);
    for (found, wanted) in numbers(&answers[0]["qdd"]).into_iter().zip(qdd) {
        assert!((found - wanted).abs() < 1e-9, "{found} {wanted}");
    }
}

#[test]
fn a_bad_line_is_answered_with_its_number_and_the_rest_goes_on() {
    let good = json!({"q": [0, 0, 0, 0, 0, 0], "qd": [0, 0, 0, 0, 0, 0], "qdd": [0, 0, 0, 0, 0, 0]});
    let with = |key: &str, value: Value| {
        let mut question = good.clone();
        question[key] = value;
        question.to_string()
    };
    let questions = [
        good.to_string(),
        with("qdd", json!([1, 2])),
        with("tau_nm", json!([0, 0, 0, 0, 0, 0])),
        with("payload", json!({"mass_kg": -1.0})),
        with("payload", json!({"mass": 1.0})),
        with(
            "payload",
            json!({"mass_kg": 1.0, "inertia_kg_m2": [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 9.0]]}),
        ),
        with("gravity", json!([0.0, 0.0, -9810.0])),
        with("speed", json!(1)),
        good.to_string(),
    ];
    let (code, answers, _) = ask(&ARM, &questions);
    assert_eq!(code, 1);
    let lines: Vec<Option<u64>> = answers.iter().map(|answer| answer["line"].as_u64()).collect();
    assert_eq!(lines, [None, Some(2), Some(3), Some(4), Some(5), Some(6), Some(7), Some(8), None]);
    assert_eq!(answers[0], answers[8]);
    assert!(answers[5]["error"].as_str().unwrap().contains("principal"), "{}", answers[5]);
}

#[test]
fn an_arm_without_masses_is_refused_with_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("arm.urdf");
    std::fs::write(
        &file,
        r#"<robot name="bare"><link name="a"/><link name="b"/><joint name="j" type="revolute"><parent link="a"/>
           <child link="b"/><axis xyz="0 0 1"/><limit lower="-1" upper="1" effort="0" velocity="1"/></joint></robot>"#,
    )
    .unwrap();
    let (code, answers, error) = ask(&["--urdf", file.to_str().unwrap()], &[]);
    assert_eq!((code, answers.len()), (1, 0));
    assert!(error.contains("<inertial>"), "{error}");
}
