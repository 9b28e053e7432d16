//! Where the positions of the joints come from.

use crate::config::document::Table;
use crate::joints::JointVector;

use super::Cell;

/// What is done while there is no record of a mastering. A damaged record is never made up for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WithoutRecord {
    /// No joint is relied on until it was mastered.
    #[default]
    Untrusted,
    /// The offsets of the cell file are right.
    CellFile,
}

pub(super) fn read_without_record(mut table: Table<'_>) -> Option<WithoutRecord> {
    table.choice(
        "without_record",
        &[("untrusted", WithoutRecord::Untrusted), ("cell_file", WithoutRecord::CellFile)],
    )
}

impl Cell {
    /// True when the counter of this drive shows another number at every position its joint can be in, so that
    /// nothing but the number is needed to know the position.
    #[must_use]
    pub fn is_counter_unambiguous(&self, drive: usize) -> bool {
        let drives = self.drives();
        let Some((_, data)) = drives.get(drive) else { return false };
        // The drive's share of every joint's range, each in the direction that adds up.
        let ranges = self.joint_limits.as_slice().iter().enumerate();
        let travel: f64 = ranges
            .map(|(joint, limit)| {
                let mut range = JointVector::zeros(self.joint_count());
                range.set(joint, limit.position_max - limit.position_min);
                self.coupling.drives(&range).get(drive).abs()
            })
            .sum();
        let width = f64::from(data.counter_bits).exp2() / data.counts_per_radian().abs();
        // Arms stand a little outside their limits now and then.
        travel * 1.02 < width
    }
}
