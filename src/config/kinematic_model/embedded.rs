//! Models that are part of the program, so that a demonstration runs from any directory.

use super::{KinematicModel, ModelProblems, from_text};

/// The files of a model, as text.
#[derive(Clone, Copy, Debug)]
pub struct EmbeddedModel {
    /// Name of its folder under `kinematics-models/`.
    pub name: &'static str,
    /// `robot.urdf`.
    pub urdf: &'static str,
    /// `limits.toml`.
    pub limits: &'static str,
}

/// Six-axis arm with spherical wrist, 8 kg, 1.4 m.
pub const SIX_AXIS_8KG: EmbeddedModel = EmbeddedModel {
    name: "six-axis-8kg",
    urdf: include_str!("../../../kinematics-models/six-axis-8kg/robot.urdf"),
    limits: include_str!("../../../kinematics-models/six-axis-8kg/limits.toml"),
};

/// All embedded models.
pub const EMBEDDED_MODELS: [EmbeddedModel; 1] = [SIX_AXIS_8KG];

impl EmbeddedModel {
    /// The embedded model of this name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<&'static Self> {
        EMBEDDED_MODELS.iter().find(|model| model.name == name)
    }

    /// Makes the model.
    ///
    /// # Errors
    /// The problems of the text; a test loads every embedded model, so there are none.
    pub fn load(&self) -> Result<KinematicModel, ModelProblems> {
        self.load_between(None, None)
    }

    /// [`load`](Self::load) with base and tip link as [`from_text`] takes them.
    ///
    /// # Errors
    /// A base or tip the model does not have, or that do not hang together.
    pub fn load_between(
        &self,
        base: Option<&str>,
        tip: Option<&str>,
    ) -> Result<KinematicModel, ModelProblems> {
        from_text(self.urdf, self.limits, base, tip)
    }
}
