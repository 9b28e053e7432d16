use super::{EMBEDDED_MODELS, EmbeddedModel, SIX_AXIS_8KG};

#[test]
fn every_embedded_model_loads_and_is_found_by_name() {
    for model in EMBEDDED_MODELS {
        let loaded = model.load().unwrap_or_else(|problems| panic!("{}: {problems}", model.name));
        assert_eq!(loaded.name, model.name);
        assert!(EmbeddedModel::by_name(model.name).is_some());
    }
    assert!(EmbeddedModel::by_name("no-such-arm").is_none());
}

#[test]
fn the_six_axis_arm_has_its_names_limits_masses_and_shapes() {
    let model = SIX_AXIS_8KG.load().expect("the shipped model is valid");
    assert_eq!(model.joint_names, ["joint_1", "joint_2", "joint_3", "joint_4", "joint_5", "joint_6"]);
    assert_eq!((model.base_link.as_str(), model.tip_link.as_str()), ("base_link", "flange"));
    assert_eq!(model.limits.len(), 6);
    let second = model.limits.as_slice()[1];
    assert!((second.position_max.to_degrees() - 150.0).abs() < 1e-4);
    assert!((second.acceleration_max.to_degrees() - 520.0).abs() < 1e-9);
    assert_eq!(model.effort_limits[1], Some(1200.0));
    assert_eq!(model.links.len(), 7);
    let mass: f64 = model.links.iter().flat_map(|link| &link.bodies).map(|body| body.mass_kg).sum();
    assert!((mass - 151.1).abs() < 1e-9);
    assert!(model.links.iter().all(|link| !link.shapes.is_empty()));
}
