//! Forward dynamics in one pass over the joints: the articulated-body algorithm.
//!
//! Source: Featherstone 2008, chapter 7. Spatial vectors are (angular, linear), about the origin of the link.

use nalgebra::{Matrix3, Vector3};

use super::ArmDynamics;
use crate::joints::{JointVector, MAX_JOINTS};

/// A symmetric spatial inertia: `[[rotation, coupling], [couplingᵀ, translation]]`.
#[derive(Clone, Copy)]
struct Articulated {
    rotation: Matrix3<f64>,
    coupling: Matrix3<f64>,
    translation: Matrix3<f64>,
}

/// What the way back out needs of a joint.
#[derive(Clone, Copy)]
struct Solved {
    /// Inertia along the joint.
    along: f64,
    /// Torque left for the joint's own acceleration.
    left: f64,
    /// Force on the rest of the arm for a unit acceleration of the joint: moment and force.
    moment: Vector3<f64>,
    force: Vector3<f64>,
}

fn skew(v: &Vector3<f64>) -> Matrix3<f64> {
    v.cross_matrix()
}

impl ArmDynamics {
    /// Accelerations of the joints under the drive torques `torques` (N m or N), with friction. Of the motors'
    /// inertia only the diagonal counts: one that couples joints needs the mass matrix.
    ///
    /// A joint that moves no mass gets an acceleration that is not finite.
    /// # Real-time
    /// No allocation; three passes over the joints.
    #[must_use]
    pub fn forward_dynamics(&self, q: &JointVector, qd: &JointVector, torques: &JointVector) -> JointVector {
        let posture = self.posture(q);
        let mut bodies = [Articulated {
            rotation: Matrix3::zeros(),
            coupling: Matrix3::zeros(),
            translation: Matrix3::zeros(),
        }; MAX_JOINTS];
        let mut bias = [(Vector3::zeros(), Vector3::zeros()); MAX_JOINTS];
        let mut velocity_products = [(Vector3::zeros(), Vector3::zeros()); MAX_JOINTS];
        let (mut w, mut v) = (Vector3::<f64>::zeros(), Vector3::<f64>::zeros());
        for joint in 0..self.count {
            let segment = &self.segments[joint];
            let turn = &posture.turns[joint];
            let speed = qd.get(joint);
            v = turn.inward(&(v + w.cross(&posture.offsets[joint])));
            w = turn.inward(&w);
            let own = Vector3::z() * speed;
            if segment.is_prismatic {
                v += own;
                velocity_products[joint] = (Vector3::zeros(), w.cross(&own));
            } else {
                w += own;
                velocity_products[joint] = (w.cross(&own), v.cross(&own));
            }
            let inertia = &segment.inertia;
            let (tensor, coupling) = (inertia.tensor(), skew(&inertia.moment));
            bodies[joint] = Articulated {
                rotation: tensor,
                coupling,
                translation: Matrix3::from_diagonal_element(inertia.mass),
            };
            let angular_momentum = tensor * w + inertia.moment.cross(&v);
            let momentum = v * inertia.mass - inertia.moment.cross(&w);
            bias[joint] = (w.cross(&angular_momentum) + v.cross(&momentum), w.cross(&momentum));
        }

        let mut solved =
            [Solved { along: 1.0, left: 0.0, moment: Vector3::zeros(), force: Vector3::zeros() }; MAX_JOINTS];
        for joint in (0..self.count).rev() {
            let segment = &self.segments[joint];
            let body = bodies[joint];
            let (moment, force) = if segment.is_prismatic {
                (body.coupling.column(2).into_owned(), body.translation.column(2).into_owned())
            } else {
                (body.rotation.column(2).into_owned(), body.coupling.row(2).transpose())
            };
            let (bias_moment, bias_force) = bias[joint];
            let (along, against) =
                if segment.is_prismatic { (force.z, bias_force.z) } else { (moment.z, bias_moment.z) };
            let along = along + self.motors[(joint, joint)];
            let friction = self.friction[joint].torque(qd.get(joint));
            let left = torques.get(joint) - friction - against;
            solved[joint] = Solved { along, left, moment, force };
            let Some(before) = joint.checked_sub(1) else { break };
            let rest = Articulated {
                rotation: body.rotation - moment * moment.transpose() / along,
                coupling: body.coupling - moment * force.transpose() / along,
                translation: body.translation - force * force.transpose() / along,
            };
            let (products_w, products_v) = velocity_products[joint];
            let mut carried_moment = bias_moment
                + rest.rotation * products_w
                + rest.coupling * products_v
                + moment * (left / along);
            let mut carried_force = bias_force
                + rest.coupling.transpose() * products_w
                + rest.translation * products_v
                + force * (left / along);
            let turn = &posture.turns[joint];
            let offset = posture.offsets[joint];
            carried_force = turn.outward(&carried_force);
            carried_moment = turn.outward(&carried_moment) + offset.cross(&carried_force);
            bias[before].0 += carried_moment;
            bias[before].1 += carried_force;
            let rotation = Matrix3::from_columns(&[
                turn.outward(&Vector3::x()),
                turn.outward(&Vector3::y()),
                turn.outward(&Vector3::z()),
            ]);
            let turned = |matrix: &Matrix3<f64>| rotation * matrix * rotation.transpose();
            let (turned_coupling, translation) = (turned(&rest.coupling), turned(&rest.translation));
            let arm = skew(&offset);
            let coupling = turned_coupling + arm * translation;
            bodies[before].rotation +=
                turned(&rest.rotation) + arm * turned_coupling.transpose() - coupling * arm;
            bodies[before].coupling += coupling;
            bodies[before].translation += translation;
        }

        let mut accelerations = JointVector::zeros(self.count);
        let (mut al, mut a) = (Vector3::<f64>::zeros(), self.lift);
        for joint in 0..self.count {
            let turn = &posture.turns[joint];
            let (products_w, products_v) = velocity_products[joint];
            a = turn.inward(&(a + al.cross(&posture.offsets[joint]))) + products_v;
            al = turn.inward(&al) + products_w;
            let Solved { along, left, moment, force } = solved[joint];
            let acceleration = (left - moment.dot(&al) - force.dot(&a)) / along;
            accelerations.set(joint, acceleration);
            if self.segments[joint].is_prismatic {
                a.z += acceleration;
            } else {
                al.z += acceleration;
            }
        }
        accelerations
    }
}
