//! Application processes: each reads its data and makes of it the phases that accompany a path. The
//! real-time side runs the phases without knowing any process; where the path goes is the job's business.
//!
//! A new process is one file here that implements [`Process`], its line in [`PROCESSES`], and data sets in
//! `config/processes/`.

mod welding;

use std::fmt::Debug;
use std::sync::Arc;

use crate::boundary::phase_table::PhaseTable;
use crate::config::cell::{Cell, Schedule};
use crate::config::document::Value;
use crate::config::problem::{Problem, Problems};

pub use welding::{CraterFill, WeldData};

/// An application process.
pub trait Process: Debug + Sync {
    /// Key of its data in a seam of a job, and the `process` of its data sets.
    fn key(&self) -> &'static str;

    /// Key of a seam that names a data set.
    fn schedule_key(&self) -> &'static str;

    /// Notes what is wrong with its data in whatever cell it is used.
    fn check(&self, data: &Value<'_>);

    /// Reads its data; notes what is wrong with it, or why this cell cannot do it.
    fn read(&self, data: &Value<'_>, cell: &Cell) -> Option<Arc<dyn ProcessPath>>;
}

/// The data of one process path, valid on the cell it was read for.
pub trait ProcessPath: Debug + Send + Sync {
    /// Speed of the tool along the path, m/s.
    fn travel_speed_m_s(&self) -> f64;

    /// Its phases, under the number by which events and status call it.
    fn phase_table(&self, number: u16) -> PhaseTable;

    /// What the phases are called: position = [`Phase::number`](crate::boundary::phase_table::Phase).
    fn phase_names(&self) -> &'static [&'static str];
}

/// Every process there is.
pub const PROCESSES: &[&dyn Process] = &[&welding::Welding];

/// Every mistake in data sets; without a valid cell those that are mistakes in every cell.
#[must_use]
pub fn schedule_problems(schedules: &[Schedule], cell: Option<&Cell>) -> Vec<Problem> {
    let problems = Problems::default();
    for schedule in schedules {
        let file = format!("processes/{}.toml: data", schedule.name);
        let data = Value::at(&file, &schedule.data, &problems);
        match (PROCESSES.iter().find(|process| process.key() == schedule.process), cell) {
            (Some(process), Some(cell)) => {
                let _checked = process.read(&data, cell);
            }
            (Some(process), None) => process.check(&data),
            (None, _) => problems.push(Problem::new(
                format!("processes/{}.toml: process", schedule.name),
                format!("unknown process `{}`", schedule.process),
                crate::config::document::listed(PROCESSES.iter().map(|process| process.key())),
                "name a process",
            )),
        }
    }
    problems.finish(Some(())).err().unwrap_or_default()
}
