//! `motiond esi import`: a drive file from an ESI file (ETG.2000), the XML a manufacturer gives for its devices.

mod write;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use roxmltree::{Document, Node, ParsingOptions};

use super::{Exit, print, print_error};
use crate::config::drive_file::{identity_and_maps_text, read_drive_file};
use crate::devices::{
    Connection, Device, DeviceKind, Identity, MAX_PDO_ENTRIES, MAX_PDOS, PdoEntry, PdoMap, objects,
};
pub use write::esi_text;

/// Longest file that is read, bytes. Families of one manufacturer fill many megabytes.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// Arguments of `motiond esi`.
#[derive(Debug, Args)]
pub struct EsiArguments {
    #[command(subcommand)]
    command: EsiCommand,
}

#[derive(Debug, Subcommand)]
enum EsiCommand {
    /// Make a drive file
    Import(ImportArguments),
}

#[derive(Debug, Args)]
struct ImportArguments {
    /// The ESI file
    file: PathBuf,
    /// Where the drive file goes [default: standard output]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Which device, by product code (decimal, or hexadecimal with 0x or #x)
    #[arg(long, value_parser = number_of)]
    product: Option<u32>,
    /// Which revision of it [default: the newest]
    #[arg(long, value_parser = number_of)]
    revision: Option<u32>,
    /// Which PDO carries the outputs [default: the first one that has what a servo drive needs]
    #[arg(long, value_parser = number_of)]
    rx_pdo: Option<u32>,
    /// Which PDO carries the inputs
    #[arg(long, value_parser = number_of)]
    tx_pdo: Option<u32>,
}

/// Imports an ESI file.
///
/// # Errors
/// The drive file cannot be written.
pub fn esi(arguments: &EsiArguments) -> anyhow::Result<Exit> {
    let EsiCommand::Import(arguments) = &arguments.command;
    match import(arguments) {
        Ok((text, remarks)) => {
            for remark in remarks {
                print_error(&remark);
            }
            match &arguments.out {
                Some(path) => std::fs::write(path, text)?,
                None => print(text.trim_end()),
            }
            Ok(Exit::Success)
        }
        Err(mistake) => {
            print_error(&format!("{}: {mistake}", arguments.file.display()));
            Ok(Exit::Mistake)
        }
    }
}

fn import(arguments: &ImportArguments) -> Result<(String, Vec<String>), String> {
    let bytes = read_bytes(&arguments.file)?;
    // Names may be in the encoding of the manufacturer; what counts is ASCII.
    let text = String::from_utf8_lossy(&bytes);
    let choice = Choice {
        product: arguments.product,
        revision: arguments.revision,
        rx_pdo: arguments.rx_pdo,
        tx_pdo: arguments.tx_pdo,
    };
    convert(text.trim_start_matches('\u{feff}'), &choice)
}

fn read_bytes(path: &Path) -> Result<Vec<u8>, String> {
    let size = std::fs::metadata(path).map_err(|error| format!("{error}; check the path"))?.len();
    if size > FILE_BYTES_MAX {
        return Err(format!("{size} bytes are too many for an ESI file; allowed: {FILE_BYTES_MAX}"));
    }
    std::fs::read(path).map_err(|error| error.to_string())
}

/// What of the file is wanted.
#[derive(Clone, Copy, Debug, Default)]
struct Choice {
    product: Option<u32>,
    revision: Option<u32>,
    rx_pdo: Option<u32>,
    tx_pdo: Option<u32>,
}

/// A number of an ESI file: decimal, `#x` and hexadecimal digits, or `0x`.
fn number_of(text: &str) -> Result<u32, String> {
    let text = text.trim();
    let hexadecimal = ["#x", "#X", "0x", "0X"].into_iter().find_map(|prefix| text.strip_prefix(prefix));
    hexadecimal
        .map_or_else(|| text.parse(), |digits| u32::from_str_radix(digits, 16))
        .map_err(|_| format!("`{text}` is no number; write it decimal, or hexadecimal with 0x or #x"))
}

/// Text of an ESI file → text of a drive file, and what to look at.
fn convert(text: &str, choice: &Choice) -> Result<(String, Vec<String>), String> {
    let options = ParsingOptions { allow_dtd: false, ..ParsingOptions::default() };
    let document =
        Document::parse_with_options(text, options).map_err(|error| format!("not XML: {error}"))?;
    let root = document.root_element();
    if root.tag_name().name() != "EtherCATInfo" {
        return Err(at(
            root,
            &format!(
                "the root element is `{}`; an ESI file begins with `EtherCATInfo`",
                root.tag_name().name()
            ),
        ));
    }
    let vendor = child(root, "Vendor")?;
    let vendor_id = number(child(vendor, "Id")?)?;
    let device = choose(root, choice)?;
    let kind = child(device, "Type")?;
    let identity = Identity {
        vendor: vendor_id,
        product: attribute(kind, "ProductCode")?,
        revision: attribute(kind, "RevisionNo")?,
        serial: 0,
    };
    let mut remarks = Vec::new();
    let outputs =
        pdo(device, "RxPdo", choice.rx_pdo, &[objects::CONTROLWORD, objects::TARGET_POSITION], &mut remarks)?;
    let inputs =
        pdo(device, "TxPdo", choice.tx_pdo, &[objects::STATUSWORD, objects::POSITION_ACTUAL], &mut remarks)?;
    // Our own files say the kind in the group; those of others do not have these words.
    let group = optional(device, "GroupType").and_then(|node| node.text()).unwrap_or_default().trim();
    let said = DeviceKind::ALL.iter().find(|(word, _)| *word == group).map(|(_, kind)| *kind);
    // Port 0: K is E-bus. A coupler has both.
    let physics = device.attribute("Physics").unwrap_or_default();
    let is_empty = outputs.entries().is_empty() && inputs.entries().is_empty();
    let is_coupler = is_empty && physics.starts_with('Y') && physics.contains('K');
    if is_empty && !is_coupler {
        return Err(at(
            device,
            "the device exchanges no process data; choose another revision with --revision",
        ));
    }
    let maps = |map: &PdoMap, index: u16| map.entries().iter().any(|entry| entry.index == index);
    let profile = optional(device, "Profile")
        .and_then(|profile| profile.descendants().find(|node| node.has_tag_name("ProfileNo")))
        .and_then(|node| number(node).ok());
    let all = || outputs.entries().iter().chain(inputs.entries());
    let drives_axis = |axis: u16| {
        let offset = axis * objects::AXIS_STEP;
        maps(&outputs, objects::CONTROLWORD + offset) && maps(&inputs, objects::STATUSWORD + offset)
    };
    let device_kind = if let Some(kind) = said {
        kind
    } else if is_coupler {
        DeviceKind::Coupler
    } else if drives_axis(0) && drives_axis(1) {
        DeviceKind::DualServoDrive
    } else if profile == Some(402) || drives_axis(0) {
        DeviceKind::ServoDrive
    } else if all().all(|entry| entry.bits == 1 || entry.index == 0) {
        DeviceKind::DigitalIo
    } else {
        DeviceKind::AnalogIo
    };
    let modes: Vec<Node<'_, '_>> = optional(device, "Dc")
        .map(|dc| dc.children().filter(|node| node.has_tag_name("OpMode")).collect())
        .unwrap_or_default();
    // AssignActivate bit 9: SYNC0.
    let sync0 = modes.iter().find(|mode| {
        optional(**mode, "AssignActivate")
            .and_then(|node| number(node).ok())
            .is_some_and(|value| value & 0x0200 != 0)
    });
    for mode in &modes {
        let name = optional(*mode, "Name").and_then(|node| node.text()).unwrap_or("(no name)");
        let assign = optional(*mode, "AssignActivate").and_then(|node| node.text()).unwrap_or("#x0");
        remarks.push(format!("clock mode `{name}`: AssignActivate {assign}"));
    }
    if let Some(mailbox) = optional(device, "Mailbox") {
        let coe = optional(mailbox, "CoE");
        if device_kind.axes() > 0 && coe.is_none() {
            return Err(at(
                mailbox,
                "the device has no CoE mailbox: a drive cannot be configured without one",
            ));
        }
        let says = |name: &str| {
            coe.and_then(|coe| coe.attribute(name)).is_some_and(|value| value == "1" || value == "true")
        };
        remarks.push(format!(
            "CoE: complete access {}, SDO information {}, PDO assignment {}, PDO mapping {}",
            yes(says("CompleteAccess")),
            yes(says("SdoInfo")),
            yes(says("PdoAssign")),
            yes(says("PdoConfig"))
        ));
    } else if device_kind.axes() > 0 {
        return Err(at(device, "the device has no mailbox: a drive cannot be configured without one"));
    }
    for manager in device.children().filter(|node| node.has_tag_name("Sm")) {
        let start = manager.attribute("StartAddress").unwrap_or("?");
        remarks.push(format!("sync manager `{}` at {start}", manager.text().unwrap_or_default().trim()));
    }
    let result = Device {
        kind: device_kind,
        identity,
        outputs,
        inputs,
        // Terminals of others work without; those that say they need it, and our own, get it.
        distributed_clock: sync0.is_some() && (device_kind.axes() > 0 || said.is_some()),
        connection: if physics.starts_with('K') { Connection::EBus } else { Connection::Cable },
    };
    let name = english(device, "Name").or_else(|| kind.text()).unwrap_or("").trim();
    let file = drive_file(name, vendor, &result)?;
    Ok((file, remarks))
}

const fn yes(flag: bool) -> &'static str {
    if flag { "yes" } else { "no" }
}

fn drive_file(name: &str, vendor: Node<'_, '_>, device: &Device) -> Result<String, String> {
    let kind = device.kind.word();
    let plain = |text: &str| {
        text.chars()
            .filter(|letter| !letter.is_control() && !"\"\\".contains(*letter))
            .take(90)
            .collect::<String>()
    };
    let vendor = plain(english(vendor, "Name").unwrap_or("the manufacturer").trim());
    let mut text = String::from(
        "# Made by `motiond esi import`. Scaling and limits are not in an ESI file: they go into the cell file.\n\n",
    );
    let written = write!(
        text,
        "format_version = 1\nkind = \"{kind}\"\nname = \"{}\"\ndistributed_clock = {}\n{}sources = [\"ESI file of {vendor}\"]\n",
        if name.is_empty() { "device".to_owned() } else { plain(name) },
        device.distributed_clock,
        if device.connection == Connection::EBus { "connection = \"ebus\"\n" } else { "" },
    );
    written.map_err(|error| error.to_string())?;
    text.push_str(&identity_and_maps_text(device));
    // What is written must be what is read.
    read_drive_file(&text).map_err(|problems| {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        format!(
            "the device cannot be used: {}; choose other PDOs with --rx-pdo and --tx-pdo",
            lines.join("; ")
        )
    })?;
    Ok(text)
}

/// The wanted device: of several revisions the newest.
fn choose<'a>(root: Node<'a, 'a>, choice: &Choice) -> Result<Node<'a, 'a>, String> {
    let mut found: Vec<(u32, u32, Node<'_, '_>)> = Vec::new();
    for device in root.descendants().filter(|node| node.has_tag_name("Device")) {
        // Descriptions of modules and references have no type with a product code.
        let Some(kind) = optional(device, "Type").filter(|kind| kind.has_attribute("ProductCode")) else {
            continue;
        };
        found.push((attribute(kind, "ProductCode")?, attribute(kind, "RevisionNo")?, device));
    }
    let listed = || {
        let lines: Vec<String> = found
            .iter()
            .map(|(product, revision, device)| {
                let name = english(*device, "Name").unwrap_or("").trim();
                format!("\n  --product {product:#010x} --revision {revision:#010x}  {name}")
            })
            .collect();
        lines.concat()
    };
    let fits = |(product, revision, _): &&(u32, u32, Node<'_, '_>)| {
        choice.product.is_none_or(|wanted| wanted == *product)
            && choice.revision.is_none_or(|wanted| wanted == *revision)
    };
    let fitting: Vec<_> = found.iter().filter(fits).collect();
    let Some((product, ..)) = fitting.first() else {
        return Err(if found.is_empty() {
            "there is no device with a product code in it".to_owned()
        } else {
            format!("no such device; there are:{}", listed())
        });
    };
    if fitting.iter().any(|(other, ..)| other != product) {
        return Err(format!("several devices; choose one:{}", listed()));
    }
    let newest = fitting.iter().max_by_key(|(_, revision, _)| *revision);
    newest.map(|(.., device)| *device).ok_or_else(|| "there is no device in it".to_owned())
}

/// One direction: the wanted PDO, or of a drive with two axes all that are assigned, or the first that has all
/// `needed` objects, or the first mandatory or assigned one.
fn pdo(
    device: Node<'_, '_>,
    tag: &str,
    wanted: Option<u32>,
    needed: &[u16],
    remarks: &mut Vec<String>,
) -> Result<PdoMap, String> {
    let nodes: Vec<Node<'_, '_>> = device.children().filter(|node| node.has_tag_name(tag)).collect();
    let mut pdos = Vec::new();
    for node in nodes {
        let index = number(child(node, "Index")?)?;
        pdos.push((index, node, entries(node)?));
    }
    let chosen = if let Some(wanted) = wanted {
        let listed: Vec<String> = pdos.iter().map(|(index, ..)| format!("{index:#06x}")).collect();
        Some(pdos.iter().find(|(index, ..)| *index == wanted).ok_or_else(|| {
            at(device, &format!("there is no {tag} {wanted:#06x}; there are: {}", listed.join(", ")))
        })?)
    } else {
        let is_set = |node: &Node<'_, '_>| {
            node.has_attribute("Sm")
                || node.attribute("Mandatory").is_some_and(|value| value == "1" || value == "true")
        };
        pdos.iter()
            .find(|(.., entries)| {
                needed.iter().all(|index| entries.iter().any(|entry| entry.index == *index))
            })
            .or_else(|| pdos.iter().find(|(_, node, entries)| is_set(node) && !entries.is_empty()))
            .or_else(|| pdos.iter().find(|(.., entries)| !entries.is_empty()))
    };
    let second = |entry: &PdoEntry| needed.iter().any(|index| entry.index == index + objects::AXIS_STEP);
    let assigned: Vec<_> = pdos.iter().filter(|(_, node, _)| node.has_attribute("Sm")).collect();
    if wanted.is_none()
        && assigned.len() > 1
        && assigned.iter().any(|(.., entries)| entries.iter().any(second))
    {
        let map = assigned.iter().try_fold(PdoMap::EMPTY, |map, (index, _, entries)| {
            map.with(u16::try_from(*index).ok()?, entries)
        });
        remarks.push(format!("{tag}: {} of them assigned, for two axes", assigned.len()));
        return map.ok_or_else(|| {
            let most = format!("at most {MAX_PDOS} PDOs and {MAX_PDO_ENTRIES} entries, whole bytes each");
            at(device, &format!("the {tag}s that are assigned cannot be used together: {most}"))
        });
    }
    let Some((index, node, entries)) = chosen else { return Ok(PdoMap::EMPTY) };
    let excluded: Vec<&str> =
        node.children().filter(|node| node.has_tag_name("Exclude")).filter_map(|node| node.text()).collect();
    let fixed = node.attribute("Fixed").is_some_and(|value| value == "1" || value == "true");
    remarks.push(format!(
        "{tag} {index:#06x}{}{}{}",
        if fixed { ", fixed" } else { "" },
        if excluded.is_empty() { String::new() } else { format!(", excludes {}", excluded.join(" ")) },
        if pdos.len() > 1 { format!(", one of {}", pdos.len()) } else { String::new() }
    ));
    // Mandatory ones beside it would be exchanged too.
    for (other, node, _) in &pdos {
        if other != index && node.attribute("Mandatory").is_some_and(|value| value == "1" || value == "true")
        {
            remarks.push(format!(
                "{tag} {other:#06x} is mandatory beside it: the device may refuse to be without it"
            ));
        }
    }
    let number = u16::try_from(*index).map_err(|_| at(*node, "a PDO index has four hexadecimal digits"))?;
    if entries.len() > MAX_PDO_ENTRIES {
        return Err(at(
            *node,
            &format!("{} entries; allowed: {MAX_PDO_ENTRIES}; choose a smaller PDO", entries.len()),
        ));
    }
    let mut padded = entries.clone();
    let rest = entries.iter().map(|entry| usize::from(entry.bits)).sum::<usize>() % 8;
    if rest > 0 {
        padded.push(PdoEntry { index: 0, subindex: 0, bits: u8::try_from(8 - rest).unwrap_or(0) });
        remarks.push(format!("{tag} {index:#06x} padded to a whole byte"));
    }
    PdoMap::new(number, &padded).ok_or_else(|| at(*node, "too many entries"))
}

fn entries(pdo: Node<'_, '_>) -> Result<Vec<PdoEntry>, String> {
    let mut entries = Vec::new();
    for node in pdo.children().filter(|node| node.has_tag_name("Entry")) {
        let index = number(child(node, "Index")?)?;
        let bits = number(child(node, "BitLen")?)?;
        let subindex = optional(node, "SubIndex").map_or(Ok(0), number)?;
        let entry = (u16::try_from(index), u8::try_from(subindex), u8::try_from(bits));
        let (Ok(index), Ok(subindex), Ok(bits @ 1..=64)) = entry else {
            return Err(at(node, "an entry has an index of 16 bits, a subindex of 8 bits, and 1 to 64 bits"));
        };
        entries.push(PdoEntry { index, subindex, bits });
    }
    Ok(entries)
}

fn at(node: Node<'_, '_>, what: &str) -> String {
    let place = node.document().text_pos_at(node.range().start);
    format!("line {}, element `{}`: {what}", place.row, node.tag_name().name())
}

fn optional<'a, 'i>(node: Node<'a, 'i>, name: &str) -> Option<Node<'a, 'i>> {
    node.children().find(|child| child.has_tag_name(name))
}

fn child<'a, 'i>(node: Node<'a, 'i>, name: &str) -> Result<Node<'a, 'i>, String> {
    optional(node, name).ok_or_else(|| at(node, &format!("the element `{name}` is missing in it")))
}

fn number(node: Node<'_, '_>) -> Result<u32, String> {
    number_of(node.text().unwrap_or_default()).map_err(|mistake| at(node, &mistake))
}

fn attribute(node: Node<'_, '_>, name: &str) -> Result<u32, String> {
    let text = node.attribute(name).ok_or_else(|| at(node, &format!("the attribute `{name}` is missing")))?;
    number_of(text).map_err(|mistake| at(node, &format!("{name}: {mistake}")))
}

/// The text of a child in English (language 1033), or in whatever language there is.
fn english<'a>(node: Node<'a, '_>, name: &str) -> Option<&'a str> {
    let texts = || node.children().filter(|child| child.has_tag_name(name));
    texts().find(|child| child.attribute("LcId") == Some("1033")).or_else(|| texts().next())?.text()
}

#[cfg(test)]
mod tests;
