//! Words for the state of the machine and the identities that cross the boundary.

/// Which run of a job a piece, trigger or command belongs to. Zero: none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunTag(pub u32);

/// Fencing number of the control lease: grows with every change of hands. Older ones are ignored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ControlEpoch(pub u32);

/// State of the machine as the real-time side sees it.
///
/// ```text
/// Disabled ─enable→ Enabling ─brakes open→ Ready ─run→ Executing ─end of run→ Ready
///    ↑                                       │            │ hold ↓      ↑ resume
///    └──brakes closed── Disabling ←─disable──┘            Holding → Held ┘
/// any enabled state ─fault→ FaultReaction ─standstill, brakes closed→ Fault ─reset→ Disabled
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum MachineState {
    /// Drives without torque, setpoints follow the actual position.
    #[default]
    Disabled,
    /// Drives are being switched on; brakes open.
    Enabling,
    /// Enabled, standing still, nothing to do.
    Ready,
    /// A run is being executed.
    Executing,
    /// Slowing down on the path after a hold.
    Holding,
    /// Standing on the path, can be resumed.
    Held,
    /// Slowing down on the path after a stop; the run is discarded.
    Stopping,
    /// Standing still; brakes close before torque goes.
    Disabling,
    /// Reacting to a fault: joint stop, quick stop or torque off.
    FaultReaction,
    /// A fault is latched; needs acknowledgement.
    Fault,
}

impl MachineState {
    /// Every state.
    pub const ALL: [Self; 10] = [
        Self::Disabled,
        Self::Enabling,
        Self::Ready,
        Self::Executing,
        Self::Holding,
        Self::Held,
        Self::Stopping,
        Self::Disabling,
        Self::FaultReaction,
        Self::Fault,
    ];

    /// The name used on the wire and in traces.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::Enabling => "enabling",
            Self::Ready => "ready",
            Self::Executing => "executing",
            Self::Holding => "holding",
            Self::Held => "held",
            Self::Stopping => "stopping",
            Self::Disabling => "disabling",
            Self::FaultReaction => "fault_reaction",
            Self::Fault => "fault",
        }
    }
}
