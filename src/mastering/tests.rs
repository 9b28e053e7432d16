use std::io;

use super::record::Record;
use super::store::{FILE, Found, MasteringStore, Meanwhile};
use crate::boundary::position_reports::PositionReport;
use crate::config::cell::{Cell, WithoutRecord};
use crate::config::load::embedded_cell;
use crate::devices::Identity;
use crate::jobs::files::{Files, MemoryFiles};
use crate::joints::{JointVector, MAX_JOINTS};
use crate::positions::Distrust;
use crate::units::Cycles;

fn cell() -> Cell {
    embedded_cell().unwrap()
}

fn open(files: &MemoryFiles, cell: &Cell) -> MasteringStore {
    MasteringStore::open(Box::new(files.clone()), cell, Meanwhile::Unknown, || 1_000).unwrap()
}

/// Settled, with each joint at 0.1 rad times its number, as the cell file scales it.
fn report(cell: &Cell, cycle: u64) -> PositionReport {
    let drives = cell.drives();
    let q = JointVector::from_fn(6, |joint| 0.1 * (joint + 1) as f64);
    let after_gear = cell.coupling.drives(&q);
    PositionReport {
        cycle: Cycles(cycle),
        is_settled: true,
        is_standing: true,
        q,
        counts: std::array::from_fn(|at| {
            drives.get(at).map_or(0, |(_, drive)| {
                let counts = (after_gear.get(at) - drive.position_at_count_0()) * drive.counts_per_radian();
                #[expect(clippy::cast_possible_truncation, reason = "a test")]
                let counts = counts.round() as i64;
                counts
            })
        }),
        positions_at_count_0: JointVector::from_fn(6, |at| drives[at].1.position_at_count_0()),
        identities: std::array::from_fn(|at| Identity {
            vendor: 7,
            product: 8,
            revision: 9,
            serial: u32::try_from(at).unwrap() + 100,
        }),
        distrust: [None; MAX_JOINTS],
        changes: 1,
    }
}

#[test]
fn what_was_reported_is_known_at_the_next_start() {
    let (cell, files) = (cell(), MemoryFiles::default());
    let mut report = report(&cell, 1);
    report.positions_at_count_0.set(2, 0.25);
    let mut store = open(&files, &cell);
    assert_eq!(store.found(), Found::Nothing);
    assert!(store.take(report).unwrap());

    let store = open(&files.after_power_cut(false), &cell);
    assert_eq!(store.found(), Found::Record);
    let start = store.at_start();
    assert_eq!(start.distrust, [None; MAX_JOINTS]);
    for drive in 0..6 {
        assert_eq!(start.drives[drive].counts, Some(report.counts[drive]));
        assert_eq!(start.drives[drive].position_at_count_0, Some(report.positions_at_count_0.get(drive)));
        assert_eq!(start.drives[drive].identity.unwrap().serial, 100 + u32::try_from(drive).unwrap());
    }
    // The drive whose zero was moved was mastered; the others have that of the cell file.
    let record = store.record().unwrap();
    let mastered: Vec<usize> = (0..6).filter(|drive| record.drives[*drive].mastered.is_some()).collect();
    assert_eq!(mastered, [2]);
    assert_eq!(record.drives[2].mastered.as_ref().unwrap().unix_s, 1_000);
}

#[test]
fn a_record_with_any_byte_changed_is_set_aside_and_nothing_is_made_up() {
    let (cell, files) = (cell(), MemoryFiles::default());
    open(&files, &cell).take(report(&cell, 1)).unwrap();
    let text = files.read(FILE, 1 << 20).unwrap();
    assert!(Record::read(&text).is_some());
    for at in 0..text.len() {
        let mut wrong = text.clone();
        wrong[at] ^= 1;
        assert!(Record::read(&wrong).is_none(), "byte {at}");
        assert!(Record::read(&text[..at]).is_none(), "cut at {at}");
    }
    let mut damaged = MemoryFiles::default();
    damaged.write(FILE, &text[..text.len() / 2]).unwrap();
    let store = open(&damaged, &cell);
    assert_eq!(store.found(), Found::Damaged);
    assert_eq!(store.at_start().distrust[..6], [Some(Distrust::DamagedRecord); 6]);
    assert!(damaged.read("mastering.json.quarantined", 1 << 20).is_ok());
    // The shipped cell vouches for its offsets, but only where there has been no record.
    assert_eq!(cell.without_record, WithoutRecord::CellFile);
}

#[test]
fn without_a_record_the_cell_file_counts_only_if_it_says_so_and_the_counter_is_clear() {
    let mut cell = cell();
    assert_eq!(open(&MemoryFiles::default(), &cell).at_start().distrust, [None; MAX_JOINTS]);
    // 16 bits of a motor with 2^20 counts a turn: not even one turn.
    cell.subdevices[4].drives[0].counter_bits = 16;
    let distrust = open(&MemoryFiles::default(), &cell).at_start().distrust;
    // Drive 5 has a part in joint 6.
    let reasons = [None, None, None, None, Some(Distrust::Ambiguous), Some(Distrust::Ambiguous)];
    assert_eq!(distrust[..6], reasons);
    cell.without_record = WithoutRecord::Untrusted;
    let distrust = open(&MemoryFiles::default(), &cell).at_start().distrust;
    assert_eq!(distrust[..6], [Some(Distrust::NoRecord); 6]);
}

#[test]
fn other_gears_another_coupling_and_drives_that_were_on_are_not_relied_on() {
    let (cell, files) = (cell(), MemoryFiles::default());
    let mut report = report(&cell, 1);
    open(&files, &cell).take(report).unwrap();

    let mut other = cell.clone();
    other.subdevices[1].drives[0].gear_ratio *= 1.001;
    let start = *open(&files, &other).at_start();
    assert_eq!(start.distrust[..3], [None, Some(Distrust::OtherScaling), None]);
    assert_eq!(start.drives[1].counts, None, "counts of another gear mean nothing");

    let mut other = cell.clone();
    other.coupling = crate::config::cell::Coupling::identity(6);
    let distrust = open(&files, &other).at_start().distrust;
    assert_eq!(distrust[..6], [Some(Distrust::OtherScaling); 6]);

    report.is_settled = false;
    report.distrust[3] = Some(Distrust::Jumped);
    report.changes += 1;
    open(&files, &cell).take(report).unwrap();
    let distrust = open(&files, &cell).at_start().distrust;
    assert_eq!(distrust[3], Some(Distrust::Jumped), "what was known before is not forgotten");
    assert_eq!(distrust[2], Some(Distrust::EndedWhileOn));
    let simulated = MasteringStore::open(Box::new(files), &cell, Meanwhile::Nothing, || 0).unwrap();
    assert_eq!(simulated.at_start().distrust[2], None, "a simulated arm stands where the record says");
    assert_eq!(simulated.at_start().distrust[3], Some(Distrust::Jumped));
}

#[test]
fn a_simulated_arm_is_put_where_it_was_left() {
    let (cell, files) = (cell(), MemoryFiles::default());
    let report = report(&cell, 1);
    open(&files, &cell).take(report).unwrap();
    let joints = open(&files, &cell).simulated_joints().unwrap();
    assert!((joints - report.q).max_abs() < 1e-7, "{joints:?}");
    assert_eq!(open(&MemoryFiles::default(), &cell).simulated_joints(), None);
}

#[test]
fn it_is_written_when_something_changes_and_not_at_every_report() {
    let cell = cell();
    let mut store = open(&MemoryFiles::default(), &cell);
    let mut report = report(&cell, 1);
    assert!(store.take(report).unwrap(), "the first one");
    let mut written = |change: &dyn Fn(&mut PositionReport)| {
        change(&mut report);
        store.take(report).unwrap()
    };
    assert!(!written(&|report| report.cycle = Cycles(100_000)), "nothing new");
    assert!(!written(&|report| report.q.set(0, 0.1 + 1e-4)), "less than a quarter of the travel");
    assert!(written(&|report| report.q.set(0, 0.2)), "standing elsewhere");
    assert!(!written(&|report| report.q.set(0, 0.3)), "too soon");
    assert!(
        !written(&|report| {
            report.cycle = Cycles(110_000);
            report.is_standing = false;
        }),
        "moving"
    );
    assert!(written(&|report| report.is_settled = false), "drives on");
    assert!(written(&|report| report.changes += 1), "a reference");
}

/// Whatever step of a writing the power goes at, and whether the file system has kept names or not: the record is the
/// one before or the new one, whole.
#[test]
fn a_power_cut_at_any_step_leaves_the_old_record_or_the_new_one() {
    let cell = cell();
    let old = report(&cell, 1);
    let mut new = old;
    new.changes = 2;
    new.positions_at_count_0.set(0, 1.0);
    let mut seen = [false; 2];
    let steps = 4;
    for step in 0..=steps {
        for names_survive in [false, true] {
            let files = MemoryFiles::default();
            let mut store = open(&files, &cell);
            store.take(old).unwrap();
            files.fail_from(files.operations() + step, io::ErrorKind::Other);
            let acknowledged = store.take(new).is_ok();
            let found = open(&files.after_power_cut(names_survive), &cell);
            assert_eq!(found.found(), Found::Record, "step {step}");
            let is_new = found.at_start().drives[0].position_at_count_0 == Some(1.0);
            assert!(is_new || !acknowledged, "step {step}: acknowledged and lost");
            assert_eq!(acknowledged, step == steps);
            seen[usize::from(is_new)] = true;
            // The process alone is killed: what was written is there.
            assert_eq!(open(&clear(&files), &cell).found(), Found::Record, "step {step}");
        }
    }
    assert_eq!(seen, [true, true]);
}

/// The same folder as another process sees it, without the failure.
fn clear(files: &MemoryFiles) -> MemoryFiles {
    let mut copy = MemoryFiles::default();
    for name in files.list().unwrap() {
        copy.write(&name, &files.read(&name, 1 << 20).unwrap()).unwrap();
    }
    copy
}

#[test]
fn after_a_failed_sync_nothing_is_written_any_more_and_every_report_says_so() {
    let (cell, files) = (cell(), MemoryFiles::default());
    let mut store = open(&files, &cell);
    files.fail_from(1, io::ErrorKind::Other);
    assert!(store.take(report(&cell, 1)).is_err());
    let operations = files.operations();
    let again = store.take(report(&cell, 2)).unwrap_err();
    assert!(again.to_string().contains("not written any more"), "{again}");
    assert_eq!(files.operations(), operations);
}
