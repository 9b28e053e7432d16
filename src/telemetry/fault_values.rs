//! The values of a fault with their units, as people read them.

use crate::faults::{Fault, FaultCode};
use crate::kinematics::JointKind;

/// What the value and the limit of a fault are.
#[derive(Clone, Copy)]
enum Quantity {
    /// There is none.
    Nothing,
    /// A number of these.
    Count(&'static str),
    /// Bits, or a code of the drive.
    Hexadecimal,
    /// A mode of operation, object 0x6061.
    Mode,
    /// A state of a SubDevice as in the AL status register.
    AlState,
    /// Of a joint, times this derivative: 0 position, 1 speed, 2 acceleration.
    Joint(usize),
    /// A distance, m.
    Distance,
    /// A time, s.
    Time,
    /// A time far below a millisecond, s.
    ShortTime,
    /// A share of one.
    Share,
}

const fn quantity(code: FaultCode) -> Quantity {
    match code {
        FaultCode::FramesLost | FaultCode::WorkingCounterLow => Quantity::Count("exchanges in a row"),
        FaultCode::WorkingCounterHigh => Quantity::Count("counted"),
        FaultCode::SubDeviceNotOperational | FaultCode::SubDeviceLost => Quantity::AlState,
        FaultCode::DriveFault | FaultCode::DriveNotEnabled | FaultCode::DriveVoltageLost => {
            Quantity::Hexadecimal
        }
        FaultCode::FrameLossRate => Quantity::Share,
        FaultCode::ClockDifference | FaultCode::ClockPhase => Quantity::ShortTime,
        FaultCode::DriveMode => Quantity::Mode,
        FaultCode::DriveStateTimeout | FaultCode::PhaseTimeout | FaultCode::ProcessLost => Quantity::Time,
        FaultCode::FollowingError
        | FaultCode::PositionJump
        | FaultCode::PositionUntrusted
        | FaultCode::SetpointPosition
        | FaultCode::NotAtStart => Quantity::Joint(0),
        FaultCode::SetpointSpeed => Quantity::Joint(1),
        FaultCode::SetpointAcceleration => Quantity::Joint(2),
        FaultCode::InverseKinematics | FaultCode::TooNear => Quantity::Distance,
        FaultCode::CycleStall => Quantity::Count("cycles"),
        FaultCode::SetpointNotFinite | FaultCode::StopInput | FaultCode::DaemonLost => Quantity::Nothing,
    }
}

/// Value and limit of a fault with their units; `None` where there is none. Joints in deg, or in mm where
/// the joint slides; codes of drives in hexadecimal.
#[must_use]
pub(super) fn values_in_words(fault: &Fault, kinds: &[JointKind]) -> (Option<String>, Option<String>) {
    let quantity = quantity(fault.code);
    let kind = fault.place.and_then(|joint| kinds.get(usize::from(joint)));
    let value = words(quantity, fault.value, kind);
    // Zero is a limit only where the mode or the state wanted is meant.
    let limit = if fault.limit == 0.0 { None } else { words(quantity, fault.limit, kind) };
    (value, limit)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float becomes the nearest code"
)]
fn words(quantity: Quantity, value: f64, kind: Option<&JointKind>) -> Option<String> {
    Some(match quantity {
        Quantity::Nothing => return None,
        Quantity::Count(what) => format!("{value} {what}"),
        Quantity::Share => format!("{:.2} %", value * 1e2),
        Quantity::ShortTime => format!("{:.1} µs", value * 1e6),
        Quantity::Hexadecimal => format!("0x{:04X}", value as u16),
        Quantity::Mode => format!("{value}"),
        Quantity::AlState => al_state_name(value as u8).to_owned(),
        Quantity::Joint(order) => {
            let per = ["", "/s", "/s²"].get(order).copied().unwrap_or_default();
            match kind {
                Some(JointKind::Prismatic) => format!("{:.3} mm{per}", value * 1e3),
                Some(JointKind::Revolute | JointKind::Continuous) | None => {
                    format!("{:.3} °{per}", value.to_degrees())
                }
            }
        }
        // Of the order of nanometres: what the solver is held to.
        Quantity::Distance => format!("{:.6} mm", value * 1e3),
        Quantity::Time => format!("{value:.3} s"),
    })
}

/// Name of a state of a SubDevice (ETG.1000.6, AL status); zero is none: it does not answer.
const fn al_state_name(state: u8) -> &'static str {
    match state {
        0 => "no answer",
        1 => "INIT",
        2 => "PRE-OP",
        3 => "BOOT",
        4 => "SAFE-OP",
        8 => "OP",
        _ => "an unknown state",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::Reaction;
    use crate::units::Cycles;

    fn shown(code: FaultCode, value: f64, limit: f64) -> (Option<String>, Option<String>) {
        let fault =
            Fault { code, reaction: Reaction::JointStop, place: Some(1), value, limit, cycle: Cycles(1) };
        values_in_words(&fault, &[JointKind::Revolute, JointKind::Revolute])
    }

    #[test]
    fn every_value_has_its_unit() {
        let text = |value: &str| Some(value.to_owned());
        assert_eq!(shown(FaultCode::DriveFault, f64::from(0x7500), 0.0), (text("0x7500"), None));
        assert_eq!(shown(FaultCode::DriveVoltageLost, f64::from(0x0250), 0.0), (text("0x0250"), None));
        assert_eq!(shown(FaultCode::FollowingError, 0.01, 0.008_726_646), (text("0.573 °"), text("0.500 °")));
        assert_eq!(shown(FaultCode::SetpointSpeed, 1.0, 0.5), (text("57.296 °/s"), text("28.648 °/s")));
        assert_eq!(shown(FaultCode::SubDeviceNotOperational, 4.0, 8.0), (text("SAFE-OP"), text("OP")));
        assert_eq!(shown(FaultCode::PhaseTimeout, 2.0, 2.0), (text("2.000 s"), text("2.000 s")));
        assert_eq!(shown(FaultCode::StopInput, 0.0, 1.0), (None, None));
        assert_eq!(shown(FaultCode::CycleStall, 5.0, 3.0), (text("5 cycles"), text("3 cycles")));
    }

    #[test]
    fn a_sliding_joint_is_told_in_mm() {
        let fault = Fault {
            code: FaultCode::PositionJump,
            reaction: Reaction::QuickStop,
            place: Some(0),
            value: 0.002,
            limit: 0.001,
            cycle: Cycles(1),
        };
        let (value, limit) = values_in_words(&fault, &[JointKind::Prismatic]);
        assert_eq!((value.as_deref(), limit.as_deref()), (Some("2.000 mm"), Some("1.000 mm")));
    }
}
