use super::*;
use crate::config::kinematic_model::{EMBEDDED_MODELS, EmbeddedModel, Geometry, SIX_AXIS_8KG, Shape};
use crate::geometry::Pose;
use nalgebra::{Point3, Translation3, UnitQuaternion, Vector3};

/// Points of a shape: its corners, rims and a scatter of its surface.
fn surface(shape: &Shape) -> Vec<Vector3<f64>> {
    let mut points = Vec::new();
    for step in 0..400_u32 {
        let (u, v) = ((f64::from(step) * 0.618_034).fract(), (f64::from(step) * 0.754_877_7).fract());
        let (angle, height) = (u * std::f64::consts::TAU, 2.0 * v - 1.0);
        let ring = Vector3::new(angle.cos(), angle.sin(), 0.0);
        points.push(match &shape.geometry {
            Geometry::Box { size_m } => {
                let mut corner = Vector3::new(2.0 * u - 1.0, height, if step % 2 == 0 { 1.0 } else { -1.0 });
                if step % 5 == 0 {
                    corner = corner.map(f64::signum);
                }
                corner.component_mul(&Vector3::from(*size_m)) * 0.5
            }
            Geometry::Cylinder { radius_m, length_m } => {
                let height = if step % 2 == 0 { height.signum() } else { height };
                ring * *radius_m + Vector3::z() * (0.5 * length_m * height)
            }
            Geometry::Sphere { radius_m } => {
                (ring * (1.0 - height * height).sqrt() + Vector3::z() * height) * *radius_m
            }
            Geometry::Capsule { radius_m, length_m } => {
                (ring * (1.0 - height * height).sqrt() + Vector3::z() * height) * *radius_m
                    + Vector3::z() * (0.5 * length_m * height.signum())
            }
            Geometry::Mesh { .. } => Vector3::zeros(),
        });
    }
    points.iter().map(|point| (shape.x_link_shape * Point3::from(*point)).coords).collect()
}

fn is_inside(capsule: &Capsule, point: &Vector3<f64>) -> bool {
    let along = capsule.end - capsule.start;
    let t = ((point - capsule.start).dot(&along) / along.norm_squared().max(1e-30)).clamp(0.0, 1.0);
    (point - capsule.start - along * t).norm() <= capsule.radius_m + 1e-6
}

#[test]
fn the_capsules_of_every_model_hold_its_shapes_and_not_much_more() {
    for embedded in EMBEDDED_MODELS {
        let model = embedded.load().expect("valid");
        let (capsules, names) = capsules_of(&model, &[]);
        assert_eq!(capsules.len(), names.len());
        for (index, link) in model.links.iter().enumerate() {
            let of_link: Vec<&Capsule> = capsules
                .iter()
                .filter(|one| usize::from(one.link) == index)
                .map(|one| &one.capsule)
                .collect();
            assert!((1..=2).contains(&of_link.len()), "{}: link {index}", model.name);
            for shape in link.shapes.iter().filter(|shape| shape.shape_use == ShapeUse::Collision) {
                for point in surface(shape) {
                    let place = format!("{}: link {index}, {:?}", model.name, shape.geometry);
                    assert!(of_link.iter().any(|capsule| is_inside(capsule, &point)), "{place}");
                }
            }
        }
    }
}

#[test]
fn single_shapes_get_the_capsule_one_would_draw() {
    let pose =
        Pose::from_parts(Translation3::new(0.2, 0.1, 0.0), UnitQuaternion::from_euler_angles(0.3, 0.8, 0.1));
    let fitted = |geometry| {
        let shape = Shape { shape_use: ShapeUse::Collision, x_link_shape: pose, geometry };
        let mut capsules = fit::capsules_around(&[&shape]);
        assert_eq!(capsules.len(), 1);
        capsules.remove(0)
    };
    let long = fitted(Geometry::Cylinder { radius_m: 0.05, length_m: 1.0 });
    assert!(long.radius_m < 0.07 && (long.end - long.start).norm() < 1.0, "{long:?}");
    assert!(long.volume_m3() < 1.35 * std::f64::consts::PI * 0.05 * 0.05);
    let ball = fitted(Geometry::Sphere { radius_m: 0.1 });
    assert!(ball.radius_m < 0.12 && (ball.end - ball.start).norm() < 0.03, "{ball:?}");
    assert!(((ball.start + ball.end) * 0.5 - pose.translation.vector).norm() < 0.01);
}

#[test]
fn links_that_a_joint_joins_are_left_out_and_hands_meet_feet() {
    let model = SIX_AXIS_8KG.load().expect("valid");
    let found = collision_model(&model, &[], &[]).expect("simple shapes");
    for pair in found.arm.pairs() {
        let [one, other] = [pair.0, pair.1].map(|index| found.arm.capsules()[usize::from(index)].link);
        assert!(other.abs_diff(one) > 1, "{pair:?}");
    }
    let named =
        |one: &str, other: &str| {
            found.arm.pairs().iter().any(|pair| {
                found.names[usize::from(pair.0)] == one && found.names[usize::from(pair.1)] == other
            })
        };
    assert!(named("base_link", "link_6") && named("link_1", "link_5"), "{:?}", found.names);
    let reason = |one: &str, other: &str| {
        let links = [one.to_owned(), other.to_owned()];
        found.left_out.iter().find(|entry| entry.links == links).map(|entry| entry.reason)
    };
    assert_eq!(reason("link_2", "link_3"), Some(LeftOutReason::Adjacent));
    assert!(found.arm.pairs().len() <= 40, "{} pairs", found.arm.pairs().len());
}

#[test]
fn the_forearm_folded_onto_the_foot_collides_and_the_arm_at_work_does_not() {
    let model = SIX_AXIS_8KG.load().expect("valid");
    let found = collision_model(&model, &[], &[]).expect("simple shapes");
    let nearest = |degrees: [f64; 6]| {
        let q = JointVector::from_slice(&degrees.map(f64::to_radians)).expect("six");
        found.arm.nearest(&found.arm.posed(&model.chain.link_poses(&q))).expect("pairs")
    };
    for free in [[0.0; 6], [0.0, -20.0, 30.0, 0.0, 75.0, 0.0], [90.0, 40.0, -20.0, 0.0, 60.0, 0.0]] {
        let nearest = nearest(free);
        assert!(nearest.distance_m > 0.02, "{free:?}: {nearest:?} {:?}", found.names);
    }
    // Bent over until the forearm is inside the foot.
    let folded = nearest([0.0, 130.0, 45.0, 0.0, 0.0, 0.0]);
    assert!(folded.distance_m < 0.0, "{folded:?}");
}

#[test]
fn a_tool_is_carried_by_the_flange_and_pairs_can_be_allowed() {
    let model = SIX_AXIS_8KG.load().expect("valid");
    let stick = Capsule { start: Vector3::zeros(), end: Vector3::new(0.0, 0.0, 0.5), radius_m: 0.02 };
    let found = collision_model(&model, &[stick], &[]).expect("simple shapes");
    let q = JointVector::from_slice(&[0.3, -0.2, 0.4, 0.5, 0.6, 0.7]).expect("six");
    let posed = found.arm.posed(&model.chain.link_poses(&q));
    let flange = model.chain.forward(&q);
    let tool = posed.as_slice().last().expect("the tool is the last");
    assert!((tool.start - flange.translation.vector).norm() < 1e-9);
    assert!((tool.end() - (flange * Point3::new(0.0, 0.0, 0.5)).coords).norm() < 1e-9);
    let with_tool = |found: &CollisionModel, other: &str| {
        found.arm.pairs().iter().any(|pair| {
            found.names[usize::from(pair.0)] == other && found.names[usize::from(pair.1)] == "tool"
        })
    };
    assert!(with_tool(&found, "link_2"));
    let allowed = [["tool".to_owned(), "link_2".to_owned()]];
    let found = collision_model(&model, &[stick], &allowed).expect("simple shapes");
    assert!(!with_tool(&found, "link_2"));
    assert!(found.left_out.iter().any(|entry| entry.reason == LeftOutReason::Allowed));
}

#[test]
fn the_table_is_the_same_every_time_and_holds_in_poses_not_tried() {
    for name in ["six-axis-8kg", "three-parallel-12kg", "seven-axis-14kg", "scara-6kg"] {
        let model = EmbeddedModel::by_name(name).expect("embedded").load().expect("valid");
        let found = collision_model(&model, &[], &[]).expect("simple shapes");
        assert_eq!(found, collision_model(&model, &[], &[]).expect("simple shapes"));
        // Pairs that were never near must not meet in other poses either.
        let (capsules, names) = capsules_of(&model, &[]);
        let never: Vec<(usize, usize)> = (0..capsules.len())
            .flat_map(|first| (first + 1..capsules.len()).map(move |second| (first, second)))
            .filter(|(first, second)| {
                let links = [names[*first].clone(), names[*second].clone()];
                found.left_out.contains(&LeftOut { links, reason: LeftOutReason::NeverNear })
            })
            .collect();
        for index in POSES_TRIED..2 * POSES_TRIED {
            let posed = found.arm.posed(&model.chain.link_poses(&spread_joints(&model, index)));
            for (first, second) in &never {
                let distance = posed.as_slice()[*first].distance_m(&posed.as_slice()[*second]);
                assert!(distance > 0.0, "{name}: {} and {}", names[*first], names[*second]);
            }
        }
    }
}

#[test]
fn a_model_of_meshes_alone_is_refused_with_the_reason() {
    let mut model = SIX_AXIS_8KG.load().expect("valid");
    for link in &mut model.links {
        link.shapes.clear();
    }
    let error = collision_model(&model, &[], &[]).expect_err("nothing to look at");
    assert_eq!(error, CollisionModelError::NoShapes { links_with_shape: 0 });
    assert!(error.to_string().contains("meshes are not opened"));
}
