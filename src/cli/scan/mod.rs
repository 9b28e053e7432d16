//! `motiond scan`: what is on the bus, as text, as JSON, or as the beginning of a cell file.

mod cell_file;
mod text;

use std::path::PathBuf;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::bus_access::{BusOptions, emergency_lines};
use super::{Exit, print, print_error};
use crate::fieldbus::mailbox::information::data_type_name;
use crate::fieldbus::scan::{ScanOptions, ScannedDevice, scan as scan_bus};

/// Arguments of `motiond scan`.
#[derive(Debug, Args)]
pub struct ScanArguments {
    #[command(flatten)]
    bus: BusOptions,
    /// Read the object list of every device too (seconds a device)
    #[arg(long)]
    objects: bool,
    /// Print JSON instead of text
    #[arg(long)]
    json: bool,
    /// Write the beginning of a cell file with these devices, and device types nobody knows beside it in drives/
    #[arg(long, value_name = "FILE")]
    write_cell: Option<PathBuf>,
}

/// Looks at the bus and prints what is there.
///
/// # Errors
/// The bus cannot be opened, or a file not written.
pub fn scan(arguments: &ScanArguments) -> anyhow::Result<Exit> {
    let mut pump = arguments.bus.open()?;
    let options = ScanOptions { objects: arguments.objects, force: arguments.bus.force };
    let bar = ProgressBar::new(0);
    bar.set_style(ProgressStyle::with_template("{msg} {bar:30} {pos}/{len}")?);
    bar.set_message("reading the devices");
    let outcome = scan_bus(&mut pump, options, |done, devices| {
        bar.set_length(devices as u64);
        bar.set_position(done as u64);
    });
    bar.finish_and_clear();
    arguments.bus.write_capture(&pump)?;
    let (devices, emergencies) = match outcome {
        Ok(found) => found,
        Err(error) => {
            if arguments.json {
                print(&json!({"ok": false, "error": {"message": error.to_string()}}).to_string());
            } else {
                print_error(&error.to_string());
            }
            return Ok(Exit::Failure);
        }
    };
    if arguments.json {
        let list: Vec<Value> = devices.iter().map(device_json).collect();
        let emergencies = emergency_lines(&emergencies);
        print(&json!({"ok": true, "devices": list, "emergencies": emergencies}).to_string());
    } else {
        print(text::describe(&devices).trim_end());
        for line in emergency_lines(&emergencies) {
            print(&line);
        }
    }
    if let Some(path) = &arguments.write_cell {
        for line in cell_file::write(path, &devices, &arguments.bus)? {
            print_error(&line);
        }
    }
    Ok(Exit::Success)
}

fn device_json(device: &ScannedDevice) -> Value {
    let ports: Vec<Value> = device
        .ports
        .iter()
        .map(|port| {
            json!({
                "link": port.has_link,
                "open": port.is_open,
                "invalid_frames": port.invalid_frames,
                "symbol_errors": port.symbol_errors,
                "forwarded_errors": port.forwarded_errors,
                "lost_links": port.lost_links,
            })
        })
        .collect();
    let entries = |entries: &[crate::devices::PdoEntry]| -> Vec<Value> {
        entries
            .iter()
            .map(|entry| json!({"index": entry.index, "subindex": entry.subindex, "bits": entry.bits}))
            .collect()
    };
    let pdos: Vec<Value> = device
        .pdos
        .iter()
        .map(|pdo| json!({"assignment": pdo.assignment, "pdo": pdo.index, "entries": entries(&pdo.entries)}))
        .collect();
    let sii_pdos: Vec<Value> = device
        .sii
        .pdos
        .iter()
        .map(|pdo| {
            json!({
                "pdo": pdo.index,
                "name": pdo.name,
                "direction": if pdo.is_output { "outputs" } else { "inputs" },
                "sync_manager": pdo.sync_manager,
                "entries": entries(&pdo.entries),
            })
        })
        .collect();
    let objects: Vec<Value> = device
        .objects
        .iter()
        .map(|object| {
            let entries: Vec<Value> = object
                .entries
                .iter()
                .map(|entry| {
                    json!({
                        "subindex": entry.subindex,
                        "type": data_type_name(entry.data_type),
                        "bits": entry.bits,
                        "access": entry.access,
                        "mapping": entry.mapping,
                        "name": entry.name,
                    })
                })
                .collect();
            json!({"index": object.index, "name": object.name, "kind": object.kind, "entries": entries})
        })
        .collect();
    let [name, hardware, software] = &device.names;
    json!({
        "position": device.position,
        "station_address": device.station,
        "alias": device.alias,
        "identity": {
            "vendor": device.identity.vendor,
            "product": device.identity.product,
            "revision": device.identity.revision,
            "serial": device.identity.serial,
        },
        "name": device.sii.name,
        "order": device.sii.order,
        "group": device.sii.group,
        "al_state": device.al.state.name(),
        "al_status_code": device.al.code,
        "al_status": if device.al.error { device.al.words() } else { "" },
        "ports": ports,
        "clock": device.clock.map(|clock| json!({"bits": if clock.is_64_bit { 64 } else { 32 }, "delay_ns": clock.delay_ns})),
        "mailbox": device.mailbox.map(|(out, inward)| json!({"out_bytes": out, "in_bytes": inward})),
        "device_name": name,
        "hardware_version": hardware,
        "software_version": software,
        "pdos": pdos,
        "sii_pdos": sii_pdos,
        "objects": objects,
        "problems": device.problems,
    })
}
