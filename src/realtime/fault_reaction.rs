//! Which reaction a fault has. The table is the contract; it is a pure function so that a test can read
//! it whole.

use crate::faults::{FaultCode, Reaction};

/// The reaction to a fault.
#[must_use]
pub const fn reaction(code: FaultCode) -> Reaction {
    match code {
        // The bus is in doubt: the drives stop on their own ramp, told in every frame that follows.
        FaultCode::FramesLost | FaultCode::WorkingCounterLow | FaultCode::CycleStall => Reaction::QuickStop,

        // One device is out; the others stop together. After a jump of its position a drive stops on its own
        // ramp meanwhile: see `Cycle::raise`.
        FaultCode::SubDeviceNotOperational
        | FaultCode::SubDeviceLost
        | FaultCode::DriveFault
        | FaultCode::DriveNotEnabled
        | FaultCode::DriveVoltageLost
        | FaultCode::DriveStateTimeout
        | FaultCode::FollowingError
        | FaultCode::PositionJump
        | FaultCode::DriveMode
        | FaultCode::StopInput => Reaction::JointStop,

        // The setpoint is wrong: the path cannot be trusted.
        FaultCode::SetpointNotFinite
        | FaultCode::SetpointPosition
        | FaultCode::SetpointSpeed
        | FaultCode::SetpointAcceleration
        | FaultCode::InverseKinematics
        | FaultCode::TooNear => Reaction::JointStop,

        // The machine is well; the work is not.
        FaultCode::WorkingCounterHigh
        | FaultCode::FrameLossRate
        | FaultCode::ClockDifference
        | FaultCode::ClockPhase
        | FaultCode::NotAtStart
        | FaultCode::PositionUntrusted
        | FaultCode::PhaseTimeout
        | FaultCode::ProcessLost
        | FaultCode::DaemonLost => Reaction::PathHold,
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    #[test]
    fn every_fault_has_its_reaction() {
        let mut table = String::new();
        for code in FaultCode::ALL {
            writeln!(table, "E{} {code:?}: {:?}", code.number(), reaction(code)).unwrap();
        }
        insta::assert_snapshot!(table);
    }
}
