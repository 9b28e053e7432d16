//! What answers on the bus: device types by name, and how each drive turns its joint.

use std::f64::consts::TAU;

use super::{listed, seconds, unknown_name};
use crate::bus_health::reaction::OptionCodeValues;
use crate::config::document::{Range, Table, Value};
use crate::config::drive_file::DriveFile;
use crate::devices::{Device, DeviceKind, MAX_AXES, MAX_SUBDEVICES};
use crate::joints::MAX_JOINTS;

/// One SubDevice.
#[derive(Clone, Debug, PartialEq)]
pub struct SubDevice {
    /// Name, as an identifier.
    pub name: String,
    /// Name of its type: a file in `config/drives/`.
    pub device_type: String,
    /// Its type.
    pub device: Device,
    /// What its axes turn: one for a servo drive, one or two for one with two axes, none for anything else.
    pub drives: Vec<Drive>,
    /// SDOs written in PRE-OP, in this order.
    pub startup: Vec<StartupSdo>,
    /// What its option codes must be before OP.
    pub option_codes: OptionCodeValues,
    /// Station alias its SII must hold; `None`: any.
    pub alias: Option<u16>,
}

/// One axis of a servo drive at its joint.
///
/// `counts = offset + sign · gear_ratio · counts_per_turn / 2π · m`, modulo 2^`counter_bits`, where `m`
/// (rad) is the position after the gear; joints follow from all `m` by the
/// [`Coupling`](super::Coupling).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Drive {
    /// Which axis of its SubDevice, counted from 0.
    pub axis: usize,
    /// The joint it turns, counted from 0. Every joint has one drive.
    pub joint: usize,
    /// Counts in one turn of the motor.
    pub counts_per_turn: u32,
    /// Width of the position counter, 16 to 32 bits.
    pub counter_bits: u8,
    /// Turns of the motor for one turn after the gear, > 0.
    pub gear_ratio: f64,
    /// +1 or −1: counts grow or fall when the joint turns in its positive direction.
    pub sign: f64,
    /// Count at `m = 0`, as a signed number.
    pub offset_counts: i64,
    /// From brake released to first motion, s.
    pub brake_release_delay: f64,
    /// From brake closed to torque off, s.
    pub brake_close_delay: f64,
    /// Travel of a sliding joint for one turn after the gear (lead of a screw, circumference of a pinion), m; `None`:
    /// the joint turns. Positions after the gear are then m instead of rad.
    pub lead: Option<f64>,
    /// Largest difference between setpoint and actual position, rad (m) after the gear.
    pub following_error_max: f64,
    /// How far it may have moved while nobody looked (brakes give, belts settle), rad (m) after the gear.
    pub travel_while_off: f64,
    /// Rated torque of the motor, Nm at its shaft: unit of the drive's torque objects.
    pub rated_torque: f64,
    /// Largest torque the drive may give, Nm at the motor's shaft; `None`: not known.
    pub peak_torque: Option<f64>,
    /// Inertia of rotor, brake and gear at the motor's shaft, kg m²; `None`: not known.
    pub rotor_inertia: Option<f64>,
    /// Dry friction at the motor's shaft, Nm.
    pub friction: f64,
    /// Viscous friction at the motor's shaft, Nm s/rad.
    pub viscous_friction: f64,
}

impl Drive {
    /// Turns of the motor for 2π rad, or for 2π m where the joint slides.
    #[must_use]
    pub fn turns_per_tau(&self) -> f64 {
        self.gear_ratio * self.lead.map_or(1.0, |lead| TAU / lead)
    }

    /// Counts for one rad (or m) after the gear, with sign.
    #[must_use]
    pub fn counts_per_radian(&self) -> f64 {
        self.sign * self.turns_per_tau() * f64::from(self.counts_per_turn) / TAU
    }

    /// Position after the gear at count 0, rad (or m).
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "at most 32 bits")]
    pub fn position_at_count_0(&self) -> f64 {
        -(self.offset_counts as f64) / self.counts_per_radian()
    }
}

/// The value of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SdoValue {
    /// UNSIGNED8
    U8(u8),
    /// UNSIGNED16
    U16(u16),
    /// UNSIGNED32
    U32(u32),
    /// INTEGER8
    I8(i8),
    /// INTEGER16
    I16(i16),
    /// INTEGER32
    I32(i32),
}

/// An object written at start-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StartupSdo {
    /// Index.
    pub index: u16,
    /// Subindex.
    pub subindex: u8,
    /// Value.
    pub value: SdoValue,
}

/// The SubDevices as far as they can be understood. What refers to them is checked against this, so that
/// a mistake in one of them hides none of the others.
pub(super) struct Read<'a> {
    /// In bus order.
    pub(super) outlines: Vec<Outline<'a>>,
    /// `Some` when none of them has a mistake.
    pub(super) valid: Option<Vec<SubDevice>>,
}

impl Read<'_> {
    /// How many drives there are; `None` while a SubDevice is of unknown kind.
    pub(super) fn drive_count(&self) -> Option<usize> {
        self.outlines.iter().map(|outline| outline.drive_count).sum()
    }
}

/// What is known of one SubDevice.
pub(super) struct Outline<'a> {
    pub(super) name: Option<&'a str>,
    /// Its type; `None` when that is unknown or has mistakes itself.
    pub(super) device: Option<Device>,
    /// How many joints it turns; `None`: cannot be told.
    drive_count: Option<usize>,
    /// The joints its axes turn, counted from 0, each with its place in the file.
    joints: Vec<(usize, Value<'a>)>,
}

impl Outline<'_> {
    /// True for what may be a terminal, but nothing says which channels it has.
    pub(super) fn may_be_terminal_of_unknown_type(&self) -> bool {
        self.device.is_none() && self.drive_count.is_none_or(|count| count == 0)
    }
}

/// A device type by name; `None` stands for one whose file has mistakes.
pub type DeviceType = (String, Option<DriveFile>);

/// `joint_count`: of the robot, if that is known.
pub(super) fn read_subdevices<'a>(
    root: &mut Table<'a>,
    types: &[DeviceType],
    joint_count: Option<usize>,
) -> Option<Read<'a>> {
    let items = root.list("subdevices", 1..=MAX_SUBDEVICES)?;
    let mut wrong_types = Vec::new();
    let (outlines, read): (Vec<Outline<'a>>, Vec<Option<SubDevice>>) =
        items.iter().map(|item| read_subdevice(item, types, &mut wrong_types)).unzip();
    for (index, (item, outline)) in items.iter().zip(&outlines).enumerate() {
        let earlier = outlines.iter().take(index);
        if outline.name.is_some() && earlier.into_iter().any(|earlier| earlier.name == outline.name) {
            item.problem("another SubDevice has this name", "every name once", "choose another name");
        }
    }
    let read = Read { outlines, valid: read.into_iter().collect() };
    check_joints(&read, joint_count);
    Some(read)
}

/// Every joint from 1 to the number of drives has one drive. Then none of them is without one.
fn check_joints(read: &Read<'_>, joint_count: Option<usize>) {
    // Where the two differ, that is a mistake of its own.
    let count = joint_count.max(read.drive_count()).unwrap_or(MAX_JOINTS);
    let mut driven = [false; MAX_JOINTS];
    for &(joint, ref item) in read.outlines.iter().flat_map(|outline| &outline.joints) {
        if joint >= count {
            item.problem(
                format!("joint {} of an arm with {count} joints", joint + 1),
                format!("the joints 1 to {count}"),
                "number the joints without gaps",
            );
            continue;
        }
        let driven_already = driven.get_mut(joint).is_none_or(|driven| std::mem::replace(driven, true));
        if driven_already {
            item.problem(
                format!("joint {} has another drive already", joint + 1),
                "one drive for each joint",
                "correct `joint`",
            );
        }
    }
}

/// `wrong_types`: device types whose mistakes have been mentioned.
fn read_subdevice<'a, 't>(
    item: &Value<'a>,
    types: &'t [DeviceType],
    wrong_types: &mut Vec<&'t str>,
) -> (Outline<'a>, Option<SubDevice>) {
    let mut outline = Outline { name: None, device: None, drive_count: None, joints: Vec::new() };
    let Some(mut table) = item.table() else { return (outline, None) };
    outline.name = table.identifier("name");
    let type_value = table.required("type", || listed(types.iter().map(|(name, _)| name)));
    let found = type_value.and_then(|value| {
        let wanted = value.identifier()?;
        let found = types.iter().find(|(name, _)| name == wanted);
        if found.is_none() {
            unknown_name(&value, wanted, "device type", types.iter().map(|(name, _)| name.clone()));
        }
        if let Some((name, None)) = found
            && !wrong_types.contains(&name.as_str())
        {
            wrong_types.push(name);
            value.problem(
                format!("the device type `{name}` has mistakes"),
                "a device type without mistakes",
                format!("correct drives/{name}.toml"),
            );
        }
        found
    });
    let file = found.and_then(|(_, file)| file.as_ref());
    outline.device = file.map(|file| file.device);
    let kind = outline.device.map(|device| device.kind);
    // Of an unknown type only drives have a joint, or axes.
    let axes = match kind {
        Some(kind) => Some(kind.axes()),
        None if table.has("axes") => Some(MAX_AXES),
        None => table.has("joint").then_some(1),
    };
    let drives = match axes {
        Some(0) | None => Some(Vec::new()),
        Some(1) => {
            let drive = read_drive(&mut table, item, 0, &mut outline.joints, file);
            outline.drive_count = Some(1);
            drive.map(|drive| vec![drive])
        }
        Some(axes) => read_axes(&mut table, axes, &mut outline, file),
    };
    if kind.is_some_and(|kind| kind.axes() == 0) {
        outline.drive_count = Some(0);
    }
    let startup = if kind.is_none_or(DeviceKind::has_mailbox) {
        table.or_default("startup_sdos", Vec::new(), |value| read_startup(&value))
    } else {
        // No mailbox, so `startup_sdos` is an unknown key here.
        Some(Vec::new())
    };
    let alias = table.maybe("alias", |value| value.whole::<u16>(1..=i64::from(u16::MAX)));
    if axes.is_none() {
        table.abandon();
    }
    let read = || {
        let (device_type, _) = found?;
        let mut before = file?.startup.clone();
        before.extend(startup?);
        Some(SubDevice {
            name: outline.name?.to_owned(),
            device_type: device_type.clone(),
            device: file?.device,
            drives: drives?,
            startup: before,
            option_codes: file?.option_codes,
            alias: alias?,
        })
    };
    let subdevice = read();
    (outline, subdevice)
}

/// Reads `joint`, counted from 1 as written and from 0 as valid.
pub(super) fn read_joint(table: &mut Table<'_>, joint_count: usize) -> Option<usize> {
    let last = i64::try_from(joint_count).unwrap_or(i64::MAX);
    table.whole::<usize>("joint", 1..=last).and_then(|joint| joint.checked_sub(1))
}

/// Reads the axes of a drive that has several: a table each, in their order unless they say which they are.
fn read_axes<'a>(
    table: &mut Table<'a>,
    axes: usize,
    outline: &mut Outline<'a>,
    file: Option<&DriveFile>,
) -> Option<Vec<Drive>> {
    let items = table.list("axes", 1..=axes)?;
    outline.drive_count = Some(items.len());
    let mut taken = [false; MAX_AXES];
    let read = items.iter().enumerate().map(|(at, item)| {
        let mut table = item.table()?;
        let last = i64::try_from(axes).unwrap_or(1);
        let axis = table.or_default("axis", at + 1, |value| value.whole(1..=last));
        let axis = axis.and_then(|axis: usize| axis.checked_sub(1));
        if let Some(taken) = axis.and_then(|axis| taken.get_mut(axis))
            && std::mem::replace(taken, true)
        {
            item.problem("another entry is this axis", "every axis once", "correct `axis`");
            table.abandon();
            return None;
        }
        read_drive(&mut table, item, axis.unwrap_or(at), &mut outline.joints, file).filter(|_| axis.is_some())
    });
    let read: Vec<Option<Drive>> = read.collect();
    read.into_iter().collect()
}

/// Reads an axis of a drive; its joint is noted as soon as it is known, whatever else is wrong.
fn read_drive<'a>(
    table: &mut Table<'a>,
    item: &Value<'a>,
    axis: usize,
    joints: &mut Vec<(usize, Value<'a>)>,
    file: Option<&DriveFile>,
) -> Option<Drive> {
    let joint = read_joint(table, MAX_JOINTS);
    joints.extend(joint.map(|joint| (joint, item.clone())));
    const COUNTS: std::ops::RangeInclusive<i64> = 16..=1 << 31;
    let counts_per_turn = match file.and_then(|file| file.counts_per_turn) {
        // A family with one encoder says it once, in its file.
        Some(counts) => table.or_default("counts_per_turn", counts, |value| value.whole(COUNTS)),
        None => table.whole::<u32>("counts_per_turn", COUNTS),
    };
    let counter_bits = table.whole::<u8>("counter_bits", 16..=32);
    let gear_ratio = table.number("gear_ratio", Range::new(0.01, 10_000.0, ""));
    let sign = table.or_default("sign", 1, |value| {
        let sign = value.integer(-1..=1)?;
        if sign == 0 {
            value.problem("0 has no direction", "1 or -1", "write the direction in which counts grow");
        }
        (sign != 0).then_some(sign)
    });
    let offset = table.or_default("offset_counts", 0, |value| value.integer(-(1 << 31)..=(1 << 31) - 1));
    let brake_release_delay = table.number_or("brake_release_delay_s", seconds(5.0), 0.1);
    let brake_close_delay = table.number_or("brake_close_delay_s", seconds(5.0), 0.1);
    let lead =
        table.maybe("lead_mm", |value| value.number(Range::new(0.1, 10_000.0, "mm")).map(|lead| lead * 1e-3));
    let following_error = if table.has("lead_mm") {
        table.number("following_error_max_mm", Range::new(0.001, 1000.0, "mm")).map(|error| error * 1e-3)
    } else {
        table.number("following_error_max_deg", Range::new(0.001, 90.0, "°")).map(f64::to_radians)
    };
    let travel_while_off = if table.has("lead_mm") {
        table
            .number_or("travel_while_off_max_mm", Range::new(0.0, 1000.0, "mm"), 1.0)
            .map(|travel| travel * 1e-3)
    } else {
        table.number_or("travel_while_off_max_deg", Range::new(0.0, 90.0, "°"), 0.5).map(f64::to_radians)
    };
    let rated_torque = table.number("rated_torque_nm", Range::new(0.001, 10_000.0, "Nm"));
    let peak_torque = table.maybe("peak_torque_nm", |value| value.number(Range::new(0.001, 50_000.0, "Nm")));
    let rotor_inertia =
        table.maybe("rotor_inertia_kg_m2", |value| value.number(Range::new(1e-8, 100.0, "kg m²")));
    let friction = table.number_or("friction_nm", Range::new(0.0, 1000.0, "Nm"), 0.0);
    let viscous_friction = table.number_or("viscous_friction_nm_s", Range::new(0.0, 1000.0, "Nm s/rad"), 0.0);
    Some(Drive {
        axis,
        joint: joint?,
        counts_per_turn: counts_per_turn?,
        counter_bits: counter_bits?,
        gear_ratio: gear_ratio?,
        sign: if sign? < 0 { -1.0 } else { 1.0 },
        offset_counts: offset?,
        brake_release_delay: brake_release_delay?,
        brake_close_delay: brake_close_delay?,
        lead: lead?,
        following_error_max: following_error?,
        travel_while_off: travel_while_off?,
        rated_torque: rated_torque?,
        peak_torque: peak_torque?,
        rotor_inertia: rotor_inertia?,
        friction: friction?,
        viscous_friction: viscous_friction?,
    })
}

/// Reads a list of SDOs to be written.
pub(in crate::config) fn read_startup(value: &Value<'_>) -> Option<Vec<StartupSdo>> {
    let read: Vec<_> = value.list(0..=64)?.iter().map(read_sdo).collect();
    read.into_iter().collect()
}

fn read_sdo(item: &Value<'_>) -> Option<StartupSdo> {
    #[derive(Clone, Copy)]
    enum Kind {
        U8,
        U16,
        U32,
        I8,
        I16,
        I32,
    }
    let mut table = item.table()?;
    let index = table.whole::<u16>("index", 0x1000..=0xFFFF);
    let subindex = table.whole::<u8>("subindex", 0..=255);
    let kind = table.choice(
        "type",
        &[
            ("u8", Kind::U8),
            ("u16", Kind::U16),
            ("u32", Kind::U32),
            ("i8", Kind::I8),
            ("i16", Kind::I16),
            ("i32", Kind::I32),
        ],
    );
    let value = table.required("value", || "a whole number that fits `type`".to_owned());
    let value = value?;
    let Some(kind) = kind else {
        // Some type holds it, or it is wrong in any case.
        let _unchecked = value.integer(i64::from(i32::MIN)..=i64::from(u32::MAX));
        return None;
    };
    let value = match kind {
        Kind::U8 => SdoValue::U8(value.whole(0..=i64::from(u8::MAX))?),
        Kind::U16 => SdoValue::U16(value.whole(0..=i64::from(u16::MAX))?),
        Kind::U32 => SdoValue::U32(value.whole(0..=i64::from(u32::MAX))?),
        Kind::I8 => SdoValue::I8(value.whole(i64::from(i8::MIN)..=i64::from(i8::MAX))?),
        Kind::I16 => SdoValue::I16(value.whole(i64::from(i16::MIN)..=i64::from(i16::MAX))?),
        Kind::I32 => SdoValue::I32(value.whole(i64::from(i32::MIN)..=i64::from(i32::MAX))?),
    };
    Some(StartupSdo { index: index?, subindex: subindex?, value })
}
