//! The ESI file (ETG.2000) of device types, for controllers that want one.

use std::io;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

use crate::devices::{Connection, DeviceKind, PdoEntry, PdoMap};
use crate::simulator::{PlannedSyncManager, SimulatedDevice, SyncManagerUse};

/// Who made the devices, as the SII says too.
const VENDOR_NAME: &str = "motiond simulated devices";

/// The text of an ESI file with one device for each of `devices`, whose names are those of their types.
///
/// # Errors
/// None in practice: it writes into memory.
pub fn esi_text(devices: &[SimulatedDevice]) -> io::Result<String> {
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("utf-8"), None)))?;
    let vendor = devices.first().map_or(0, |device| device.device.identity.vendor);
    writer.create_element("EtherCATInfo").with_attribute(("Version", "1.6")).write_inner_content(
        |writer| {
            writer.create_element("Vendor").write_inner_content(|writer| {
                text(writer, "Id", &hexadecimal(vendor, 8))?;
                text(writer, "Name", VENDOR_NAME)
            })?;
            writer.create_element("Descriptions").write_inner_content(|writer| {
                writer.create_element("Groups").write_inner_content(|writer| {
                    let mut kinds: Vec<DeviceKind> =
                        devices.iter().map(|device| device.device.kind).collect();
                    kinds.sort_by_key(|kind| kind.word());
                    kinds.dedup();
                    kinds.iter().try_for_each(|kind| {
                        writer.create_element("Group").write_inner_content(|writer| {
                            text(writer, "Type", kind.word())?;
                            named(writer, "Name", kind.word())
                        })?;
                        Ok(())
                    })
                })?;
                writer.create_element("Devices").write_inner_content(|writer| {
                    devices.iter().try_for_each(|device| write_device(writer, device))
                })?;
                Ok(())
            })?;
            Ok(())
        },
    )?;
    let mut bytes = writer.into_inner();
    bytes.push(b'\n');
    String::from_utf8(bytes).map_err(io::Error::other)
}

type Xml = Writer<Vec<u8>>;

fn write_device(writer: &mut Xml, simulated: &SimulatedDevice) -> io::Result<()> {
    let device = &simulated.device;
    // Kind of each port: Y Ethernet cable, K E-bus.
    let physics = match (device.connection, device.kind) {
        (_, DeviceKind::Coupler) => "YKY",
        (Connection::Cable, _) => "YY",
        (Connection::EBus, _) => "KK",
    };
    writer.create_element("Device").with_attribute(("Physics", physics)).write_inner_content(|writer| {
        writer
            .create_element("Type")
            .with_attributes([
                ("ProductCode", hexadecimal(device.identity.product, 8).as_str()),
                ("RevisionNo", hexadecimal(device.identity.revision, 8).as_str()),
            ])
            .write_text_content(BytesText::new(&simulated.name))?;
        named(writer, "Name", &simulated.name)?;
        text(writer, "GroupType", device.kind.word())?;
        if device.kind.axes() > 0 {
            writer
                .create_element("Profile")
                .write_inner_content(|writer| text(writer, "ProfileNo", "402"))?;
        }
        let managers = simulated.sync_managers();
        for usage in [SyncManagerUse::Outputs, SyncManagerUse::Inputs] {
            if managers.iter().any(|manager| manager.usage == usage) {
                text(writer, "Fmmu", name_of(usage))?;
            }
        }
        managers.iter().try_for_each(|manager| write_manager(writer, manager))?;
        let index_of = |usage| managers.iter().position(|manager| manager.usage == usage);
        write_pdos(writer, "RxPdo", &device.outputs, index_of(SyncManagerUse::Outputs), device.kind)?;
        write_pdos(writer, "TxPdo", &device.inputs, index_of(SyncManagerUse::Inputs), device.kind)?;
        if device.kind.has_mailbox() {
            writer.create_element("Mailbox").with_attribute(("DataLinkLayer", "true")).write_inner_content(
                |writer| {
                    writer
                        .create_element("CoE")
                        .with_attributes([
                            ("SdoInfo", "true"),
                            ("PdoAssign", "true"),
                            ("PdoConfig", "true"),
                            ("CompleteAccess", "true"),
                        ])
                        .write_empty()?;
                    Ok(())
                },
            )?;
        }
        if device.distributed_clock {
            writer.create_element("Dc").write_inner_content(|writer| {
                for (name, activate) in [("DC", 0x0300), ("Free run", 0)] {
                    writer.create_element("OpMode").write_inner_content(|writer| {
                        text(writer, "Name", name)?;
                        text(writer, "AssignActivate", &hexadecimal(activate, 4))
                    })?;
                }
                Ok(())
            })?;
        }
        writer.create_element("Eeprom").write_inner_content(|writer| {
            let image = simulated.sii_image();
            text(writer, "ByteSize", &image.len().to_string())?;
            // Words 0 to 7, without the checksum.
            let configuration: String = image.iter().take(14).map(|byte| format!("{byte:02x}")).collect();
            text(writer, "ConfigData", &configuration)
        })?;
        Ok(())
    })?;
    Ok(())
}

fn write_manager(writer: &mut Xml, manager: &PlannedSyncManager) -> io::Result<()> {
    let (start, control) = (hexadecimal(manager.start.into(), 4), hexadecimal(manager.control.into(), 2));
    let size = manager.length.to_string();
    writer
        .create_element("Sm")
        .with_attributes([
            ("DefaultSize", size.as_str()),
            ("StartAddress", start.as_str()),
            ("ControlByte", control.as_str()),
            ("Enable", if manager.length > 0 { "1" } else { "0" }),
        ])
        .write_text_content(BytesText::new(name_of(manager.usage)))?;
    Ok(())
}

const fn name_of(usage: SyncManagerUse) -> &'static str {
    match usage {
        SyncManagerUse::MailboxOut => "MBoxOut",
        SyncManagerUse::MailboxIn => "MBoxIn",
        SyncManagerUse::Outputs => "Outputs",
        SyncManagerUse::Inputs => "Inputs",
    }
}

fn write_pdos(
    writer: &mut Xml,
    tag: &str,
    map: &PdoMap,
    manager: Option<usize>,
    kind: DeviceKind,
) -> io::Result<()> {
    let manager = manager.unwrap_or_default().to_string();
    // Without a mailbox nobody can change it.
    let fixed = if kind.has_mailbox() { "0" } else { "1" };
    for (index, entries) in map.pdos() {
        writer
            .create_element(tag)
            .with_attributes([("Fixed", fixed), ("Mandatory", fixed), ("Sm", manager.as_str())])
            .write_inner_content(|writer| {
                text(writer, "Index", &hexadecimal(index.into(), 4))?;
                text(writer, "Name", &format!("{tag} {index:04X}"))?;
                entries.iter().try_for_each(|entry| write_entry(writer, *entry))
            })?;
    }
    Ok(())
}

fn write_entry(writer: &mut Xml, entry: PdoEntry) -> io::Result<()> {
    writer.create_element("Entry").write_inner_content(|writer| {
        text(writer, "Index", &hexadecimal(entry.index.into(), 4))?;
        if entry.index != 0 {
            text(writer, "SubIndex", &entry.subindex.to_string())?;
        }
        text(writer, "BitLen", &entry.bits.to_string())?;
        if entry.index != 0 {
            text(writer, "Name", &format!("{:04X}:{:02X}", entry.index, entry.subindex))?;
            // Base data types of ETG.1020 by their length.
            let data_type = match entry.bits {
                1 => "BOOL",
                8 => "USINT",
                16 => "UINT",
                32 => "UDINT",
                64 => "ULINT",
                _ => return Ok(()),
            };
            text(writer, "DataType", data_type)?;
        }
        Ok(())
    })?;
    Ok(())
}

fn text(writer: &mut Xml, tag: &str, content: &str) -> io::Result<()> {
    writer.create_element(tag).write_text_content(BytesText::new(content))?;
    Ok(())
}

/// A text in English.
fn named(writer: &mut Xml, tag: &str, content: &str) -> io::Result<()> {
    let element = writer.create_element(tag).with_attribute(("LcId", "1033"));
    element.write_text_content(BytesText::new(content))?;
    Ok(())
}

fn hexadecimal(number: u32, digits: usize) -> String {
    format!("#x{number:0digits$x}")
}
