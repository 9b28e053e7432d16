//! `motiond model workspace`: where the tip can go, by trying many joint positions.

use std::collections::HashMap;

use clap::Args;
use serde_json::json;

use super::source::ModelSource;
use crate::cli::{Exit, print};
use crate::config::collision_model::{collision_model, spread_joints};
use crate::config::kinematic_model::KinematicModel;
use crate::geometry::Pose;

/// Cells across the reach, to either side of the base.
const CELLS_PER_REACH: f64 = 12.0;
/// Directions that are told apart: each face of a cube in 2 × 2.
const DIRECTIONS: u32 = 24;

/// Arguments of `motiond model workspace`.
#[derive(Debug, Args)]
pub(super) struct WorkspaceArguments {
    #[command(flatten)]
    source: ModelSource,
    /// Joint positions that are tried
    #[arg(long, default_value_t = 400_000, value_parser = clap::value_parser!(u32).range(1_000..=20_000_000))]
    samples: u32,
}

/// Prints what the tip reaches within the joint limits, as one JSON object.
pub(super) fn workspace(arguments: &WorkspaceArguments) -> Exit {
    match arguments.source.load(true) {
        Ok(model) => {
            print(&format!("{:#}", measure(&model, arguments.samples)));
            Exit::Success
        }
        Err(exit) => exit,
    }
}

/// What was found in one cell of space.
#[derive(Default)]
struct SpaceCell {
    /// A bit for each direction the z axis of the tip had here.
    directions: u32,
}

/// The workspace from `samples` joint positions that fill the joint ranges evenly, always the same ones.
fn measure(model: &KinematicModel, samples: u32) -> serde_json::Value {
    let collisions = collision_model(model, &[], &[]).ok();
    let mut kept: Vec<Pose> = Vec::new();
    let mut colliding = 0_u32;
    for index in 0..samples {
        let links = model.chain.link_poses(&spread_joints(model, index));
        let nearest = collisions.as_ref().and_then(|all| all.arm.nearest(&all.arm.posed(&links)));
        if nearest.is_some_and(|nearest| nearest.distance_m <= 0.0) {
            colliding += 1;
        } else if let Some(tip) = links.as_slice().last() {
            kept.push(*tip);
        }
    }
    let (mut low, mut high) = ([f64::INFINITY; 3], [f64::NEG_INFINITY; 3]);
    let (mut reach, mut reach_level) = (0.0_f64, 0.0_f64);
    for tip in &kept {
        let at = tip.translation.vector;
        for axis in 0..3 {
            (low[axis], high[axis]) = (low[axis].min(at[axis]), high[axis].max(at[axis]));
        }
        (reach, reach_level) = (reach.max(at.norm()), reach_level.max(at.xy().norm()));
    }
    let cell_m = (reach / CELLS_PER_REACH).max(1e-6);
    let mut cells: HashMap<[i32; 3], SpaceCell> = HashMap::new();
    for tip in &kept {
        cells.entry(cell_of(tip, cell_m)).or_default().directions |= 1 << direction_of(tip);
    }
    let shares: Vec<f64> =
        cells.values().map(|cell| f64::from(cell.directions.count_ones()) / f64::from(DIRECTIONS)).collect();
    let count = shares.len().max(1) as f64;
    let all = shares.iter().filter(|share| **share >= 1.0).count() as f64;
    json!({
        "model": model.name,
        "base": model.base_link,
        "tip": model.tip_link,
        "samples": samples,
        "self_collision_share": f64::from(colliding) / f64::from(samples),
        "self_collision_checked": collisions.is_some(),
        "extents_m": { "min": low, "max": high },
        "reach_m": reach,
        "reach_level_m": reach_level,
        "volume_m3": shares.len() as f64 * cell_m.powi(3),
        "cell_m": cell_m,
        "orientation_share": {
            "mean": shares.iter().sum::<f64>() / count,
            "largest": shares.iter().copied().fold(0.0, f64::max),
            "cells_with_every_direction": all / count,
        },
    })
}

#[expect(clippy::cast_possible_truncation, reason = "at most a few dozen cells to either side")]
fn cell_of(tip: &Pose, cell_m: f64) -> [i32; 3] {
    let at = tip.translation.vector;
    [at.x, at.y, at.z].map(|value| (value / cell_m).floor() as i32)
}

/// Which of [`DIRECTIONS`] the z axis of the tip has.
fn direction_of(tip: &Pose) -> u32 {
    let z = tip.rotation * nalgebra::Vector3::z();
    let face = z.iamax();
    let sides = match face {
        0 => [z.y, z.z],
        1 => [z.z, z.x],
        _ => [z.x, z.y],
    };
    let bit = |value: f64| u32::from(value > 0.0);
    let face = [0, 1, 2][face];
    ((face * 2 + bit(z[[0, 1, 2][face as usize]])) * 2 + bit(sides[0])) * 2 + bit(sides[1])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::kinematic_model::EmbeddedModel;

    #[test]
    fn the_workspace_of_a_scara_is_the_ring_one_can_calculate() {
        let model = EmbeddedModel::by_name("scara-6kg").expect("embedded").load().expect("valid");
        let found = measure(&model, 200_000);
        let number = |path: &str| found.pointer(path).and_then(serde_json::Value::as_f64).expect(path);
        // Arms of 400 and 250 mm; the elbow bends by 150° at most.
        assert!((number("/reach_level_m") - 0.65).abs() < 1e-3);
        let inner =
            (0.4_f64.powi(2) + 0.25_f64.powi(2) - 2.0 * 0.4 * 0.25 * 30_f64.to_radians().cos()).sqrt();
        // Joint 1 leaves a sector free behind; whole cells stick out of the edges.
        let share = (140.0 + 70.0) / 180.0 * 0.5;
        let least = std::f64::consts::PI * (0.65_f64.powi(2) - inner.powi(2)) * 0.18 * share;
        let volume = number("/volume_m3");
        assert!(volume > least && volume < 2.5 * least, "{volume} {least}");
        assert!((number("/extents_m/max/2") - number("/extents_m/min/2") - 0.18).abs() < 1e-3);
        // The flange always looks down.
        assert!(number("/orientation_share/largest") <= 4.0 / 24.0 + 1e-9);
    }

    #[test]
    fn every_direction_has_a_number_of_its_own() {
        let mut seen = 0_u32;
        for step in 0..2000_u32 {
            let (u, v) = ((f64::from(step) * 0.618_034).fract(), (f64::from(step) * 0.754_877_7).fract());
            let turn = nalgebra::UnitQuaternion::from_euler_angles(
                0.0,
                (2.0 * u - 1.0).acos(),
                v * std::f64::consts::TAU,
            );
            let direction = direction_of(&Pose::from_parts(nalgebra::Translation3::identity(), turn));
            assert!(direction < DIRECTIONS);
            seen |= 1 << direction;
        }
        assert_eq!(seen.count_ones(), DIRECTIONS);
    }
}
