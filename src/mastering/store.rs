//! Keeps the record. What is acknowledged is durable: written beside the old one, synced, renamed, and the folder
//! synced. A damaged record is set aside and never made up for.

use std::io;

use super::record::{Record, coupling_rows};
use crate::boundary::position_reports::PositionReport;
use crate::config::cell::{Cell, WithoutRecord};
use crate::devices::Identity;
use crate::jobs::files::Files;
use crate::joints::{JointVector, MAX_JOINTS};
use crate::positions::{Distrust, PositionsAtStart};

/// Name of the record.
pub const FILE: &str = "mastering.json";
const TEMPORARY: &str = "mastering.tmp";
const ASIDE: &str = "mastering.json.quarantined";
/// Longest record, bytes.
const BYTES_MAX: usize = 1024 * 1024;
/// A standing arm is written down at most this often, s.
const STANDING_PERIOD_S: f64 = 5.0;
/// And when it is further from where it was written down than this share of what it may be at the next start.
const STANDING_SHARE: f64 = 0.25;

/// What was found at start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// A record, whole.
    Record,
    /// None.
    Nothing,
    /// A damaged one; it was set aside.
    Damaged,
}

impl Found {
    /// The stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Record => "record",
            Self::Nothing => "nothing",
            Self::Damaged => "damaged",
        }
    }
}

/// What the arm did while the daemon was away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meanwhile {
    /// Nobody knows: a real arm.
    Unknown,
    /// Nothing: a simulated arm stands where the record says.
    Nothing,
}

/// Seconds since 1970.
pub type WallClock = fn() -> u64;

/// The record and what it said at start.
#[derive(Debug)]
pub struct MasteringStore {
    files: Box<dyn Files>,
    cell: Cell,
    clock: WallClock,
    found: Found,
    start: PositionsAtStart,
    record: Option<Record>,
    latest: Option<PositionReport>,
    /// The report the record was made of.
    written: Option<PositionReport>,
    /// Why nothing is written any more.
    fenced: Option<String>,
}

impl MasteringStore {
    /// Reads what was recorded of `cell`.
    ///
    /// # Errors
    /// What the file system says: then nothing is known of what is recorded, and nothing must be written over it.
    pub fn open(
        mut files: Box<dyn Files>,
        cell: &Cell,
        meanwhile: Meanwhile,
        clock: WallClock,
    ) -> io::Result<Self> {
        let (found, record) = match files.read(FILE, BYTES_MAX) {
            Ok(text) => match Record::read(&text) {
                Some(record) => (Found::Record, Some(record)),
                None => (Found::Damaged, None),
            },
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => (Found::Damaged, None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => (Found::Nothing, None),
            Err(error) => return Err(error),
        };
        if found == Found::Damaged {
            files.rename(FILE, ASIDE)?;
            files.sync_folder()?;
        }
        let start = at_start(cell, found, record.as_ref(), meanwhile);
        Ok(Self {
            files,
            cell: cell.clone(),
            clock,
            found,
            start,
            record,
            latest: None,
            written: None,
            fenced: None,
        })
    }

    /// What the cycle is to start with.
    #[must_use]
    pub const fn at_start(&self) -> &PositionsAtStart {
        &self.start
    }

    /// What was found at start.
    #[must_use]
    pub const fn found(&self) -> Found {
        self.found
    }

    /// The record in force.
    #[must_use]
    pub const fn record(&self) -> Option<&Record> {
        self.record.as_ref()
    }

    /// The newest report.
    #[must_use]
    pub const fn latest(&self) -> Option<&PositionReport> {
        self.latest.as_ref()
    }

    /// Where the joints of a simulated arm stand whose encoders have the offsets of the cell file, rad or m; `None`
    /// when the record is of another arm.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "followed counts stay far below 2^53")]
    pub fn simulated_joints(&self) -> Option<JointVector> {
        let drives = self.cell.drives();
        let counts: Option<Vec<i64>> =
            self.start.drives.iter().take(drives.len()).map(|reference| reference.counts).collect();
        let counts = counts?;
        let positions = JointVector::from_fn(drives.len(), |at| {
            drives.get(at).zip(counts.get(at)).map_or(0.0, |((_, drive), counts)| {
                *counts as f64 / drive.counts_per_radian() + drive.position_at_count_0()
            })
        });
        Some(self.cell.coupling.joints(&positions))
    }

    /// Takes a report, and writes it down when it is worth it: at every change of a reference or of trust, when the
    /// drives go on or off, and now and then while the arm stands elsewhere. Returns whether it was written.
    ///
    /// # Errors
    /// What the file system says. The report is in force all the same, but not durable.
    pub fn take(&mut self, report: PositionReport) -> io::Result<bool> {
        self.latest = Some(report);
        if !self.is_worth_writing(&report) {
            return Ok(false);
        }
        if let Some(first) = &self.fenced {
            return Err(io::Error::other(format!(
                "the record of mastering is not written any more since writing to disk failed ({first})"
            )));
        }
        let record = Record::new(&self.cell, &report, self.record.as_ref(), (self.clock)());
        let text = record.text().map_err(io::Error::other)?;
        self.files.write(TEMPORARY, text.as_bytes())?;
        let durable = self.files.sync(TEMPORARY).and_then(|()| {
            self.files.rename(TEMPORARY, FILE)?;
            self.files.sync_folder()
        });
        if let Err(error) = durable {
            // The kernel may have dropped the pages: to sync again proves nothing.
            self.fenced = Some(error.to_string());
            return Err(error);
        }
        self.record = Some(record);
        self.written = Some(report);
        Ok(true)
    }

    fn is_worth_writing(&self, report: &PositionReport) -> bool {
        let Some(written) = &self.written else { return true };
        if report.changes != written.changes || report.is_settled != written.is_settled {
            return true;
        }
        let cycles = report.cycle.0.saturating_sub(written.cycle.0);
        #[expect(clippy::cast_precision_loss, reason = "exact for nine million years of cycles at 1 kHz")]
        let elapsed_s = cycles as f64 * self.cell.link.cycle_time.as_seconds();
        report.is_standing
            && elapsed_s >= STANDING_PERIOD_S
            && report.q.iter().enumerate().any(|(joint, position)| {
                let moved = (position - written.q.get(joint)).abs();
                moved > STANDING_SHARE * self.start.travel_max.get(joint)
            })
    }
}

/// What of a record can be relied on.
fn at_start(cell: &Cell, found: Found, record: Option<&Record>, meanwhile: Meanwhile) -> PositionsAtStart {
    let drives = cell.drives();
    let travel_max = JointVector::from_fn(cell.joint_count(), |joint| {
        let row = cell.coupling.joint_from_drive().get(joint);
        let parts = drives.iter().enumerate().map(|(at, (_, drive))| {
            row.and_then(|row| row.get(at)).map_or(0.0, |part| part.abs() * drive.travel_while_off)
        });
        parts.sum()
    });
    let mut start = PositionsAtStart { travel_max, ..PositionsAtStart::as_in_cell_file(cell.joint_count()) };
    let lose_drive = |start: &mut PositionsAtStart, at: usize, reason: Distrust| {
        for (joint, entry) in start.distrust.iter_mut().enumerate().take(cell.joint_count()) {
            let row = cell.coupling.joint_from_drive().get(joint);
            if row.and_then(|row| row.get(at)).is_some_and(|part| *part != 0.0) {
                entry.get_or_insert(reason);
            }
        }
    };
    let Some(record) = record else {
        for (at, _) in drives.iter().enumerate() {
            match found {
                Found::Damaged => lose_drive(&mut start, at, Distrust::DamagedRecord),
                Found::Nothing | Found::Record => match cell.without_record {
                    WithoutRecord::Untrusted => lose_drive(&mut start, at, Distrust::NoRecord),
                    WithoutRecord::CellFile if !cell.is_counter_unambiguous(at) => {
                        lose_drive(&mut start, at, Distrust::Ambiguous);
                    }
                    WithoutRecord::CellFile => {}
                },
            }
        }
        return start;
    };
    let is_other_arm = record.cell != cell.name
        || record.coupling != coupling_rows(cell)
        || record.drives.len() != drives.len();
    for (at, (_, drive)) in drives.iter().enumerate().take(MAX_JOINTS) {
        let recorded = record.drives.get(at).filter(|recorded| recorded.scaling == (*drive).into());
        match (recorded, start.drives.get_mut(at)) {
            (Some(recorded), Some(reference)) if !is_other_arm => {
                reference.position_at_count_0 = Some(recorded.position_at_count_0);
                reference.counts = Some(recorded.counts);
                // A record without identity was made before the bus had said who is there.
                let identity = recorded.identity();
                reference.identity = (identity != Identity::default()).then_some(identity);
            }
            _ => lose_drive(&mut start, at, Distrust::OtherScaling),
        }
    }
    for (entry, joint) in start.distrust.iter_mut().zip(&record.joints) {
        if let Some(reason) = joint.distrust() {
            *entry = Some(reason);
        } else if !record.settled && meanwhile == Meanwhile::Unknown {
            entry.get_or_insert(Distrust::EndedWhileOn);
        }
    }
    start
}
