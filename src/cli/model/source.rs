//! Which robot a subcommand of `model` is about: a URDF file or a model that is part of the program.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::cli::{Exit, check::print_problems, read_text};
use crate::config::kinematic_model::{EMBEDDED_MODELS, EmbeddedModel, KinematicModel, from_urdf};
use crate::config::problem::Problem;

/// The arguments every subcommand of `model` has.
#[derive(Debug, Args)]
pub(in crate::cli) struct ModelSource {
    /// Robot description; meshes it names are not opened
    #[arg(long, value_name = "FILE", required_unless_present = "model", conflicts_with = "model")]
    urdf: Option<PathBuf>,
    /// A model that is part of the program, such as six-axis-8kg
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// First link of the chain; otherwise the root of the tree
    #[arg(long, value_name = "LINK")]
    base: Option<String>,
    /// Last link of the chain; otherwise the end with the most joints before it
    #[arg(long, value_name = "LINK")]
    tip: Option<String>,
}

impl ModelSource {
    /// Reads the model; every mistake is printed.
    ///
    /// # Errors
    /// How the program ends.
    pub(in crate::cli) fn load(&self, json: bool) -> Result<KinematicModel, Exit> {
        self.read().map_err(|problems| {
            print_problems(self.place(), &problems, json);
            Exit::Mistake
        })
    }

    /// What the user named, for messages.
    fn place(&self) -> &Path {
        self.urdf.as_deref().or_else(|| self.model.as_deref().map(Path::new)).unwrap_or_else(|| Path::new(""))
    }

    fn read(&self) -> Result<KinematicModel, Vec<Problem>> {
        let (base, tip) = (self.base.as_deref(), self.tip.as_deref());
        if let Some(path) = &self.urdf {
            let text = read_text(path).map_err(|problem| vec![problem])?;
            return from_urdf(&text, base, tip).map_err(|problems| problems.0);
        }
        let name = self.model.as_deref().unwrap_or_default();
        let embedded = EmbeddedModel::by_name(name).ok_or_else(|| {
            let names: Vec<&str> = EMBEDDED_MODELS.iter().map(|model| model.name).collect();
            vec![Problem::new(
                "--model",
                format!("there is no model `{name}`"),
                names.join(", "),
                "for a description of your own: --urdf FILE",
            )]
        })?;
        embedded.load_between(base, tip).map_err(|problems| problems.0)
    }
}
