//! Fixed-size vectors over the joints of an arm.

/// Largest number of joints in a chain.
pub const MAX_JOINTS: usize = 12;

/// One number for each joint of an arm: position (rad or m), velocity, torque, …
///
/// Fixed size and `Copy`; entries beyond [`len`](Self::len) are zero and never visible.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct JointVector {
    values: [f64; MAX_JOINTS],
    count: u8,
}

impl JointVector {
    /// `count` zeros. `count` above [`MAX_JOINTS`] is cut to it.
    #[must_use]
    pub const fn zeros(count: usize) -> Self {
        let count = if count > MAX_JOINTS { MAX_JOINTS } else { count };
        #[expect(clippy::cast_possible_truncation, reason = "count is at most MAX_JOINTS")]
        let count = count as u8;
        Self { values: [0.0; MAX_JOINTS], count }
    }

    /// The values of `slice`, or `None` when there are more than [`MAX_JOINTS`].
    #[must_use]
    pub fn from_slice(slice: &[f64]) -> Option<Self> {
        let mut joints = Self::zeros(slice.len());
        (slice.len() <= MAX_JOINTS).then(|| {
            joints.as_mut_slice().copy_from_slice(slice);
            joints
        })
    }

    /// The first `count` of `values`.
    #[must_use]
    pub fn from_padded(values: &[f64; MAX_JOINTS], count: usize) -> Self {
        let mut joints = Self { values: *values, ..Self::zeros(count) };
        for value in joints.values.iter_mut().skip(count) {
            *value = 0.0;
        }
        joints
    }

    /// One value for each joint index in `0..count`.
    #[must_use]
    pub fn from_fn(count: usize, mut value: impl FnMut(usize) -> f64) -> Self {
        let mut joints = Self::zeros(count);
        for (index, entry) in joints.as_mut_slice().iter_mut().enumerate() {
            *entry = value(index);
        }
        joints
    }

    /// Number of joints.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.count as usize
    }

    /// True when there is no joint.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The values, joint 1 first.
    #[must_use]
    pub fn as_slice(&self) -> &[f64] {
        self.values.get(..self.len()).unwrap_or(&[])
    }

    /// The values, joint 1 first.
    pub fn as_mut_slice(&mut self) -> &mut [f64] {
        let count = self.len();
        self.values.get_mut(..count).unwrap_or(&mut [])
    }

    /// The values, joint 1 first.
    pub fn iter(&self) -> impl Iterator<Item = f64> + '_ {
        self.as_slice().iter().copied()
    }

    /// The values with zeros behind the last.
    #[must_use]
    pub const fn as_padded(&self) -> &[f64; MAX_JOINTS] {
        &self.values
    }

    /// The value of one joint; zero beyond the last.
    #[must_use]
    pub fn get(&self, joint: usize) -> f64 {
        self.as_slice().get(joint).copied().unwrap_or(0.0)
    }

    /// Sets the value of one joint; nothing happens beyond the last.
    pub fn set(&mut self, joint: usize, value: f64) {
        if let Some(entry) = self.as_mut_slice().get_mut(joint) {
            *entry = value;
        }
    }

    /// `function` applied to each pair of values; as long as the shorter one.
    #[must_use]
    pub fn zip_map(&self, other: &Self, mut function: impl FnMut(f64, f64) -> f64) -> Self {
        Self::from_fn(self.len().min(other.len()), |joint| function(self.get(joint), other.get(joint)))
    }

    /// `function` applied to each value.
    #[must_use]
    pub fn map(&self, mut function: impl FnMut(f64) -> f64) -> Self {
        Self::from_fn(self.len(), |joint| function(self.get(joint)))
    }

    /// True when every value is a finite number.
    #[must_use]
    pub fn is_finite(&self) -> bool {
        self.iter().all(f64::is_finite)
    }

    /// Largest magnitude; zero when empty.
    #[must_use]
    pub fn max_abs(&self) -> f64 {
        self.iter().fold(0.0, |largest, value| largest.max(value.abs()))
    }
}

impl std::ops::Add for JointVector {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        self.zip_map(&other, |a, b| a + b)
    }
}

impl std::ops::Sub for JointVector {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        self.zip_map(&other, |a, b| a - b)
    }
}

impl std::ops::Mul<f64> for JointVector {
    type Output = Self;
    fn mul(self, factor: f64) -> Self {
        self.map(|value| value * factor)
    }
}

/// What a joint may do. Units: rad and seconds (revolute) or m and seconds (prismatic).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct JointLimit {
    /// Smallest position.
    pub position_min: f64,
    /// Largest position.
    pub position_max: f64,
    /// Largest speed, > 0.
    pub speed_max: f64,
    /// Largest acceleration, > 0.
    pub acceleration_max: f64,
    /// Largest jerk, > 0.
    pub jerk_max: f64,
}

/// The limits of every joint of an arm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct JointLimits {
    limits: [JointLimit; MAX_JOINTS],
    count: u8,
}

impl JointLimits {
    /// The limits in `slice`, joint 1 first; `None` when there are more than [`MAX_JOINTS`].
    #[must_use]
    pub fn from_slice(slice: &[JointLimit]) -> Option<Self> {
        let none = JointLimit {
            position_min: 0.0,
            position_max: 0.0,
            speed_max: 0.0,
            acceleration_max: 0.0,
            jerk_max: 0.0,
        };
        let mut limits = [none; MAX_JOINTS];
        limits.get_mut(..slice.len())?.copy_from_slice(slice);
        Some(Self { limits, count: u8::try_from(slice.len()).ok()? })
    }

    /// The limits, joint 1 first.
    #[must_use]
    pub fn as_slice(&self) -> &[JointLimit] {
        self.limits.get(..self.count as usize).unwrap_or(&[])
    }

    /// Number of joints.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.count as usize
    }

    /// True when there is no joint.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The first joint of `q` (rad or m) outside its position limits by more than `tolerance`, if any.
    #[must_use]
    pub fn first_outside(&self, q: &JointVector, tolerance: f64) -> Option<usize> {
        self.as_slice().iter().zip(q.iter()).position(|(limit, value)| {
            !(limit.position_min - tolerance..=limit.position_max + tolerance).contains(&value)
        })
    }
}
