use proptest::prelude::proptest;

use super::super::test_chains::{any_chain, cases, six_axis};
use super::{singularity, wrist_singularity_distance_rad};
use crate::joints::{JointVector, MAX_JOINTS};
use crate::kinematics::Jacobian;

proptest! {
    #![proptest_config(cases(1000))]

    #[test]
    fn singular_values_agree_with_the_library_decomposition((described, q) in any_chain()) {
        let chain = described.chain();
        let (_, jacobian) = chain.forward_with_jacobian(&q);
        let found = singularity(&chain, &jacobian);
        let mut scaled = jacobian;
        scaled.fixed_rows_mut::<3>(3).scale_mut(chain.characteristic_length_m());
        let mut wanted = scaled.svd(false, false).singular_values;
        wanted.as_mut_slice().sort_by(f64::total_cmp);
        let count = chain.joint_count().min(6);
        let used = &wanted.as_slice()[6 - count..];
        assert!((found.smallest - used[0]).abs() < 1e-12 * (1.0 + used[count - 1]));
        assert!((found.largest - used[count - 1]).abs() < 1e-12 * (1.0 + used[count - 1]));
        let product: f64 = used.iter().product();
        assert!((found.manipulability - product).abs() < 1e-9 * (1.0 + product));
    }

    #[test]
    fn the_wrist_distance_of_a_spherical_wrist_is_joint_five(q5 in -3.0..3.0_f64) {
        let chain = six_axis().chain();
        let q = JointVector::from_slice(&[0.3, 0.1, 0.4, 1.0, q5, -0.5]).expect("six");
        let (_, jacobian) = chain.forward_with_jacobian(&q);
        let distance = wrist_singularity_distance_rad(&chain, &jacobian).expect("six joints");
        let folded = q5.abs().min(std::f64::consts::PI - q5.abs());
        assert!((distance - folded).abs() < 1e-12);
    }
}

#[test]
fn the_stretched_wrist_and_the_stretched_elbow_are_singular() {
    let chain = six_axis().chain();
    let wrist = JointVector::from_slice(&[0.0, 0.2, 0.3, 0.1, 0.0, 0.0]).expect("six");
    // Wrist centre on the line from shoulder to elbow: 0.05 above the forearm axis, 0.52 along it.
    let elbow = -(0.52_f64.atan2(0.05));
    let elbow = JointVector::from_slice(&[0.0, 0.2, elbow, 0.1, 0.9, 0.0]).expect("six");
    let bent = JointVector::from_slice(&[0.0, 0.2, 0.3, 0.1, 0.9, 0.0]).expect("six");
    let smallest = |q: &JointVector| singularity(&chain, &chain.forward_with_jacobian(q).1).smallest;
    assert!(smallest(&wrist) < 1e-14);
    assert!(smallest(&elbow) < 1e-14);
    assert!(smallest(&bent) > 0.03);
}

#[test]
fn a_jacobian_that_is_not_finite_gives_nan() {
    let mut jacobian = Jacobian::zeros();
    jacobian[(2, 3)] = f64::NAN;
    let found = singularity(&six_axis().chain(), &jacobian);
    assert!(found.smallest.is_nan() && found.largest.is_nan() && found.manipulability.is_nan());
}

#[test]
fn other_joint_counts_have_no_wrist_distance() {
    let mut described = six_axis();
    described.joints.pop();
    let chain = described.chain();
    let (_, jacobian) = chain.forward_with_jacobian(&JointVector::zeros(5));
    assert_eq!(wrist_singularity_distance_rad(&chain, &jacobian), None);
    assert_eq!(jacobian.ncols(), MAX_JOINTS);
}
