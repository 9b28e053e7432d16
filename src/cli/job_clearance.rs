//! The closest places of a planned job in words: what the pre-flight report says of them, and what is refused.

use serde_json::{Value, json};

use super::assembly::Assembly;
use crate::collision::Meeting;
use crate::config::cell::NamedGuard;
use crate::config::collision_model::CollisionModelError;
use crate::config::problem::Problem;
use crate::planning::{Plan, SegmentClearance, clearances};

/// The closest places of a job that keeps its distance.
#[derive(Debug)]
pub struct JobClearance {
    segments: Vec<(SegmentClearance, [String; 2])>,
}

/// Looks at every motion of a plan; `None`: the cell says nothing of collisions.
///
/// # Errors
/// Every motion that comes nearer than the margin of the cell, or an arm without shapes to look at.
pub fn examine(assembly: &Assembly, tool: &str, plan: &Plan) -> Result<Option<JobClearance>, Vec<Problem>> {
    let cell = &assembly.cell;
    let (Some(settings), Some(named)) = (&cell.collision, assembly.guard(tool)?) else { return Ok(None) };
    let segments: Vec<_> = clearances(plan, &cell.model.chain, &named.guard)
        .into_iter()
        .map(|segment| (segment, names(named, segment.clearance.meeting)))
        .collect();
    let refused: Vec<Problem> = segments
        .iter()
        .filter(|(segment, _)| segment.clearance.distance_m < settings.margin)
        .map(|(segment, [one, other])| refusal(segment, one, other, settings.margin))
        .collect();
    if refused.is_empty() { Ok(Some(JobClearance { segments })) } else { Err(refused) }
}

/// The arm has no shapes whose distance could be looked at.
pub(super) fn no_shapes(error: &CollisionModelError) -> Problem {
    Problem::new(
        "collision",
        error.to_string(),
        "a robot whose links have simple shapes",
        "give the URDF simple collision shapes, or remove the section",
    )
}

fn refusal(segment: &SegmentClearance, one: &str, other: &str, margin: f64) -> Problem {
    let distance_mm = segment.clearance.distance_m * 1e3;
    let how = match segment.clearance.meeting {
        Meeting::Capsules(_) if distance_mm <= 0.0 => {
            format!("{one} and {other} collide, {:.1} mm deep,", -distance_mm)
        }
        Meeting::Capsules(_) => format!("{one} and {other} come within {distance_mm:.1} mm of each other"),
        Meeting::Area { .. } if distance_mm <= 0.0 => {
            format!("{one} breaks the {other} by {:.1} mm", -distance_mm)
        }
        Meeting::Area { .. } => format!("{one} comes within {distance_mm:.1} mm of breaking the {other}"),
    };
    Problem::new(
        format!("instructions[{}]", segment.instruction),
        format!("{how} at {:.4} m of the path (rad where joints or the tool only turn)", segment.s),
        format!("a distance of at least {:.1} mm", margin * 1e3),
        "move the path or come from another side; `collision.margin_mm` and `collision.allowed` are in the cell file",
    )
}

/// What meets, in words.
fn names(named: &NamedGuard, meeting: Meeting) -> [String; 2] {
    let capsule = |index: u8| named.capsules.get(usize::from(index)).cloned().unwrap_or_default();
    match meeting {
        Meeting::Capsules(pair) => [capsule(pair.0), capsule(pair.1)],
        Meeting::Area { area, capsule: index } => [
            index.map_or_else(|| "the tool centre point".to_owned(), capsule),
            format!("area `{}`", named.areas.get(usize::from(area)).map_or("", String::as_str)),
        ],
    }
}

impl JobClearance {
    /// Adds `clearance`, the closest place of the job, to a pre-flight report, and to each of its segments its own.
    pub fn add_to(&self, report: &mut Value) {
        let entry = |(segment, between): &(SegmentClearance, [String; 2])| {
            json!({
                "distance_mm": segment.clearance.distance_m * 1e3,
                "instruction": segment.instruction,
                "s": segment.s,
                "between": between,
            })
        };
        if let Some(segments) = report["segments"].as_array_mut() {
            for (reported, found) in segments.iter_mut().zip(&self.segments) {
                reported["clearance"] = entry(found);
            }
        }
        let closest = self
            .segments
            .iter()
            .min_by(|(a, _), (b, _)| a.clearance.distance_m.total_cmp(&b.clearance.distance_m));
        report["clearance"] = closest.map_or(Value::Null, entry);
    }

    /// The line of a report for people that says where the job is closest.
    #[must_use]
    pub fn line(report: &Value) -> Option<String> {
        let closest = report["clearance"].as_object()?;
        let number = |key: &str| closest.get(key).and_then(Value::as_f64);
        let name = |index: usize| closest.get("between").and_then(|names| names[index].as_str());
        Some(format!(
            "closest: {} and {}, {:.1} mm, in instruction {} at {:.4} (m or rad)",
            name(0)?,
            name(1)?,
            number("distance_mm")?,
            closest.get("instruction")?,
            number("s")?,
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::super::job_planner::CellPlanner;
    use super::*;
    use crate::jobs::planning_desk::JobPlanner as _;
    use crate::joints::JointVector;

    /// The sample cell with `more` in its collision section instead of what is there.
    fn cell(more: &str) -> Assembly {
        let text = include_str!("../../config/simulated-cell.toml");
        let (before, rest) = text.split_once("margin_mm = 5.0").expect("the section");
        let (_, after) = rest.split_once("[tools.torch]").expect("the tool");
        let text = format!("{before}{more}\n\n[tools.torch]{after}");
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("cell.toml");
        std::fs::write(&path, text).expect("written");
        Assembly::load(Some(&path)).unwrap_or_else(|problems| panic!("{problems:?}"))
    }

    fn planned(assembly: Assembly, joints_deg: &str) -> Result<Value, Vec<Problem>> {
        let start: JointVector = assembly.cell.simulation.start_joints;
        let job = format!(
            r#"{{"format": "motiond-job", "format_version": 1, "name": "there", "tool": "torch", "work_object": "table",
                "instructions": [{{"do": "wait", "time_s": 0.1}}, {{"do": "move_j", "joints_deg": {joints_deg}, "speed_pct": 50}}]}}"#
        );
        CellPlanner::new(assembly).plan(&job, &start).map(|run| run.report)
    }

    #[test]
    fn a_job_that_keeps_its_distance_is_reported_with_the_closest_place() {
        let report = planned(cell("margin_mm = 5.0"), "[40, -10, 20, 0, 60, 0]").expect("free");
        let closest = &report["clearance"];
        assert!(closest["distance_mm"].as_f64().expect("a number") > 5.0, "{closest}");
        assert_eq!(closest["instruction"], 1);
        assert_eq!(report["segments"][0]["clearance"]["s"], closest["s"]);
        assert!(JobClearance::line(&report).expect("a line").starts_with("closest: "));
    }

    #[test]
    fn an_arm_that_would_run_into_its_foot_is_refused_with_place_and_links() {
        let problems = planned(cell("margin_mm = 5.0"), "[0, 130, 45, 0, 0, 0]").expect_err("a collision");
        assert_eq!(problems[0].place, "instructions[1]");
        let text = problems[0].to_string();
        assert!(
            text.contains("base_link") && text.contains("mm deep") && text.contains(" m of the path"),
            "{text}"
        );
        // The pair may be allowed; then it is the next one that is named.
        let allowed = "allowed = [[\"base_link\", \"link_4\"], [\"link_3\", \"base_link\"]]";
        let text = planned(cell(allowed), "[0, 130, 45, 0, 0, 0]")
            .map_or_else(|found| found[0].to_string(), |_| String::new());
        assert!(!text.contains("link_4"), "{text}");
    }

    #[test]
    fn areas_are_kept_out_of_and_within_by_what_they_apply_to() {
        let pose = "position_mm = [900.0, 600.0, 700.0]\nquaternion_wxyz = [1.0, 0.0, 0.0, 0.0]";
        let area = |kind: &str, to: &str, size: f64| {
            cell(&format!(
                "margin_mm = 2.0\n[collision.areas.cabinet]\nkind = \"{kind}\"\nform = \"box\"\napplies_to = \"{to}\"\n\
                 size_mm = [{size}, {size}, {size}]\n{pose}"
            ))
        };
        let there = "[40, 10, 10, 0, 45, 0]";
        let text = planned(area("keep_out", "arm", 700.0), there).expect_err("in the cabinet")[0].to_string();
        assert!(text.contains("area `cabinet`") && text.contains("breaks the"), "{text}");
        assert!(planned(area("keep_out", "arm", 50.0), there).is_ok());
        assert!(planned(area("keep_in", "tcp", 4000.0), there).is_ok());
        let text = planned(area("keep_in", "tcp", 300.0), there).expect_err("begins outside")[0].to_string();
        assert!(text.contains("the tool centre point breaks the area"), "{text}");
    }

    #[test]
    fn mistakes_in_the_section_are_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("cell.toml");
        let wrong = "margin_mm = -1.0\nallowed = [[\"link_9\", \"tool\"]]\n[collision.areas.a]\nkind = \"keep\"\nform = \"box\"\napplies_to = \"arm\"\nposition_mm = [0.0, 0.0, 0.0]\nquaternion_wxyz = [1.0, 0.0, 0.0, 0.0]";
        let text = include_str!("../../config/simulated-cell.toml").replace("margin_mm = 5.0", wrong);
        std::fs::write(&path, text).expect("written");
        let problems = Assembly::load(Some(&path)).expect_err("four mistakes");
        let text: Vec<String> = problems.iter().map(ToString::to_string).collect();
        let text = text.join("\n");
        for part in ["collision.margin_mm", "link_9", "collision.areas.a.kind", "collision.areas.a.size_mm"] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}
