//! What is connected to which port. A line, in which a coupler has a branch: the terminals on its backplane (E-bus) hang
//! on its port 1, and what is connected by cable behind them on its port 2. A frame leaves a SubDevice by its ports
//! in rising order and comes back to each before it leaves by the next.

use crate::devices::{Connection, DeviceKind, MAX_SUBDEVICES};
use crate::units::Nanoseconds;

use super::super::subdevice::SubDevice;

/// Ports of a SubDevice; 0 is where frames come from.
pub(in super::super) const PORTS: usize = 4;

/// How long a frame is away from a SubDevice before it comes back by each port; `None`: nothing is connected there.
pub(in super::super) type Returns = [Option<Nanoseconds>; PORTS];

/// Ways of the frames.
pub(super) struct Wiring {
    /// From the first SubDevice to each.
    pub(super) ways: [Nanoseconds; MAX_SUBDEVICES],
    pub(super) returns: [Returns; MAX_SUBDEVICES],
}

/// The first `reachable` devices, one hop apart; bridged ones are not there.
pub(super) fn wire(devices: &[SubDevice], reachable: usize, hop: Nanoseconds) -> Wiring {
    let mut wiring =
        Wiring { ways: [Nanoseconds(0); MAX_SUBDEVICES], returns: [[None; PORTS]; MAX_SUBDEVICES] };
    // Where the next device may be connected: the last one of the line, and the coupler of its branch.
    let mut parents: [Option<(usize, usize)>; MAX_SUBDEVICES] = [None; MAX_SUBDEVICES];
    let (mut last, mut coupler): (Option<usize>, Option<usize>) = (None, None);
    let present = || (0..reachable).filter(|at| devices.get(*at).is_some_and(|device| !device.is_bridged));
    for at in present() {
        let Some(device) = devices.get(at) else { break };
        let parent = match (device.connection(), coupler) {
            (Connection::EBus, _) | (Connection::Cable, None) => last.map(|last| (last, 1)),
            (Connection::Cable, Some(coupler)) => Some((coupler, 2)),
        };
        if let Some(slot) = parents.get_mut(at) {
            *slot = parent;
        }
        match device.connection() {
            Connection::EBus => {}
            Connection::Cable => coupler = (device.kind() == DeviceKind::Coupler).then_some(at),
        }
        last = Some(at);
    }
    // Each device is one hop away from its port and one back, with all that hangs on it.
    for at in present() {
        let mut behind = at;
        while let Some((parent, port)) = parents.get(behind).copied().flatten() {
            for returns in
                wiring.returns.get_mut(parent).into_iter().flat_map(|ports| ports.iter_mut().skip(port))
            {
                // Ports without anything get theirs back below.
                *returns = Some(returns.unwrap_or_default().plus(Nanoseconds(2 * hop.0)));
            }
            behind = parent;
        }
        if let Some((parent, port)) = parents.get(at).copied().flatten() {
            // Ports before it have been left and come back already.
            let before = wiring.returns.get(parent).and_then(|ports| ports.get(port - 1).copied().flatten());
            let way = wiring.ways.get(parent).copied().unwrap_or_default();
            if let Some(own) = wiring.ways.get_mut(at) {
                let before = if port > 1 { before.unwrap_or_default() } else { Nanoseconds(0) };
                *own = way.plus(before).plus(hop);
            }
        }
    }
    for (at, returns) in wiring.returns.iter_mut().enumerate() {
        for (port, back) in returns.iter_mut().enumerate() {
            if !parents.contains(&Some((at, port))) {
                *back = None;
            }
        }
    }
    wiring
}
