//! Mass, centre and inertia of a load from joint torques of recorded motion.
//!
//! The torques are linear in mass, first moment and inertia about the flange, and in the friction of each joint, which
//! is estimated beside them so that it is not taken for a load. What the motion does not show is left out of the
//! solution and said so, instead of being guessed.
//! Source: Atkeson, An, Hollerbach 1986, "Estimation of inertial parameters of manipulator loads and links".

use nalgebra::{DMatrix, DVector, Matrix3, SMatrix, SVector, SymmetricEigen, Vector3};

use super::CalibrationProblem;
use crate::dynamics::{ArmDynamics, RigidBody};
use crate::joints::JointVector;

/// Mass, first moment x y z, inertia about the flange's origin xx yy zz xy xz yz.
const LOAD: usize = 10;
/// Coulomb and viscous friction and an offset of each joint.
const OF_JOINT: usize = 3;
/// Samples of which nothing can be told.
const SAMPLES_MIN: usize = 50;
/// A speed below which the sign of friction is not known, rad/s or m/s.
const STANDING: f64 = 0.01;
/// What is large for a load: 1 kg, 0.1 kg m, 0.01 kg m². Uncertainties are compared with these.
const SCALES: [f64; LOAD] = [1.0, 0.1, 0.1, 0.1, 0.01, 0.01, 0.01, 0.01, 0.01, 0.01];
/// A combination of parameters whose uncertainty is beyond this share of its scale is not seen.
const UNSEEN: f64 = 1.0;

/// One moment of a motion, rad (m) and seconds, Nm (N).
#[derive(Clone, Copy, Debug)]
pub struct PayloadSample {
    /// Joint positions.
    pub q: JointVector,
    /// Speeds.
    pub qd: JointVector,
    /// Accelerations.
    pub qdd: JointVector,
    /// Torques of the joints, friction included.
    pub torques: JointVector,
}

/// A number with its standard deviation; `None`: the motion does not show it.
pub type Estimate = Option<(f64, f64)>;

/// What was found.
#[derive(Clone, Debug)]
pub struct PayloadFit {
    /// Mass, kg.
    pub mass: Estimate,
    /// Centre of mass in the flange frame, m, each coordinate by itself.
    pub center: [Estimate; 3],
    /// Inertia about the centre of mass, flange axes: xx, yy, zz, xy, xz, yz, kg m².
    pub inertia: [Estimate; 6],
    /// Root mean square of what is left of each joint's torque, Nm (N).
    pub residual_rms: JointVector,
    /// Largest torque the load was seen to make at each joint, Nm (N).
    pub torque_of_load: JointVector,
    /// Samples used.
    pub samples: usize,
}

impl PayloadFit {
    /// The load as a body, as far as it was seen: without a centre there is none; inertia that was not seen, or that
    /// no body can have, is left zero (a point mass).
    #[must_use]
    pub fn body(&self) -> Option<RigidBody> {
        let (mass_kg, _) = self.mass?;
        let [x, y, z] = self.center;
        let center_of_mass_m = Vector3::new(x?.0, y?.0, z?.0);
        let seen: Option<Vec<f64>> = self.inertia.iter().map(|entry| entry.map(|(value, _)| value)).collect();
        let inertia_kg_m2 = seen.map_or_else(Matrix3::zeros, |i| {
            Matrix3::new(i[0], i[3], i[4], i[3], i[1], i[5], i[4], i[5], i[2])
        });
        let body = RigidBody { mass_kg, center_of_mass_m, inertia_kg_m2 };
        Some(if body.is_physical() { body } else { RigidBody::point_mass(mass_kg, center_of_mass_m) })
    }
}

/// Identifies what hangs at the flange beyond `dynamics`, whose own payload and friction must be none.
///
/// # Errors
/// Too few samples, or a motion that does not even show the mass.
pub fn identify_payload(
    dynamics: &ArmDynamics,
    samples: &[PayloadSample],
) -> Result<PayloadFit, CalibrationProblem> {
    if samples.len() < SAMPLES_MIN {
        return Err(CalibrationProblem::TooFew {
            what: "samples in motion",
            given: samples.len(),
            needed: SAMPLES_MIN,
        });
    }
    let joints = samples.first().map_or(0, |sample| sample.q.len());
    let count = LOAD + OF_JOINT * joints;
    let bodies = basis();
    let rows: Vec<(usize, DVector<f64>, f64)> =
        samples.iter().flat_map(|sample| equations(dynamics, &bodies, sample, count)).collect();
    // First all joints alike, then each by how well it fits.
    let mut weights = vec![1.0; joints];
    let mut solution = solve(&rows, &weights, count);
    for _ in 0..2 {
        let residual = residual_rms(&rows, &solution.parameters, joints);
        for (weight, rms) in weights.iter_mut().zip(residual.iter()) {
            *weight = 1.0 / rms.max(1e-9);
        }
        solution = solve(&rows, &weights, count);
    }
    let estimate =
        |index: usize| solution.seen[index].then(|| (solution.parameters[index], solution.deviation[index]));
    let mass = estimate(0).ok_or(CalibrationProblem::TooFew {
        what: "postures that show the mass",
        given: 0,
        needed: 1,
    })?;
    let first: [Estimate; 3] = std::array::from_fn(|axis| estimate(1 + axis));
    // A load that is hardly there has no centre.
    let has_mass = mass.0 > 3.0 * mass.1 && mass.0 > 0.0;
    let center = first.map(|moment| {
        let (moment, deviation) = moment.filter(|_| has_mass)?;
        Some((moment / mass.0, (deviation / mass.0).hypot(moment / mass.0 * mass.1 / mass.0)))
    });
    let whole: Option<Vec<f64>> = center.iter().map(|entry| entry.map(|(value, _)| value)).collect();
    let inertia = std::array::from_fn(|entry| {
        let (about_flange, deviation) = estimate(4 + entry)?;
        let c = Vector3::from_column_slice(whole.as_ref()?);
        let moved = moved_inertia(mass.0, &c)[entry];
        Some((about_flange - moved, deviation))
    });
    let mut torque_of_load = JointVector::zeros(joints);
    for (joint, row, _) in &rows {
        let made: f64 = (0..LOAD).map(|index| row[index] * solution.parameters[index]).sum();
        torque_of_load.set(*joint, torque_of_load.get(*joint).max(made.abs()));
    }
    Ok(PayloadFit {
        mass: Some(mass),
        center,
        inertia,
        residual_rms: residual_rms(&rows, &solution.parameters, joints),
        torque_of_load,
        samples: samples.len(),
    })
}

/// Inertia xx yy zz xy xz yz about the flange of a point mass at `c`.
fn moved_inertia(mass: f64, c: &Vector3<f64>) -> [f64; 6] {
    [
        mass * (c.y * c.y + c.z * c.z),
        mass * (c.x * c.x + c.z * c.z),
        mass * (c.x * c.x + c.y * c.y),
        -mass * c.x * c.y,
        -mass * c.x * c.z,
        -mass * c.y * c.z,
    ]
}

/// Ten bodies, and what turns their torques into those of each parameter.
struct Basis {
    bodies: [RigidBody; LOAD],
    /// Column of a body: its parameters; inverted.
    from_bodies: SMatrix<f64, LOAD, LOAD>,
}

/// Bodies that can exist, none of which is a mixture of the others.
fn basis() -> Basis {
    let mut bodies = [RigidBody::point_mass(1.0, Vector3::zeros()); LOAD];
    for axis in 0..3 {
        bodies[1 + axis].center_of_mass_m[axis] = 1.0;
    }
    for (entry, (row, column)) in [(0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2)].into_iter().enumerate() {
        let mut inertia = Matrix3::identity() * 2.0;
        if row == column {
            inertia[(row, row)] = 3.0;
        } else {
            inertia[(row, column)] = 0.5;
            inertia[(column, row)] = 0.5;
        }
        bodies[4 + entry].inertia_kg_m2 = inertia;
    }
    let parameters = |body: &RigidBody| {
        let (c, i) = (&body.center_of_mass_m, &body.inertia_kg_m2);
        let moved = moved_inertia(body.mass_kg, c);
        let own = [i[(0, 0)], i[(1, 1)], i[(2, 2)], i[(0, 1)], i[(0, 2)], i[(1, 2)]];
        let mut column = SVector::<f64, LOAD>::zeros();
        column[0] = body.mass_kg;
        for axis in 0..3 {
            column[1 + axis] = body.mass_kg * c[axis];
        }
        for entry in 0..6 {
            column[4 + entry] = own[entry] + moved[entry];
        }
        column
    };
    let columns = SMatrix::<f64, LOAD, LOAD>::from_columns(&std::array::from_fn::<_, LOAD, _>(|index| {
        parameters(&bodies[index])
    }));
    let from_bodies = columns.try_inverse().unwrap_or_else(SMatrix::identity);
    Basis { bodies, from_bodies }
}

/// One equation a joint: which joint, the row of all parameters, the torque that the bare arm does not explain.
fn equations(
    dynamics: &ArmDynamics,
    basis: &Basis,
    sample: &PayloadSample,
    count: usize,
) -> Vec<(usize, DVector<f64>, f64)> {
    let PayloadSample { q, qd, qdd, torques } = sample;
    let bare = dynamics.torques(q, qd, qdd);
    let of_bodies: Vec<JointVector> = basis
        .bodies
        .iter()
        .map(|body| {
            let mut carrying = *dynamics;
            carrying.set_payload(std::slice::from_ref(body));
            carrying.torques(q, qd, qdd) - bare
        })
        .collect();
    (0..q.len())
        .map(|joint| {
            let mut row = DVector::zeros(count);
            for parameter in 0..LOAD {
                row[parameter] = (0..LOAD)
                    .map(|body| of_bodies[body].get(joint) * basis.from_bodies[(body, parameter)])
                    .sum();
            }
            let speed = qd.get(joint);
            let at = LOAD + OF_JOINT * joint;
            row[at] = (speed / STANDING).tanh();
            row[at + 1] = speed;
            row[at + 2] = 1.0;
            (joint, row, torques.get(joint) - bare.get(joint))
        })
        .collect()
}

struct Solved {
    parameters: DVector<f64>,
    deviation: DVector<f64>,
    seen: Vec<bool>,
}

/// Weighted least squares without the combinations that are not seen.
fn solve(rows: &[(usize, DVector<f64>, f64)], weights: &[f64], count: usize) -> Solved {
    let scale = DVector::from_fn(count, |index, _| SCALES.get(index).copied().unwrap_or(1.0));
    let mut normal = DMatrix::<f64>::zeros(count, count);
    let mut right = DVector::<f64>::zeros(count);
    let mut squared = 0.0;
    for (joint, row, torque) in rows {
        let weight = weights[*joint];
        let scaled = row.component_mul(&scale) * weight;
        normal.ger(1.0, &scaled, &scaled, 1.0);
        right.axpy(weight * torque, &scaled, 1.0);
        squared += (weight * torque).powi(2);
    }
    let eigen = SymmetricEigen::new(normal);
    let along = eigen.eigenvectors.transpose() * &right;
    let largest = eigen.eigenvalues.max();
    let solved = |keep: &dyn Fn(usize) -> bool| {
        DVector::from_fn(
            count,
            |index, _| if keep(index) { along[index] / eigen.eigenvalues[index] } else { 0.0 },
        )
    };
    let regular = |index: usize| eigen.eigenvalues[index] > 1e-12 * largest;
    // What is left with everything in says how uncertain each combination is.
    let explained = solved(&regular).dot(&along);
    let freedom = rows.len().saturating_sub(count).max(1);
    #[expect(clippy::cast_precision_loss, reason = "a number of samples")]
    let variance = (squared - explained).max(0.0) / freedom as f64;
    let is_seen = |index: usize| regular(index) && (variance / eigen.eigenvalues[index]).sqrt() < UNSEEN;
    let parameters = (&eigen.eigenvectors * solved(&is_seen)).component_mul(&scale);
    let sums = |keep: &dyn Fn(usize) -> f64| {
        DVector::from_fn(count, |parameter, _| {
            (0..count).map(|index| eigen.eigenvectors[(parameter, index)].powi(2) * keep(index)).sum()
        })
    };
    let spread: DVector<f64> =
        sums(&|index| if is_seen(index) { variance / eigen.eigenvalues[index] } else { 0.0 });
    let lost: DVector<f64> = sums(&|index| if is_seen(index) { 0.0 } else { 1.0 });
    Solved {
        parameters,
        deviation: spread.map(f64::sqrt).component_mul(&scale),
        seen: lost.iter().map(|share| *share < 0.02).collect(),
    }
}

fn residual_rms(
    rows: &[(usize, DVector<f64>, f64)],
    parameters: &DVector<f64>,
    joints: usize,
) -> JointVector {
    let mut squares = JointVector::zeros(joints);
    let mut counts = JointVector::zeros(joints);
    for (joint, row, torque) in rows {
        squares.set(*joint, squares.get(*joint) + (torque - row.dot(parameters)).powi(2));
        counts.set(*joint, counts.get(*joint) + 1.0);
    }
    squares.zip_map(&counts, |square, count| (square / count.max(1.0)).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::kinematic_model::EmbeddedModel;

    fn arm() -> ArmDynamics {
        EmbeddedModel::by_name("six-axis-8kg")
            .expect("shipped")
            .load()
            .expect("valid")
            .dynamics()
            .expect("masses")
    }

    fn load() -> RigidBody {
        RigidBody {
            mass_kg: 4.2,
            center_of_mass_m: Vector3::new(0.03, -0.02, 0.11),
            inertia_kg_m2: Matrix3::new(0.03, 0.002, 0.001, 0.002, 0.04, -0.003, 0.001, -0.003, 0.02),
        }
    }

    /// A motion of the joints of `moving`, with friction and noise of `noise` Nm.
    fn recording(moving: std::ops::Range<usize>, noise: f64) -> Vec<PayloadSample> {
        let mut carrying = arm();
        carrying.set_payload(&[load()]);
        (0..600_u16)
            .map(|index| {
                let t = f64::from(index) * 0.02;
                let phase = |joint: usize| [0.7, 1.1, 0.9, 1.7, 2.3, 2.9][joint];
                let still = |joint: usize| !moving.contains(&joint);
                let of = |joint: usize, value: f64| if still(joint) { 0.0 } else { value };
                let q = JointVector::from_fn(6, |joint| 0.2 + of(joint, 0.6 * (phase(joint) * t).sin()));
                let qd =
                    JointVector::from_fn(6, |joint| of(joint, 0.6 * phase(joint) * (phase(joint) * t).cos()));
                let qdd = JointVector::from_fn(6, |joint| {
                    of(joint, -0.6 * phase(joint).powi(2) * (phase(joint) * t).sin())
                });
                let rigid = carrying.torques(&q, &qd, &qdd);
                let torques = JointVector::from_fn(6, |joint| {
                    let speed = qd.get(joint);
                    let shake = (f64::from(index) * 12.9898 + 78.233 * phase(joint)).sin() * 43_758.545_3;
                    rigid.get(joint) + 2.0 * (speed / STANDING).tanh() + 1.5 * speed + noise * shake.fract()
                });
                PayloadSample { q, qd, qdd, torques }
            })
            .collect()
    }

    #[test]
    fn a_known_load_is_found_beside_friction_and_noise() {
        for (noise, tolerance) in [(0.0, 1e-6_f64), (0.5, 0.08)] {
            let fit = identify_payload(&arm(), &recording(0..6, noise)).expect("all joints move");
            let (mass, deviation) = fit.mass.expect("seen");
            assert!((mass - 4.2).abs() < tolerance.max(4.0 * deviation), "{mass} ± {deviation}");
            let body = fit.body().expect("a whole body");
            assert!((body.center_of_mass_m - load().center_of_mass_m).norm() < tolerance * 0.2, "{body:?}");
            assert!((body.inertia_kg_m2 - load().inertia_kg_m2).amax() < tolerance * 0.3 + 1e-9, "{body:?}");
            assert!(fit.residual_rms.max_abs() < 1e-6 + 1.5 * noise);
        }
    }

    #[test]
    fn what_the_motion_does_not_show_is_left_out() {
        // Only joint 6 turns: its torque shows the load across the axis, the others carry it in one posture.
        let fit = identify_payload(&arm(), &recording(5..6, 0.05))
            .expect("gravity shows the mass or it is refused");
        assert!(fit.inertia.iter().filter(|entry| entry.is_none()).count() >= 3, "{fit:?}");
        assert!(fit.body().is_none_or(|body| body.inertia_kg_m2 == Matrix3::zeros()));
    }

    #[test]
    fn a_few_samples_are_refused() {
        let found = identify_payload(&arm(), &recording(0..6, 0.0)[..10]);
        assert!(matches!(found, Err(CalibrationProblem::TooFew { given: 10, .. })));
    }
}
