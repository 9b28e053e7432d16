//! Arms as the libraries `k` and `rs-opw-kinematics` take them.

use motiond::config::kinematic_model::EmbeddedModel;
use motiond::geometry::Pose;
use rs_opw_kinematics::kinematic_traits::Pose as OpwPose;
use rs_opw_kinematics::kinematics_impl::OPWKinematics;
use rs_opw_kinematics::parameters::opw_kinematics::Parameters;

/// The arm up to its flange; `None` where the tip is not the child of a joint with the usual name.
pub(crate) fn k_arm(model: &EmbeddedModel) -> k::SerialChain<f64> {
    let robot = urdf_rs::read_from_string(model.urdf).expect("the shipped model is valid");
    let tree = k::Chain::<f64>::from(&robot);
    k::SerialChain::from_end(tree.find("flange_mount").expect("the last joint"))
}

pub(crate) fn k_pose(pose: &Pose) -> k::Isometry3<f64> {
    let (p, r) = (pose.translation.vector, pose.rotation.coords);
    k::Isometry3::from_parts(
        k::Translation3::new(p.x, p.y, p.z),
        k::UnitQuaternion::from_quaternion(k::nalgebra::Quaternion::new(r.w, r.x, r.y, r.z)),
    )
}

/// `six-axis-8kg` in the parameters of that library: its forearm points forward at zero, theirs upward.
pub(crate) fn opw_six_axis_8kg() -> OPWKinematics {
    OPWKinematics::new(Parameters {
        a1: 0.15,
        a2: -0.12,
        b: 0.0,
        c1: 0.45,
        c2: 0.6,
        c3: 0.64,
        c4: 0.1,
        offsets: [0.0, 0.0, -std::f64::consts::FRAC_PI_2, 0.0, 0.0, 0.0],
        sign_corrections: [1; 6],
        dof: 6,
    })
}

pub(crate) fn opw_pose(pose: &Pose) -> OpwPose {
    let (p, r) = (pose.translation.vector, pose.rotation.coords);
    OpwPose::from_parts(
        rs_opw_kinematics::glam::DVec3::new(p.x, p.y, p.z),
        rs_opw_kinematics::glam::DQuat::from_xyzw(r.x, r.y, r.z, r.w),
    )
}
