//! The application layer state of a SubDevice, and its status codes in words (ETG.1000.6).

/// State of a SubDevice as read from AL status, register 0x0130 bits 0 to 3.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum AlState {
    /// It did not answer.
    #[default]
    NoAnswer,
    /// INIT.
    Init,
    /// PRE-OP: mailbox.
    PreOp,
    /// BOOT: firmware update.
    Bootstrap,
    /// SAFE-OP: inputs are valid, outputs are not used.
    SafeOp,
    /// OP: inputs and outputs.
    Op,
    /// A number that is no state.
    Invalid,
}

impl AlState {
    /// The state for the low four bits of register 0x0130.
    #[must_use]
    pub const fn from_register(value: u16) -> Self {
        match value & 0x0F {
            0 => Self::NoAnswer,
            1 => Self::Init,
            2 => Self::PreOp,
            3 => Self::Bootstrap,
            4 => Self::SafeOp,
            8 => Self::Op,
            _ => Self::Invalid,
        }
    }

    /// What to write to AL control (0x0120) to ask for this state; zero when it cannot be asked for.
    #[must_use]
    pub const fn request(self) -> u16 {
        match self {
            Self::Init => 1,
            Self::PreOp => 2,
            Self::Bootstrap => 3,
            Self::SafeOp => 4,
            Self::Op => 8,
            Self::NoAnswer | Self::Invalid => 0,
        }
    }

    /// The name field people use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoAnswer => "no answer",
            Self::Init => "INIT",
            Self::PreOp => "PRE-OP",
            Self::Bootstrap => "BOOT",
            Self::SafeOp => "SAFE-OP",
            Self::Op => "OP",
            Self::Invalid => "invalid state",
        }
    }
}

/// Registers 0x0130 and 0x0134 of one SubDevice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AlStatus {
    /// The state it is in.
    pub state: AlState,
    /// The error bit: it refused or left a state, and waits for acknowledgement.
    pub error: bool,
    /// Why; 0: no error.
    pub code: u16,
}

impl AlStatus {
    /// From the six bytes at 0x0130: status, reserved, status code; all little-endian.
    #[must_use]
    pub const fn from_registers(bytes: [u8; 6]) -> Self {
        let [status_low, status_high, _, _, code_low, code_high] = bytes;
        let status = u16::from_le_bytes([status_low, status_high]);
        Self {
            state: AlState::from_register(status),
            error: status & 0x10 != 0,
            code: u16::from_le_bytes([code_low, code_high]),
        }
    }

    /// The status code in words.
    #[must_use]
    pub const fn words(&self) -> &'static str {
        status_code_words(self.code)
    }
}

/// An AL status code in words, with what to look at (ETG.1000.6, AL status codes).
#[must_use]
pub const fn status_code_words(code: u16) -> &'static str {
    match code {
        0x0000 => "no error",
        0x0001 => "unspecified error",
        0x0002 => "no memory in the device",
        0x0003 => "invalid device setup",
        0x0006 => "SII and firmware of the device do not match",
        0x0007 => "firmware update was not successful",
        0x000E => "licence error",
        0x0011 => "the requested state change is not allowed from the present state",
        0x0012 => "the requested state is unknown",
        0x0013 => "bootstrap is not supported",
        0x0014 => "no valid firmware",
        0x0015 | 0x0016 => "invalid mailbox configuration: SM0 and SM1 differ from the SII",
        0x0017 => "invalid sync manager configuration",
        0x0018 => "no valid inputs available",
        0x0019 => "no valid outputs: the controller must send process data before OP",
        0x001A => "synchronisation error: too many cycles without new outputs",
        0x001B => "sync manager watchdog expired: the controller stopped sending outputs",
        0x001C => "invalid sync manager types",
        0x001D => "invalid output configuration: length of SM2 and of the mapped outputs differ",
        0x001E => "invalid input configuration: length of SM3 and of the mapped inputs differ",
        0x001F => "invalid watchdog configuration",
        0x0020 => "the device needs a cold start",
        0x0021 => "the device needs INIT first",
        0x0022 => "the device needs PRE-OP first",
        0x0023 => "the device needs SAFE-OP first",
        0x0024 => "invalid input mapping",
        0x0025 => "invalid output mapping",
        0x0026 => "inconsistent settings",
        0x0027 => "free-run mode is not supported",
        0x0028 => "synchronous mode is not supported",
        0x0029 => "free-run mode needs 3-buffer mode",
        0x002A => "background watchdog expired",
        0x002B => "neither valid inputs nor valid outputs",
        0x002C => "fatal synchronisation error: SYNC0 is missing",
        0x002D => "no synchronisation: SYNC0 was never received; check that the clock was started",
        0x002E => "cycle time too small",
        0x0030 => "invalid distributed clock configuration",
        0x0031 => "invalid configuration of the clock latch",
        0x0032 => "clock synchronisation lost (PLL): frames come at the wrong time relative to SYNC0",
        0x0033 => "clock input/output error",
        0x0034 => "clock time-out: too many SYNC0 events without a frame",
        0x0035 => "invalid SYNC0 cycle time",
        0x0036 => "SYNC0 cycle time is not supported by the device",
        0x0037 => "SYNC1 cycle time is not supported by the device",
        0x0041..=0x004F => "mailbox protocol error",
        0x0050 => "no access to the SII",
        0x0051 => "error in the SII",
        0x0052 => "the device cannot access its hardware now",
        0x0060 => "the device was restarted locally",
        0x0061 => "device identification value was changed",
        0x0070 => "the detected modules differ from the configured ones",
        0x00F0 => "the application of the device is not available",
        0x8000..=0xFFFF => "error of this device type: see the manual of the drive",
        _ => "unknown status code",
    }
}

/// What to try when a state was refused with this code.
#[must_use]
pub const fn status_code_remedy(code: u16) -> &'static str {
    match code {
        0x0006 | 0x0050 | 0x0051 => "restore the SII of the device with the tool of its manufacturer",
        0x0014 | 0x0007 => "load a firmware with the tool of the manufacturer",
        0x0015 | 0x0016 => "switch the device off and on; when it stays, its SII is damaged",
        0x0017 | 0x001D | 0x001E | 0x0024 | 0x0025 => {
            "compare 0x1C12, 0x1C13 and the PDOs (`motiond scan`) with the drive file"
        }
        0x0018 | 0x0019 | 0x002B => "check that frames go round while it waits: cycle time, host load",
        0x001A | 0x0032 | 0x0033 | 0x0034 => {
            "check the wake-up jitter of the host, `ethercat.sync_shift_us` and the cycle time"
        }
        0x001B | 0x001F => "check host load and the watchdog time",
        0x0020 => "switch the device off and on",
        0x002C | 0x002D | 0x0030 | 0x0028 => {
            "check `distributed_clock` in the drive file and that the device supports SYNC0"
        }
        0x0027 | 0x0029 => "the device wants SYNC0: set `distributed_clock` in the drive file and the cell",
        0x002E | 0x0035 | 0x0036 | 0x0037 => {
            "choose another `ethercat.cycle_time_ms`; the manual lists the times the device takes"
        }
        0x0070 => "compare the modules in the device with its configuration (0xF030, 0xF050)",
        _ => "look up the code in the manual of the device; its display may say more",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_state_shows_its_error_bit_and_code() {
        let status = AlStatus::from_registers([0x12, 0x00, 0, 0, 0x1E, 0x00]);
        assert_eq!(status, AlStatus { state: AlState::PreOp, error: true, code: 0x1E });
        assert!(status.words().contains("input configuration"));
    }

    #[test]
    fn every_state_that_can_be_asked_for_reads_back_as_itself() {
        for state in [AlState::Init, AlState::PreOp, AlState::Bootstrap, AlState::SafeOp, AlState::Op] {
            assert_eq!(AlState::from_register(state.request()), state);
        }
    }
}
