//! What was found, for people.

use std::fmt::Write as _;

use crate::devices::PdoEntry;
use crate::fieldbus::mailbox::information::data_type_name;
use crate::fieldbus::scan::ScannedDevice;

/// All devices in wire order.
pub(super) fn describe(devices: &[ScannedDevice]) -> String {
    let mut text = format!("{} devices\n", devices.len());
    for device in devices {
        // A String takes everything.
        let _ok = describe_device(&mut text, device);
    }
    text
}

fn describe_device(text: &mut String, device: &ScannedDevice) -> std::fmt::Result {
    let identity = device.identity;
    let name = [&device.sii.name, &device.sii.order].into_iter().find(|name| !name.is_empty());
    writeln!(text, "\n{}  {}", device.position, name.map_or("(no name)", String::as_str))?;
    writeln!(
        text,
        "   identity  vendor {:#010x}  product {:#010x}  revision {:#010x}  serial {:#x}",
        identity.vendor, identity.product, identity.revision, identity.serial
    )?;
    let error = if device.al.error {
        format!(", AL status code {:#06x}: {}", device.al.code, device.al.words())
    } else {
        String::new()
    };
    writeln!(
        text,
        "   state     {}{error}  station {:#06x}  alias {}",
        device.al.state.name(),
        device.station,
        device.alias
    )?;
    let strings = [
        ("order", device.sii.order.as_str()),
        ("group", device.sii.group.as_str()),
        ("device name", device.names.first().and_then(Option::as_deref).unwrap_or("")),
        ("hardware", device.names.get(1).and_then(Option::as_deref).unwrap_or("")),
        ("software", device.names.get(2).and_then(Option::as_deref).unwrap_or("")),
    ];
    let known: Vec<String> = strings
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(what, value)| format!("{what} `{value}`"))
        .collect();
    if !known.is_empty() {
        writeln!(text, "   strings   {}", known.join("  "))?;
    }
    for (number, port) in device.ports.iter().enumerate() {
        let counters = [
            ("invalid frames", port.invalid_frames),
            ("symbol errors", port.symbol_errors),
            ("forwarded errors", port.forwarded_errors),
            ("lost links", port.lost_links),
        ];
        let errors: Vec<String> = counters
            .iter()
            .filter(|(_, count)| *count > 0)
            .map(|(what, count)| format!("{count} {what}"))
            .collect();
        if port.has_link || !errors.is_empty() {
            writeln!(
                text,
                "   port {number}    {}, {}{}{}",
                if port.has_link { "link" } else { "no link" },
                if port.is_open { "open" } else { "closed" },
                if errors.is_empty() { "" } else { ": " },
                errors.join(", ")
            )?;
        }
    }
    match device.clock {
        Some(clock) => writeln!(
            text,
            "   clock     {} bits, {} ns behind the first one",
            if clock.is_64_bit { 64 } else { 32 },
            clock.delay_ns
        )?,
        None => writeln!(text, "   clock     none")?,
    }
    match device.mailbox {
        Some((out, inward)) => writeln!(text, "   mailbox   {out} bytes out, {inward} bytes in")?,
        None => writeln!(text, "   mailbox   none")?,
    }
    for pdo in &device.pdos {
        let direction = if pdo.assignment == 0x1C12 { "outputs" } else { "inputs " };
        writeln!(text, "   {direction}   {:#06x}: {}", pdo.index, listed(&pdo.entries))?;
    }
    if device.pdos.is_empty() {
        for pdo in &device.sii.pdos {
            let direction = if pdo.is_output { "outputs" } else { "inputs " };
            writeln!(text, "   {direction}   {:#06x} (SII): {}", pdo.index, listed(&pdo.entries))?;
        }
    }
    for object in &device.objects {
        writeln!(text, "   object    {:#06x}  {}  {}", object.index, object.kind, object.name)?;
        for entry in &object.entries {
            writeln!(
                text,
                "             :{:02x}  {:7} {:4} bit  {} {:5}  {}",
                entry.subindex,
                data_type_name(entry.data_type),
                entry.bits,
                entry.access,
                entry.mapping,
                entry.name
            )?;
        }
    }
    for problem in &device.problems {
        writeln!(text, "   problem   {problem}")?;
    }
    Ok(())
}

fn listed(entries: &[PdoEntry]) -> String {
    let entries: Vec<String> = entries
        .iter()
        .map(|entry| match entry.index {
            0 => format!("{} bit padding", entry.bits),
            index => format!("{index:04x}:{:02x}/{}", entry.subindex, entry.bits),
        })
        .collect();
    entries.join("  ")
}
