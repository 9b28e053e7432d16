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

/// The three texts of a model folder, the name of the folder written once.
macro_rules! embedded_model {
    ($name:literal) => {
        EmbeddedModel {
            name: $name,
            urdf: include_str!(concat!("../../../kinematics-models/", $name, "/robot.urdf")),
            limits: include_str!(concat!("../../../kinematics-models/", $name, "/limits.toml")),
        }
    };
}

/// Six-axis arm with spherical wrist, 8 kg, 1.4 m.
pub const SIX_AXIS_8KG: EmbeddedModel = embedded_model!("six-axis-8kg");

/// All embedded models.
pub const EMBEDDED_MODELS: [EmbeddedModel; 9] = [
    SIX_AXIS_8KG,
    embedded_model!("six-axis-16kg"),
    embedded_model!("six-axis-200kg"),
    embedded_model!("three-parallel-12kg"),
    embedded_model!("offset-wrist-10kg"),
    embedded_model!("seven-axis-14kg"),
    embedded_model!("scara-6kg"),
    embedded_model!("palletiser-120kg"),
    embedded_model!("track-positioner-16kg"),
];

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
