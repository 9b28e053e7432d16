//! Single registers of single SubDevices, one frame each.

use ethercrab::{Command, EtherCrabWireRead, EtherCrabWireSized, EtherCrabWireWrite};

use super::frame_pump::{FramePump, PumpEnd};
use super::link::FrameLink;
use crate::units::Nanoseconds;

/// DL status: bits 4 to 7 tell which ports have a link.
pub(super) const DL_STATUS: u16 = 0x0110;
/// Error counters: per port invalid frames and RX errors, then forwarded errors, …, lost links from 0x0310.
pub(super) const ERROR_COUNTERS: u16 = 0x0300;
/// Lost link counters, one for each port.
pub(super) const LOST_LINK_COUNTERS: u16 = 0x0310;
/// AL control.
pub(super) const AL_CONTROL: u16 = 0x0120;
/// AL status (2 bytes), reserved (2), AL status code (2).
pub(super) const AL_STATUS: u16 = 0x0130;
/// Watchdog divider, in steps of 40 ns, less two.
pub(super) const WATCHDOG_DIVIDER: u16 = 0x0400;
/// Time of the sync manager watchdog, in units of the divider.
pub(super) const SYNC_MANAGER_WATCHDOG: u16 = 0x0420;
/// Difference to the reference clock: bit 31 sign, bits 0 to 30 magnitude, ns.
pub(super) const SYSTEM_TIME_DIFFERENCE: u16 = 0x092C;

/// Address of the first SubDevice; ethercrab counts up from here.
const FIRST_STATION_ADDRESS: u16 = 0x1000;

/// Why a register could not be read or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RegisterError {
    /// No answer until the deadline.
    Elapsed,
    /// Not acknowledged (working counter), or not understood.
    Refused(ethercrab::error::Error),
}

fn flatten<T>(result: Result<Result<T, ethercrab::error::Error>, PumpEnd>) -> Result<T, RegisterError> {
    match result {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(RegisterError::Refused(error)),
        Err(PumpEnd::Elapsed) => Err(RegisterError::Elapsed),
    }
}

/// Station address of the SubDevice at `position` once bring-up or a scan has given them out.
pub(super) fn station_address(position: usize) -> u16 {
    u16::try_from(position).map_or(u16::MAX, |position| FIRST_STATION_ADDRESS.saturating_add(position))
}

/// Reads a register of the SubDevice at `position` by its station address.
///
/// # Real-time
/// No allocation; ends at the deadline.
pub(super) fn read<L: FrameLink, T>(
    pump: &mut FramePump<L>,
    position: usize,
    register: u16,
    deadline: Nanoseconds,
) -> Result<T, RegisterError>
where
    T: EtherCrabWireRead + EtherCrabWireSized,
{
    let main_device = pump.main_device();
    flatten(pump.run(Command::fprd(station_address(position), register).receive::<T>(main_device), deadline))
}

/// Writes a register of the SubDevice at `position` by its station address.
///
/// # Real-time
/// No allocation; ends at the deadline.
pub(super) fn write<L: FrameLink>(
    pump: &mut FramePump<L>,
    position: usize,
    register: u16,
    value: impl EtherCrabWireWrite,
    deadline: Nanoseconds,
) -> Result<(), RegisterError> {
    let main_device = pump.main_device();
    flatten(pump.run(
        async {
            // `send` does not look at the working counter; `send_receive_slice` does.
            Command::fpwr(station_address(position), register)
                .send_receive_slice(main_device, value)
                .await
                .map(drop)
        },
        deadline,
    ))
}

/// Reads `target.len()` bytes of the SubDevice at `station` from `address` on.
///
/// # Real-time
/// No allocation; ends at the deadline.
pub(super) fn read_at_station<L: FrameLink>(
    pump: &mut FramePump<L>,
    station: u16,
    address: u16,
    target: &mut [u8],
    deadline: Nanoseconds,
) -> Result<(), RegisterError> {
    let main_device = pump.main_device();
    let length = u16::try_from(target.len()).unwrap_or(u16::MAX);
    flatten(pump.run(
        async {
            let answer = Command::fprd(station, address).receive_slice(main_device, length).await?;
            let Some(bytes) = answer.get(..target.len()) else {
                return Err(ethercrab::error::Error::ReceiveFrame);
            };
            target.copy_from_slice(bytes);
            Ok(())
        },
        deadline,
    ))
}

/// Writes `bytes` to the SubDevice at `station` from `address` on.
///
/// # Real-time
/// No allocation; ends at the deadline.
pub(super) fn write_at_station<L: FrameLink>(
    pump: &mut FramePump<L>,
    station: u16,
    address: u16,
    bytes: &[u8],
    deadline: Nanoseconds,
) -> Result<(), RegisterError> {
    let main_device = pump.main_device();
    flatten(pump.run(
        async { Command::fpwr(station, address).send_receive_slice(main_device, bytes).await.map(drop) },
        deadline,
    ))
}

/// Reads a register of the SubDevice at `position` by its place on the wire: works before addresses are given.
pub(super) fn read_by_position<L: FrameLink, T>(
    pump: &mut FramePump<L>,
    position: u16,
    register: u16,
    deadline: Nanoseconds,
) -> Result<T, RegisterError>
where
    T: EtherCrabWireRead + EtherCrabWireSized,
{
    let main_device = pump.main_device();
    flatten(pump.run(Command::aprd(position, register).receive::<T>(main_device), deadline))
}

/// Writes a register of the SubDevice at `position` by its place on the wire.
pub(super) fn write_by_position<L: FrameLink>(
    pump: &mut FramePump<L>,
    position: u16,
    register: u16,
    value: impl EtherCrabWireWrite,
    deadline: Nanoseconds,
) -> Result<(), RegisterError> {
    let main_device = pump.main_device();
    flatten(pump.run(
        async { Command::apwr(position, register).send_receive_slice(main_device, value).await.map(drop) },
        deadline,
    ))
}

/// Number of SubDevices on the wire: the working counter of a broadcast read.
pub(super) fn count_subdevices<L: FrameLink>(pump: &mut FramePump<L>, deadline: Nanoseconds) -> Option<u16> {
    let main_device = pump.main_device();
    // ethercrab shows a working counter only when it is not the expected one; this one never is.
    let expected = u16::MAX;
    match flatten(pump.run(Command::brd(0).with_wkc(expected).receive::<u8>(main_device), deadline)) {
        Err(RegisterError::Refused(ethercrab::error::Error::WorkingCounter { received, .. })) => {
            Some(received)
        }
        Ok(_) | Err(_) => None,
    }
}

/// Writes a register of every SubDevice at once.
pub(super) fn broadcast_write<L: FrameLink>(
    pump: &mut FramePump<L>,
    register: u16,
    value: impl EtherCrabWireWrite,
    deadline: Nanoseconds,
) {
    let main_device = pump.main_device();
    // Who took it shows what is read afterwards.
    let _sent = pump.run(
        async { Command::bwr(register).ignore_wkc().send_receive_slice(main_device, value).await.map(drop) },
        deadline,
    );
}
