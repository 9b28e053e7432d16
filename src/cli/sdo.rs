//! `motiond sdo`: read and write objects of a device, through the daemon that runs the bus, or on a bus that no daemon
//! runs.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::bus_access::{BusOptions, emergency_lines};
use super::client::{connect_to, take_control};
use super::connection::{CallError, refusal_text};
use super::sdo_value::{SdoType, read_object};
use super::{Exit, print, print_error};
use crate::api::hexadecimal::{bytes_of_hexadecimal, hexadecimal};
use crate::fieldbus::mailbox::MailboxProblem;
use crate::fieldbus::scan::with_mailbox;

/// Arguments of `motiond sdo`.
#[derive(Debug, Args)]
pub struct SdoArguments {
    #[command(subcommand)]
    command: SdoCommand,
}

#[derive(Debug, Subcommand)]
enum SdoCommand {
    /// Read an object
    Read(ReadArguments),
    /// Write an object
    Write(WriteArguments),
}

/// Which object of which device, and how it is reached.
#[derive(Clone, Debug, Args)]
struct Target {
    /// Position of the device on the bus, counted from 0
    device: usize,
    /// Index and subindex in hexadecimal, for example 0x6064:00
    #[arg(value_parser = read_object)]
    object: (u16, u8),
    /// All subindices at once, from the given one on (complete access); type `bytes`
    #[arg(long)]
    complete: bool,
    /// Unix socket of the daemon that runs the bus [default: $MOTIOND_SOCKET, else motiond-state/motiond.sock]
    #[arg(long, value_name = "PATH", conflicts_with_all = ["interface", "simulated", "replay", "capture", "force"])]
    socket: Option<PathBuf>,
    /// A bus that no daemon runs
    #[command(flatten)]
    bus: BusOptions,
    /// Print JSON, errors included
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Debug, Args)]
struct ReadArguments {
    #[command(flatten)]
    target: Target,
    /// Data type: u8, u16, u32, u64, i8, i16, i32, i64, f32, string, bytes [default: by its length]
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<SdoType>,
}

#[derive(Clone, Debug, Args)]
struct WriteArguments {
    #[command(flatten)]
    target: Target,
    /// The value
    #[arg(allow_hyphen_values = true)]
    value: String,
    /// Data type: u8, u16, u32, u64, i8, i16, i32, i64, f32, string, bytes
    #[arg(long = "type", value_name = "TYPE")]
    kind: SdoType,
    /// Take control from another client of the daemon, for this reason; a run is put on hold first
    #[arg(long, value_name = "REASON", conflicts_with_all = ["interface", "simulated", "replay"])]
    take_over: Option<String>,
}

/// What came of it: a value, or why not in words.
type Outcome = Result<Vec<u8>, String>;

/// Reads or writes an object.
///
/// # Errors
/// The bus cannot be opened.
pub fn sdo(arguments: &SdoArguments) -> anyhow::Result<Exit> {
    let (target, kind, written) = match &arguments.command {
        SdoCommand::Read(read) => (&read.target, read.kind, None),
        SdoCommand::Write(write) => (&write.target, Some(write.kind), Some(&write.value)),
    };
    let written = match written.map(|value| kind.unwrap_or(SdoType::Bytes).encode(value)) {
        None => None,
        Some(Ok(bytes)) => Some(bytes),
        Some(Err(mistake)) => {
            return Ok(refuse(target, &mistake));
        }
    };
    let is_write = written.is_some();
    let outcome = if target.bus.is_named() {
        transfer(target, written)?
    } else {
        let take_over = match &arguments.command {
            SdoCommand::Read(_) => None,
            SdoCommand::Write(write) => write.take_over.as_deref(),
        };
        match transfer_by_daemon(target, written.as_deref(), take_over) {
            Ok(bytes) => Ok(bytes),
            Err(CallError::Refused(error)) => Err(refusal_text(&error)),
            Err(error @ (CallError::Connection(_) | CallError::NoAnswer)) => {
                anyhow::bail!("{error}; for a bus that no daemon runs: --interface IF, or --simulated")
            }
        }
    };
    let outcome = outcome.and_then(|bytes| {
        if is_write {
            return Ok((bytes, None));
        }
        let kind =
            kind.unwrap_or_else(|| if target.complete { SdoType::Bytes } else { SdoType::guess(&bytes) });
        kind.decode(&bytes).map(|text| (bytes, Some((kind, text))))
    });
    Ok(match outcome {
        Ok((_, None)) => {
            print_result(target, &json!({"ok": true}), "written");
            Exit::Success
        }
        Ok((bytes, Some((kind, text)))) => {
            let value =
                json!({"ok": true, "type": kind.to_string(), "value": text, "bytes": hexadecimal(&bytes)});
            print_result(target, &value, &text);
            Exit::Success
        }
        Err(text) => refuse(target, &text),
    })
}

fn print_result(target: &Target, json: &Value, text: &str) {
    print(&if target.json { json.to_string() } else { text.to_owned() });
}

fn refuse(target: &Target, text: &str) -> Exit {
    if target.json {
        print(&json!({"ok": false, "error": {"message": text}}).to_string());
    } else {
        print_error(text);
    }
    Exit::Mistake
}

/// Through the socket of a daemon; a write takes control for as long as it needs it.
fn transfer_by_daemon(
    target: &Target,
    written: Option<&[u8]>,
    take_over: Option<&str>,
) -> Result<Vec<u8>, CallError> {
    let (index, subindex) = target.object;
    // Over the socket positions count from 1.
    let mut params = json!({
        "subdevice": target.device + 1, "index": index, "subindex": subindex, "complete": target.complete,
    });
    let mut connection = connect_to(target.socket.as_deref(), "sdo")?;
    if let Some(value) = written {
        let epoch = take_control(&mut connection, take_over, "continue")?;
        params["epoch"] = json!(epoch);
        params["data"] = json!(hexadecimal(value));
        connection.call("sdo.write", &params)?;
        connection.call("control.release", &json!({"epoch": epoch}))?;
        return Ok(Vec::new());
    }
    let answer = connection.call("sdo.read", &params)?;
    let data = answer["data"].as_str().unwrap_or_default();
    bytes_of_hexadecimal(data)
        .map_err(|error| CallError::Connection(std::io::Error::new(std::io::ErrorKind::InvalidData, error)))
}

fn transfer(target: &Target, written: Option<Vec<u8>>) -> anyhow::Result<Outcome> {
    let mut pump = target.bus.open()?;
    let (index, subindex) = target.object;
    let complete = target.complete;
    let done = with_mailbox(&mut pump, target.device, target.bus.force, async move |client| {
        match (written, complete) {
            (None, false) => client.upload(index, subindex).await,
            (None, true) => client.upload_complete(index, subindex).await,
            (Some(value), false) => client.download(index, subindex, &value).await.map(|()| Vec::new()),
            (Some(value), true) => {
                client.download_complete(index, subindex, &value).await.map(|()| Vec::new())
            }
        }
    });
    target.bus.write_capture(&pump)?;
    Ok(match done {
        Ok((result, emergencies)) => {
            for line in emergency_lines(&emergencies) {
                print_error(&line);
            }
            result.map_err(|problem: MailboxProblem| {
                format!("device {}, object {index:#06x}:{subindex:02x}: {problem}", target.device)
            })
        }
        Err(error) => Err(error.to_string()),
    })
}
