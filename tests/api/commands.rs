//! The client subcommands, from the shell's point of view: output and exit code of the real binary.

use std::path::Path;
use std::process::{Command, Output};

use motiond::api::session::Limits;
use serde_json::{Value, json};

use crate::sockets::Server;

fn motiond(socket: &Path, arguments: &[&str]) -> (i32, Value, String) {
    let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_motiond"))
        .args(arguments)
        .arg("--socket")
        .arg(socket)
        .arg("--json")
        .output()
        .unwrap();
    let text = String::from_utf8(stdout).unwrap();
    let value = serde_json::from_str(text.trim()).unwrap_or(Value::Null);
    (status.code().unwrap(), value, String::from_utf8(stderr).unwrap())
}

#[test]
fn a_job_is_submitted_followed_and_answered_by_the_exit_code() {
    let server = Server::start(Limits::default());
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, document: &Value| {
        let path = folder.path().join(name);
        std::fs::write(&path, document.to_string()).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let good = write("good.json", &json!({"name": "good", "pieces": 5}));
    let far = write("far.json", &json!({"name": "far", "far": true}));
    let bad = write("bad.json", &json!({}));
    let socket = server.path();

    let (code, value, _) = motiond(&socket, &["submit", &good]);
    assert_eq!((code, value["error"]["name"].as_str()), (1, Some("not_enabled")), "{value}");
    let (code, value, _) = motiond(&socket, &["submit", &good, "--enable"]);
    assert_eq!((code, value["state"].as_str()), (0, Some("completed")), "{value}");
    let (code, value, _) = motiond(&socket, &["submit", &good, "--attend"]);
    assert_eq!((code, value["state"].as_str()), (0, Some("completed")), "{value}");
    let (code, value, _) = motiond(&socket, &["submit", &far]);
    assert_eq!((code, value["error"]["name"].as_str()), (1, Some("job_invalid")), "{value}");
    let (code, value, _) = motiond(&socket, &["submit", &far, "--check"]);
    assert_eq!((code, &value["ok"]), (1, &json!(false)), "{value}");
    let (code, value, _) = motiond(&socket, &["submit", &bad]);
    assert_eq!((code, value["error"]["problems"][1]["where"].as_str()), (1, Some("pieces")), "{value}");
    let (code, value, _) = motiond(&socket, &["override", "50"]);
    assert_eq!((code, &value["ok"], &value["override_percent"]), (0, &json!(true), &json!(50.0)), "{value}");
    let (code, _, text) = motiond(&socket, &["override", "NaN"]);
    assert!(code == 2 && text.contains("allowed: 1 to 100 %"), "{text}");
    let (code, value, _) = motiond(&socket, &["override", "0"]);
    assert_eq!((code, value["error"]["name"].as_str()), (1, Some("invalid_params")), "{value}");
    let (code, value, _) = motiond(&socket, &["resume"]);
    assert_eq!((code, value["error"]["name"].as_str()), (1, Some("wrong_state")), "{value}");
    let (code, value, _) = motiond(&socket, &["hold"]);
    assert_eq!((code, value["error"]["name"].as_str()), (1, Some("wrong_state")), "{value}");
    let (code, value, _) = motiond(&socket, &["status"]);
    assert_eq!((code, value["state"].as_str()), (0, Some("ready")), "{value}");
    let (code, value, _) = motiond(&socket, &["disable"]);
    assert_eq!((code, value["state"].as_str()), (0, Some("disabled")), "{value}");
    server.end();
    let (code, value, _) = motiond(&socket, &["status"]);
    assert_eq!((code, value["error"]["name"].as_str()), (4, Some("no_daemon")), "{value}");
}

#[test]
fn without_json_errors_say_cause_and_remedy_on_standard_error() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_motiond"))
        .args(["hold", "--socket"])
        .arg(folder.path().join("nobody.sock"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(4));
    assert!(output.stdout.is_empty());
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(
        text.contains("no daemon can be reached") && text.contains("start one with `motiond run`"),
        "{text}"
    );
}
