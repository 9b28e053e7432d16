//! `motiond model collide`: how far an arm is from itself.

use clap::Args;
use serde::Serialize;

use super::json_lines::answer_lines;
use super::source::ModelSource;
use crate::cli::{Exit, print_error};
use crate::config::collision_model::collision_model;

/// Arguments of `motiond model collide`.
#[derive(Debug, Args)]
pub(super) struct CollideArguments {
    #[command(flatten)]
    source: ModelSource,
    /// Two links whose distance does not matter, such as link_4,link_6; may be given several times
    #[arg(long, value_name = "LINK,LINK")]
    allow: Vec<String>,
}

/// The nearest two links.
#[derive(Debug, Serialize)]
struct CollideAnswer<'a> {
    distance_m: f64,
    pair: [&'a str; 2],
    colliding: bool,
}

/// Answers `{"q": [rad or m]}` by the distance of the nearest two links.
pub(super) fn collide(arguments: &CollideArguments) -> anyhow::Result<Exit> {
    let model = match arguments.source.load(true) {
        Ok(model) => model,
        Err(exit) => return Ok(exit),
    };
    let mut allowed = Vec::new();
    for pair in &arguments.allow {
        let links = pair.split_once(',').map(|(one, other)| [one.trim().to_owned(), other.trim().to_owned()]);
        let names: Vec<String> = (0..model.links.len()).map(|index| model.link_name(index)).collect();
        match links.filter(|links| links.iter().all(|link| names.contains(link))) {
            Some(links) => allowed.push(links),
            None => {
                print_error(&format!(
                    "--allow {pair}: two links with a comma between, of {}",
                    names.join(", ")
                ));
                return Ok(Exit::Mistake);
            }
        }
    }
    let collisions = match collision_model(&model, &[], &allowed) {
        Ok(collisions) => collisions,
        Err(error) => {
            print_error(&format!("{}: {error}", model.name));
            return Ok(Exit::Mistake);
        }
    };
    answer_lines(|question| {
        question.only(&["q"])?;
        let q = question.joints("q", &model)?;
        let posed = collisions.arm.posed(&model.chain.link_poses(&q));
        let nearest = collisions.arm.nearest(&posed).ok_or("no two links of this arm can meet")?;
        let name = |index: u8| collisions.names.get(usize::from(index)).map_or("", String::as_str);
        Ok(CollideAnswer {
            distance_m: nearest.distance_m,
            pair: [name(nearest.pair.0), name(nearest.pair.1)],
            colliding: nearest.distance_m <= 0.0,
        })
    })
}
