//! Pinocchio as a peer: a Python process that is asked, round by round, how long a call takes.

use std::cell::RefCell;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use motiond::config::kinematic_model::{EmbeddedModel, KinematicModel};
use motiond::joints::JointVector;
use serde_json::{Value, json};

/// Beside this file.
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers/pinocchio_peer.py");

/// What its times are.
pub(crate) const NAME: &str = "Pinocchio over Python, empty call taken off";

/// The process, if there is one.
pub(crate) struct Pinocchio {
    talk: RefCell<Option<Talk>>,
}

struct Talk {
    child: Child,
    asks: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Pinocchio {
    /// Starts it, or says why there is none.
    pub(crate) fn start() -> Self {
        let talk = Talk::start();
        match &talk {
            Ok((_, version)) => println!("Pinocchio {version} over Python is in the same run"),
            Err(reason) => {
                println!("Pinocchio is NOT measured: {reason}; `python3 -m pip install pin` brings it");
            }
        }
        Self { talk: RefCell::new(talk.ok().map(|(talk, _)| talk)) }
    }

    /// Hands over a model and the joint positions, speeds and accelerations that are gone through.
    pub(crate) fn load(
        &self,
        embedded: &EmbeddedModel,
        model: &KinematicModel,
        rows: &[(JointVector, JointVector, JointVector)],
    ) {
        let list = |of: &dyn Fn(&(JointVector, JointVector, JointVector)) -> JointVector| -> Vec<Vec<f64>> {
            rows.iter().map(|row| of(row).as_slice().to_vec()).collect()
        };
        self.ask(&json!({
            "load": embedded.urdf, "joints": model.joint_names, "base": model.base_link, "tip": model.tip_link,
            "q": list(&|row| row.0), "qd": list(&|row| row.1), "qdd": list(&|row| row.2),
        }));
    }

    /// Time of one call of `work` on the loaded model, ns.
    pub(crate) fn time(&self, work: &str) -> Option<f64> {
        self.ask(&json!({ "time": work }))?.as_f64()
    }

    /// What `work` gives for each row of the loaded model.
    pub(crate) fn values(&self, work: &str) -> Option<Vec<Vec<f64>>> {
        serde_json::from_value(self.ask(&json!({ "values": work }))?).ok()
    }

    fn ask(&self, question: &Value) -> Option<Value> {
        let mut talk = self.talk.borrow_mut();
        let answer = talk.as_mut()?.ask(question);
        if answer.is_none() {
            println!("Pinocchio ended without an answer");
            *talk = None;
        }
        answer
    }
}

impl Talk {
    fn start() -> Result<(Self, String), String> {
        let mut child = Command::new("python3")
            .arg(SCRIPT)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("python3: {error}"))?;
        let (Some(asks), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("python3 gave no pipes".to_string());
        };
        let mut talk = Self { child, asks, answers: BufReader::new(answers) };
        match talk.ask(&json!({ "version": true })) {
            Some(Value::String(version)) => Ok((talk, version)),
            _ => Err("the package `pin` cannot be imported".to_string()),
        }
    }

    fn ask(&mut self, question: &Value) -> Option<Value> {
        writeln!(self.asks, "{question}").ok()?;
        let mut line = String::new();
        self.answers.read_line(&mut line).ok()?;
        serde_json::from_str(&line).ok()
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        // It has nothing to lose; an error means that it has ended already.
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}
