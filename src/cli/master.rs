//! `motiond master`: where the joints are, said, confirmed or shown.

use clap::Args;
use serde_json::{Value, json};

use super::Exit;
use super::client::{ControlOptions, Ended, connect, under_lease};

/// Arguments of `motiond master`.
#[derive(Clone, Debug, Args)]
pub struct MasterArguments {
    /// The joint, from 1
    #[arg(long, value_name = "N", requires = "doing")]
    joint: Option<u8>,
    /// The joint stands at this position, deg (of a sliding joint mm)
    #[arg(long, value_name = "DEG", group = "doing", requires = "joint", allow_negative_numbers = true)]
    at: Option<f64>,
    /// The position shown is right: of --joint, else of every joint
    #[arg(long, group = "doing")]
    accept: bool,
    /// How control is taken
    #[command(flatten)]
    pub(super) control: ControlOptions,
}

pub(super) fn master(arguments: &MasterArguments) -> Ended {
    let control = &arguments.control;
    if let Some(at) = arguments.at {
        under_lease("master.set", &json!({"joint": arguments.joint, "at": at}), &[], control)?;
    } else if arguments.accept {
        let params = arguments.joint.map_or_else(|| json!({}), |joint| json!({"joint": joint}));
        under_lease("master.accept", &params, &[], control)?;
    }
    let status = connect(&control.client, "master")?.call("master.status", &json!({}))?;
    let trusted =
        status["joints"].as_array().is_some_and(|joints| joints.iter().all(|joint| joint["trusted"] == true));
    let exit = if trusted { Exit::Success } else { Exit::NotCompleted };
    let text = text(&status);
    Ok((exit, status, text))
}

/// What `master.status` answered, a line a joint.
fn text(status: &Value) -> String {
    let joints = status["joints"].as_array().map_or(&[][..], Vec::as_slice);
    let mut lines: Vec<String> = joints
        .iter()
        .map(|joint| {
            let position =
                joint["position"].as_f64().map_or_else(|| "unknown".to_owned(), |at| format!("{at:10.4}"));
            let trust = match joint["message"].as_str() {
                Some(reason) => format!("NOT relied on: {reason}"),
                None => "relied on".to_owned(),
            };
            format!("joint {:2}: {position}  {trust}", joint["joint"].as_u64().unwrap_or_default())
        })
        .collect();
    lines.push(match (status["recorded"] == true, status["failure"].as_str()) {
        (true, _) => "recorded".to_owned(),
        (false, Some(failure)) => format!("NOT recorded: {failure}"),
        (false, None) => "not recorded: this daemon keeps no record".to_owned(),
    });
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_stands_beside_the_joint_it_concerns() {
        let status = json!({"recorded": true, "failure": null, "joints": [
            {"joint": 1, "position": 12.5, "trusted": true, "reason": null, "message": null},
            {"joint": 2, "position": -90.0, "trusted": false, "reason": "moved", "message": "it moved"},
        ]});
        assert_eq!(
            text(&status),
            "joint  1:    12.5000  relied on\njoint  2:   -90.0000  NOT relied on: it moved\nrecorded"
        );
    }
}
