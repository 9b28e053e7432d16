//! The record as it stands on disk: a line with the SHA-256 of the rest, then JSON.

use serde::{Deserialize, Serialize};

use crate::boundary::position_reports::PositionReport;
use crate::config::cell::{Cell, Drive};
use crate::devices::Identity;
use crate::jobs::store::document_hash;
use crate::positions::Distrust;

const FORMAT: &str = "motiond-mastering";
const FORMAT_VERSION: u32 = 1;

/// What is known of the positions, as of one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    format: String,
    format_version: u32,
    /// Name of the cell.
    pub cell: String,
    /// The drives were off and the brakes closed: the arm stays where it is.
    pub settled: bool,
    /// When it was written, s since 1970; for people.
    pub written_unix_s: u64,
    /// The coupling the positions were computed with, row of a joint, column of a drive.
    pub coupling: Vec<Vec<f64>>,
    /// The joints, joint 1 first.
    pub joints: Vec<JointRecord>,
    /// The drives, as they follow the joints.
    pub drives: Vec<DriveRecord>,
}

/// One joint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JointRecord {
    /// Where it was, rad or m.
    pub position: f64,
    /// Why its position is not relied on, by name; null: it is.
    pub distrust: Option<String>,
}

/// One drive.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DriveRecord {
    /// Its name in the cell file; for people.
    pub name: String,
    /// Vendor id.
    pub vendor: u32,
    /// Product code.
    pub product: u32,
    /// Serial number.
    pub serial: u32,
    /// The numbers of the cell file the reference was made with.
    pub scaling: ScalingRecord,
    /// Position after the gear at count 0, rad or m.
    pub position_at_count_0: f64,
    /// Count followed over every wrap, where it was last seen.
    pub counts: i64,
    /// How it was mastered; null: the reference is that of the cell file.
    pub mastered: Option<Mastered>,
}

/// Encoder and gear of a drive.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScalingRecord {
    counts_per_turn: u32,
    counter_bits: u8,
    gear_ratio: f64,
    sign: f64,
    lead_m: Option<f64>,
    offset_counts: i64,
}

/// A mastering.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mastered {
    /// What the counter showed.
    pub raw_counts: i32,
    /// The position after the gear this was declared to be, rad or m.
    pub position: f64,
    /// When, s since 1970.
    pub unix_s: u64,
}

impl From<&Drive> for ScalingRecord {
    fn from(drive: &Drive) -> Self {
        Self {
            counts_per_turn: drive.counts_per_turn,
            counter_bits: drive.counter_bits,
            gear_ratio: drive.gear_ratio,
            sign: drive.sign,
            lead_m: drive.lead,
            offset_counts: drive.offset_counts,
        }
    }
}

impl DriveRecord {
    /// The drive the reference was taken of.
    #[must_use]
    pub const fn identity(&self) -> Identity {
        Identity { vendor: self.vendor, product: self.product, revision: 0, serial: self.serial }
    }
}

impl JointRecord {
    /// Why the joint is not relied on. A reason of another version counts as the general one.
    #[must_use]
    pub fn distrust(&self) -> Option<Distrust> {
        let name = self.distrust.as_ref()?;
        let known = Distrust::ALL.into_iter().find(|reason| reason.name() == name);
        Some(known.unwrap_or(Distrust::NoRecord))
    }
}

/// The coupling of a cell, row of a joint, column of a drive.
#[must_use]
pub fn coupling_rows(cell: &Cell) -> Vec<Vec<f64>> {
    let count = cell.joint_count();
    cell.coupling.joint_from_drive().iter().take(count).map(|row| row[..count].to_vec()).collect()
}

impl Record {
    /// What `report` says of `cell`. A drive whose reference differs from that in `before` was mastered now.
    #[must_use]
    pub fn new(cell: &Cell, report: &PositionReport, before: Option<&Self>, unix_s: u64) -> Self {
        let joints = report.q.iter().zip(&report.distrust).map(|(position, distrust)| JointRecord {
            position,
            distrust: distrust.map(|reason| reason.name().to_owned()),
        });
        // Zeros are carried along unchanged, never calculated anew: the same one has the same bits.
        let is_same = |one: f64, other: f64| one.to_bits() == other.to_bits();
        let drives = cell.drives().into_iter().enumerate().map(|(at, (place, drive))| {
            let identity = report.identities.get(at).copied().unwrap_or_default();
            let counts = report.counts.get(at).copied().unwrap_or(0);
            let position_at_count_0 = report.positions_at_count_0.get(at);
            let earlier = before.and_then(|before| before.drives.get(at));
            let same = earlier.filter(|earlier| is_same(earlier.position_at_count_0, position_at_count_0));
            let mastered = match (same, earlier) {
                (Some(same), _) => same.mastered.clone(),
                (None, None) if is_same(position_at_count_0, drive.position_at_count_0()) => None,
                (None, _) => Some(Mastered {
                    raw_counts: raw(counts, drive.counter_bits),
                    #[expect(clippy::cast_precision_loss, reason = "followed counts stay far below 2^53")]
                    position: counts as f64 / drive.counts_per_radian() + position_at_count_0,
                    unix_s,
                }),
            };
            DriveRecord {
                name: cell
                    .subdevices
                    .get(place.subdevice)
                    .map_or_else(String::new, |device| device.name.clone()),
                vendor: identity.vendor,
                product: identity.product,
                serial: identity.serial,
                scaling: drive.into(),
                position_at_count_0,
                counts,
                mastered,
            }
        });
        Self {
            format: FORMAT.to_owned(),
            format_version: FORMAT_VERSION,
            cell: cell.name.clone(),
            settled: report.is_settled,
            written_unix_s: unix_s,
            coupling: coupling_rows(cell),
            joints: joints.collect(),
            drives: drives.collect(),
        }
    }

    /// The text on disk.
    ///
    /// # Errors
    /// A number that JSON cannot carry.
    pub fn text(&self) -> Result<String, serde_json::Error> {
        let json = serde_json::to_string_pretty(self)?;
        Ok(format!("{}\n{json}\n", document_hash(&json)))
    }

    /// Reads the text on disk; `None` when one byte of it is not what was written.
    #[must_use]
    pub fn read(text: &[u8]) -> Option<Self> {
        let (hash, json) = std::str::from_utf8(text).ok()?.split_once('\n')?;
        let json = json.strip_suffix('\n')?;
        if document_hash(json) != hash {
            return None;
        }
        let record: Self = serde_json::from_str(json).ok()?;
        (record.format == FORMAT && record.format_version == FORMAT_VERSION).then_some(record)
    }
}

/// What a counter of so many bits shows at a followed count.
#[expect(clippy::cast_possible_truncation, reason = "only the low bits are shown")]
fn raw(counts: i64, bits: u8) -> i32 {
    let shift = 32_u32.saturating_sub(u32::from(bits));
    ((counts as i32) << shift) >> shift
}
