//! A mistake in something a person wrote: where, what, what is allowed, what to do.

use std::cell::{Cell, RefCell};
use std::fmt;

/// One mistake in a configuration file, a robot model or a job document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Key path (`subdevices[2].gear_ratio`), or line and column where the text cannot be parsed. Begins
    /// with the file's name where it is not the file that was asked for.
    pub place: String,
    /// What is wrong, with the value found.
    pub message: String,
    /// What may stand there: range with unit, or the known names. Empty where nothing could.
    pub allowed: String,
    /// What to do about it. Empty where the allowed range says it all.
    pub remedy: String,
}

impl Problem {
    /// Message of a key that must be there and is not.
    pub const MISSING_KEY: &str = "missing";

    /// True for a key that must be there and is not.
    #[must_use]
    pub fn is_of_missing_key(&self) -> bool {
        self.message == Self::MISSING_KEY
    }

    /// A problem; takes anything that becomes text.
    #[must_use]
    pub fn new(
        place: impl Into<String>,
        message: impl Into<String>,
        allowed: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { place: place.into(), message: message.into(), allowed: allowed.into(), remedy: remedy.into() }
    }

    /// The same problem, its place preceded by `file`.
    #[must_use]
    pub fn in_file(mut self, file: &str) -> Self {
        self.place = if self.place.is_empty() { file.to_owned() } else { format!("{file}: {}", self.place) };
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.place.is_empty() {
            write!(formatter, "{}: ", self.place)?;
        }
        formatter.write_str(&self.message)?;
        if !self.allowed.is_empty() {
            write!(formatter, "; allowed: {}", self.allowed)?;
        }
        if !self.remedy.is_empty() {
            write!(formatter, "; remedy: {}", self.remedy)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problem {}

/// Most problems that are reported of one document; the rest is counted.
pub const PROBLEMS_MAX: usize = 100;

/// Collects the problems of a document while it is read.
#[derive(Debug, Default)]
pub struct Problems {
    kept: RefCell<Vec<Problem>>,
    dropped: Cell<usize>,
}

impl Problems {
    /// Notes one. Beyond [`PROBLEMS_MAX`] it is only counted.
    pub fn push(&self, problem: Problem) {
        let mut kept = self.kept.borrow_mut();
        if kept.len() < PROBLEMS_MAX {
            kept.push(problem);
        } else {
            self.dropped.set(self.dropped.get() + 1);
        }
    }

    /// Notes many.
    pub fn extend(&self, problems: impl IntoIterator<Item = Problem>) {
        problems.into_iter().for_each(|problem| self.push(problem));
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.kept.borrow().len() + self.dropped.get()
    }

    /// True when nothing was noted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// `value` when nothing was noted.
    ///
    /// # Errors
    /// All problems, in the order they were noted, when there is one; of more than [`PROBLEMS_MAX`] the
    /// first ones and how many more there are.
    pub fn finish<T>(self, value: Option<T>) -> Result<T, Vec<Problem>> {
        let mut problems = self.kept.into_inner();
        if self.dropped.get() > 0 {
            problems.push(Problem::new(
                "",
                format!("{} more problems", self.dropped.get()),
                "",
                "correct the first ones",
            ));
        }
        match value {
            Some(value) if problems.is_empty() => Ok(value),
            // A reader that gives up has noted why; an empty list would read as "no mistake".
            None if problems.is_empty() => {
                Err(vec![Problem::new("", "the document could not be read", "", "report this as a defect")])
            }
            Some(_) | None => Err(problems),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_names_place_allowed_range_and_remedy() {
        let problem = Problem::new("a.b", "7 is too large", "0 to 5 mm", "lower it");
        assert_eq!(problem.to_string(), "a.b: 7 is too large; allowed: 0 to 5 mm; remedy: lower it");
        assert_eq!(
            Problem::new("a", "no", "", "").in_file("drives/x.toml").to_string(),
            "drives/x.toml: a: no"
        );
    }

    #[test]
    fn nothing_is_valid_once_a_problem_was_noted() {
        let problems = Problems::default();
        problems.push(Problem::new("a", "no", "", ""));
        assert_eq!(problems.finish(Some(1)).map_err(|problems| problems.len()), Err(1));
        assert_eq!(Problems::default().finish(Some(1)), Ok(1));
        assert_eq!(Problems::default().finish(None::<u8>).map_err(|problems| problems.len()), Err(1));
    }

    #[test]
    fn a_flood_of_problems_is_cut_and_counted() {
        let problems = Problems::default();
        problems.extend((0..1000).map(|index| Problem::new(index.to_string(), "no", "", "")));
        assert_eq!(problems.len(), 1000);
        let found = problems.finish(Some(1)).expect_err("there are problems");
        assert_eq!(found.len(), PROBLEMS_MAX + 1);
        assert_eq!(found.last().map(|problem| problem.message.as_str()), Some("900 more problems"));
    }
}
