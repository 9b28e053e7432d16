//! Friction of a joint: dry, Stribeck and viscous, smooth through zero speed so that it can be fed forward.

/// What a joint loses in its gear and bearings. All zero: nothing.
///
/// `torque = (coulomb + (breakaway − coulomb) exp(−(v/stribeck)²)) tanh(v/smoothing) + viscous v`.
///
/// Source: Armstrong-Hélouvry, Dupont, Canudas de Wit 1994 (Stribeck curve); the step at rest is a `tanh`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct JointFriction {
    /// Dry friction in motion, N m or N, ≥ 0.
    pub coulomb: f64,
    /// Dry friction at the begin of motion, N m or N; below `coulomb` it counts as `coulomb`.
    pub breakaway: f64,
    /// Speed at which the breakaway part has fallen to 37 %, rad/s or m/s; zero: there is none.
    pub stribeck_speed: f64,
    /// Viscous friction, N m s or N s/m, ≥ 0.
    pub viscous: f64,
    /// Speed at which dry friction has reached 76 % of itself, rad/s or m/s; zero: 1 mrad/s.
    pub smoothing_speed: f64,
}

/// Used where none is given, rad/s or m/s.
const SMOOTHING_SPEED: f64 = 1e-3;

impl JointFriction {
    /// Torque (or force) needed against friction at a joint speed; odd in the speed, never helps the motion.
    #[must_use]
    pub fn torque(&self, speed: f64) -> f64 {
        let mut dry = self.coulomb;
        if self.stribeck_speed > 0.0 && self.breakaway > self.coulomb {
            let ratio = speed / self.stribeck_speed;
            dry += (self.breakaway - self.coulomb) * (-ratio * ratio).exp();
        }
        let smoothing = if self.smoothing_speed > 0.0 { self.smoothing_speed } else { SMOOTHING_SPEED };
        let direction = if dry > 0.0 { (speed / smoothing).tanh() } else { 0.0 };
        dry * direction + self.viscous * speed
    }
}
