//! The beginning of a cell file from what is on the bus. What the bus does not tell is written as a value that
//! `motiond check` refuses, and said.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::Context as _;

use crate::cli::bus_access::BusOptions;
use crate::config::drive_file::{DriveFile, read_drive_file};
use crate::config::embedded;
use crate::config::load::read_file;
use crate::devices::{Connection, Device, DeviceKind, PdoEntry, PdoMap, objects};
use crate::fieldbus::scan::ScannedDevice;

/// Writes the cell file and the device types nobody knows. Returns what has to be filled in, in words.
///
/// # Errors
/// A file cannot be written, or would be overwritten.
pub(super) fn write(path: &Path, devices: &[ScannedDevice], bus: &BusOptions) -> anyhow::Result<Vec<String>> {
    if path.exists() {
        anyhow::bail!("{} exists already; name a new file", path.display());
    }
    let folder =
        path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let known = known_types(folder);
    let mut lines = Vec::new();
    let mut new_types: Vec<(String, String)> = Vec::new();
    let mut rows = String::new();
    let mut joint = 0;
    for device in devices {
        let found = known.iter().find(|(_, file)| is_of_type(device, file));
        let (type_name, kind, scaling) = match found {
            Some((name, file)) => (name.clone(), file.device.kind, file.counts_per_turn),
            None => match described(device) {
                Some((name, described)) => {
                    let kind = described.kind;
                    if new_types.iter().all(|(other, _)| *other != name) {
                        new_types.push((name.clone(), drive_file_text(device, &described)));
                        lines.push(format!(
                            "position {}: no drive file has this identity; wrote drives/{name}.toml from what the \
                             device says: look through it",
                            device.position
                        ));
                    }
                    (name, kind, None)
                }
                None => {
                    lines.push(format!(
                        "position {} ({}): its process data is longer than this program can use; left out as a comment",
                        device.position, device.sii.name
                    ));
                    writeln!(
                        rows,
                        "\n# Position {}: `{}`, with process data that is too long.",
                        device.position, device.sii.name
                    )?;
                    continue;
                }
            },
        };
        writeln!(rows, "\n[[subdevices]]")?;
        writeln!(rows, "name = \"{}-{}\"", kind_word(kind), device.position)?;
        writeln!(rows, "type = \"{type_name}\"")?;
        if device.alias != 0 {
            writeln!(rows, "# Its station alias is {}.", device.alias)?;
        }
        for _axis in 0..kind.axes() {
            joint += 1;
            if kind.axes() > 1 {
                writeln!(rows, "\n[[subdevices.axes]]")?;
            }
            write_drive(&mut rows, joint, scaling)?;
        }
    }
    if joint > 0 {
        lines.push(format!(
            "fill in for each of the {joint} drives: gear_ratio, rated_torque_nm, following_error_max_deg, and \
             counts_per_turn where it is 0"
        ));
    }
    lines.push("fill in the robot (model or folder) and tcp_limits of your arm".to_owned());
    fs::write(path, cell_text(&rows, bus)).with_context(|| format!("writing {}", path.display()))?;
    for (name, text) in new_types {
        let drives = folder.join("drives");
        fs::create_dir_all(&drives).with_context(|| format!("making {}", drives.display()))?;
        let file = drives.join(format!("{name}.toml"));
        if !file.exists() {
            fs::write(&file, text).with_context(|| format!("writing {}", file.display()))?;
        }
    }
    Ok(lines)
}

/// Device types beside the cell file, then those of the program.
fn known_types(folder: &Path) -> Vec<(String, DriveFile)> {
    let mut known = Vec::new();
    let entries = fs::read_dir(folder.join("drives")).into_iter().flatten().flatten();
    let mut paths: Vec<_> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        let name = path.file_stem().and_then(|name| name.to_str()).map(str::to_owned);
        // A wrong file is reported by `motiond check`.
        let file = read_file(&path).ok().and_then(|text| read_drive_file(&text).ok());
        known.extend(name.zip(file));
    }
    for (name, text) in embedded::DEVICES {
        known.extend(read_drive_file(text).ok().map(|file| (name.to_owned(), file)));
    }
    known
}

fn is_of_type(device: &ScannedDevice, file: &DriveFile) -> bool {
    let (wanted, found) = (file.device.identity, device.identity);
    (wanted.vendor, wanted.product) == (found.vendor, found.product)
        && (wanted.revision == 0 || wanted.revision == found.revision)
}

const fn kind_word(kind: DeviceKind) -> &'static str {
    match kind {
        DeviceKind::ServoDrive | DeviceKind::DualServoDrive => "drive",
        DeviceKind::Coupler => "coupler",
        DeviceKind::DigitalIo => "digital",
        DeviceKind::AnalogIo => "analog",
        DeviceKind::Encoder => "encoder",
        DeviceKind::ForceTorqueSensor => "force",
    }
}

/// A type made of what the device says: the PDOs of each direction, as they are assigned and mapped now.
fn described(device: &ScannedDevice) -> Option<(String, Device)> {
    let map = |assignment: u16, is_output: bool| {
        let assigned = device.pdos.iter().filter(|pdo| pdo.assignment == assignment);
        let mut pdos: Vec<(u16, &[PdoEntry])> =
            assigned.map(|pdo| (pdo.index, pdo.entries.as_slice())).collect();
        if device.pdos.is_empty() {
            let sii = device.sii.pdos.iter();
            let mapped = sii.filter(|pdo| pdo.is_output == is_output && pdo.sync_manager != 0xFF);
            pdos.extend(mapped.map(|pdo| (pdo.index, pdo.entries.as_slice())));
        }
        let used = pdos.into_iter().filter(|(_, entries)| !entries.is_empty());
        used.into_iter().try_fold(PdoMap::EMPTY, |map, (pdo, entries)| map.with(pdo, entries))
    };
    let outputs = map(0x1C12, true)?;
    let inputs = map(0x1C13, false)?;
    let all: Vec<&PdoEntry> = outputs.entries().iter().chain(inputs.entries()).collect();
    let maps = |index: u16| all.iter().any(|entry| entry.index == index);
    let drives_axis = |axis: u16| {
        let offset = axis * objects::AXIS_STEP;
        maps(objects::CONTROLWORD + offset) && maps(objects::STATUSWORD + offset)
    };
    let kind = if drives_axis(0) && drives_axis(1) {
        DeviceKind::DualServoDrive
    } else if drives_axis(0) {
        DeviceKind::ServoDrive
    } else if all.is_empty() {
        // It has its place on the bus all the same.
        DeviceKind::Coupler
    } else if all.iter().all(|entry| entry.bits == 1 || entry.index == 0) {
        DeviceKind::DigitalIo
    } else {
        DeviceKind::AnalogIo
    };
    let name = [&device.sii.order, &device.sii.name].into_iter().find(|name| !name.is_empty());
    let name: String = name
        .map_or("device", String::as_str)
        .to_lowercase()
        .chars()
        .map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' })
        .take(48)
        .collect();
    let name = format!("{}-{:08x}", name.trim_matches('-'), device.identity.product);
    let distributed_clock = device.clock.is_some() && kind.axes() > 0;
    let connection = Connection::Cable;
    Some((name, Device { kind, identity: device.identity, outputs, inputs, distributed_clock, connection }))
}

fn drive_file_text(device: &ScannedDevice, described: &Device) -> String {
    let kind = described.kind.word();
    let mut text = format!(
        "# `{}`, read from the device by `motiond scan`: identity from its SII, process data as it was mapped.\n\n\
         format_version = 1\nkind = \"{kind}\"\ndistributed_clock = {}\n",
        device.sii.name, described.distributed_clock
    );
    text.push_str(&crate::config::drive_file::identity_and_maps_text(described));
    text
}

fn write_drive(rows: &mut String, joint: usize, counts_per_turn: Option<u32>) -> std::fmt::Result {
    writeln!(rows, "joint = {joint}")?;
    let (counts, remark) = match counts_per_turn {
        Some(counts) => (counts, "of the drive file"),
        None => (0, "FILL IN: counts of one turn of the motor"),
    };
    writeln!(rows, "counts_per_turn = {counts} # {remark}")?;
    writeln!(rows, "counter_bits = 32")?;
    writeln!(rows, "gear_ratio = 0 # FILL IN: turns of the motor for one turn of the joint")?;
    writeln!(rows, "sign = 1 # -1: counts fall when the joint turns in its positive direction")?;
    writeln!(rows, "offset_counts = 0 # found by mastering")?;
    writeln!(rows, "following_error_max_deg = 0 # FILL IN")?;
    writeln!(rows, "rated_torque_nm = 0 # FILL IN: unit of the torque objects")
}

fn cell_text(rows: &str, bus: &BusOptions) -> String {
    let link = bus.interface.as_deref().unwrap_or("simulated");
    format!(
        "# Made by `motiond scan --write-cell` from what is on the bus. Every value marked FILL IN is refused by\n\
         # `motiond check` until it is filled in.\n\n\
         format_version = 1\n\
         name = \"new-cell\"\n\n\
         [robot]\n\
         model = \"FILL-IN\" # a built-in model, or `folder = \"…\"`\n\n\
         [ethercat]\n\
         link = \"{link}\"\n\
         cycle_time_ms = 1.0\n\
         distributed_clock = true\n\
         {rows}\n\
         [tcp_limits]\n\
         speed_max_mm_s = 0 # FILL IN, and the five others\n\
         acceleration_max_mm_s2 = 0\n\
         jerk_max_mm_s3 = 0\n\
         orientation_speed_max_deg_s = 0\n\
         orientation_acceleration_max_deg_s2 = 0\n\
         orientation_jerk_max_deg_s3 = 0\n\n\
         [tools]\n\n\
         [work_objects]\n"
    )
}
