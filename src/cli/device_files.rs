//! SII images and the ESI file of simulated SubDevices, for the configuration tools of others.

use std::fs;
use std::path::Path;

use anyhow::Context as _;

use super::esi::esi_text;
use super::print;
use crate::simulator::SimulatedDevice;

/// Writes the SII image of each device, in bus order.
///
/// # Errors
/// The folder or a file cannot be written.
pub fn write_sii(folder: &Path, devices: &[SimulatedDevice]) -> anyhow::Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    for (number, device) in (1..).zip(devices) {
        let file = folder.join(format!("{number:02}-{}.bin", device.name));
        fs::write(&file, device.sii_image()).with_context(|| format!("writing {}", file.display()))?;
    }
    print(&format!("{} SII images in {}", devices.len(), folder.display()));
    Ok(())
}

/// Writes one ESI file with every type of device once; `types`: its name, for each device.
///
/// # Errors
/// The file cannot be written.
pub fn write_esi(file: &Path, devices: &[SimulatedDevice], types: &[String]) -> anyhow::Result<()> {
    let mut once: Vec<SimulatedDevice> = Vec::new();
    for (device, type_name) in devices.iter().zip(types) {
        if once.iter().all(|other| other.device.identity != device.device.identity) {
            once.push(SimulatedDevice { name: type_name.clone(), ..device.clone() });
        }
    }
    fs::write(file, esi_text(&once)?).with_context(|| format!("writing {}", file.display()))?;
    print(&format!("{} types of SubDevices in {}", once.len(), file.display()));
    Ok(())
}
