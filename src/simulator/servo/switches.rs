//! What is mounted along the shaft: limit switches, home switch, probes and the index pulse of the encoder. Edges
//! are found where they lie, not where the control loop happens to look: drives latch positions in hardware.

use std::ops::Range;

use super::super::description::{Cam, Switches};
use super::super::injection::ShaftSwitch;

/// Switches in the order of their levels.
const ALL: [ShaftSwitch; 5] = [
    ShaftSwitch::NegativeLimit,
    ShaftSwitch::PositiveLimit,
    ShaftSwitch::Home,
    ShaftSwitch::Probe1,
    ShaftSwitch::Probe2,
];
/// Most edges in one control step: both of every switch, and one index pulse.
const EDGES_MAX: usize = 2 * ALL.len() + 1;

/// What has an edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    Switch(ShaftSwitch),
    Index,
}

/// One edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Edge {
    pub(super) signal: Signal,
    pub(super) rising: bool,
    /// Shaft position, counts.
    pub(super) at: i64,
    /// The shaft turns towards larger counts.
    pub(super) forwards: bool,
}

/// The switches of one drive and their levels.
#[derive(Clone, Debug)]
pub(super) struct ShaftSignals {
    cams: [Option<Cam>; ALL.len()],
    forced: [Option<bool>; ALL.len()],
    counts_per_turn: i64,
    index_offset: i64,
    shaft: i64,
    /// Places next to the shaft where an edge can be: none is passed between two places within them.
    quiet: Range<i64>,
}

impl ShaftSignals {
    pub(super) fn new(switches: &Switches, counts_per_turn: u32, index_offset: i64, shaft: i64) -> Self {
        let Switches { negative_limit, positive_limit, home, probe_1, probe_2 } = *switches;
        Self {
            cams: [negative_limit, positive_limit, home, probe_1, probe_2],
            forced: [None; ALL.len()],
            counts_per_turn: i64::from(counts_per_turn),
            index_offset,
            shaft,
            quiet: shaft..shaft,
        }
    }

    /// Level of one switch.
    pub(super) fn is_on(&self, switch: ShaftSwitch) -> bool {
        let at = switch as usize;
        let by_shaft = || {
            self.cams.get(at).copied().flatten().is_some_and(|cam| (cam.from..cam.to).contains(&self.shaft))
        };
        self.forced.get(at).copied().flatten().unwrap_or_else(by_shaft)
    }

    /// Injected: a switch is stuck at a level, or works again. The edge this makes, if any.
    pub(super) fn force(&mut self, switch: ShaftSwitch, level: Option<bool>, forwards: bool) -> Option<Edge> {
        let before = self.is_on(switch);
        if let Some(forced) = self.forced.get_mut(switch as usize) {
            *forced = level;
        }
        let rising = self.is_on(switch);
        (rising != before).then_some(Edge {
            signal: Signal::Switch(switch),
            rising,
            at: self.shaft,
            forwards,
        })
    }

    /// The shaft has turned to `to`: gives every edge on the way, in the order they were passed.
    pub(super) fn turn(&mut self, to: i64) -> impl Iterator<Item = Edge> + use<> {
        let from = std::mem::replace(&mut self.shaft, to);
        // Nearly every step passes none.
        let edges = if self.quiet.contains(&to) { None } else { Some(self.edges(from, to)) };
        edges.into_iter().flatten().flatten()
    }

    fn edges(&mut self, from: i64, to: i64) -> [Option<Edge>; EDGES_MAX] {
        let forwards = to > from;
        let passed = |border: i64| {
            if forwards { from < border && border <= to } else { to < border && border <= from }
        };
        let mut edges = [None; EDGES_MAX];
        let borders = ALL.iter().zip(self.cams).zip(self.forced).filter(|(_, forced)| forced.is_none());
        let found = borders
            .filter_map(|((switch, cam), _)| Some((Signal::Switch(*switch), cam?)))
            .flat_map(|(signal, cam)| [(signal, cam.from, forwards), (signal, cam.to, !forwards)])
            .chain([(Signal::Index, self.index_before(from.max(to)), true)])
            .filter(|(_, border, _)| passed(*border))
            .map(|(signal, at, rising)| Edge { signal, rising, at, forwards });
        for (slot, edge) in edges.iter_mut().zip(found) {
            *slot = Some(edge);
        }
        edges.sort_unstable_by_key(|edge| {
            edge.map_or(i64::MAX, |edge: Edge| if forwards { edge.at - from } else { from - edge.at })
        });
        let index = self.index_before(to);
        self.quiet = index..index + self.counts_per_turn;
        for border in self.cams.iter().flatten().flat_map(|cam| [cam.from, cam.to]) {
            if border <= to {
                self.quiet.start = self.quiet.start.max(border);
            } else {
                self.quiet.end = self.quiet.end.min(border);
            }
        }
        edges
    }

    /// The last index pulse at or before a place.
    fn index_before(&self, place: i64) -> i64 {
        let turns = (place - self.index_offset).div_euclid(self.counts_per_turn);
        self.index_offset + turns * self.counts_per_turn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signals() -> ShaftSignals {
        let home = Some(Cam { from: 100, to: 120 });
        ShaftSignals::new(&Switches { home, ..Switches::default() }, 1000, 110, 0)
    }

    #[test]
    fn edges_come_in_the_order_they_are_passed_at_the_same_places_both_ways() {
        let mut signals = signals();
        let there: Vec<_> = signals.turn(200).collect();
        assert_eq!(
            there.iter().map(|edge| (edge.at, edge.rising)).collect::<Vec<_>>(),
            [(100, true), (110, true), (120, false)]
        );
        let back: Vec<_> = signals.turn(0).collect();
        assert_eq!(
            back.iter().map(|edge| (edge.at, edge.rising)).collect::<Vec<_>>(),
            [(120, true), (110, true), (100, false)]
        );
        assert_eq!(back[1].signal, Signal::Index);
        assert!(back.iter().all(|edge| !edge.forwards));
    }

    #[test]
    fn small_steps_pass_the_same_edges_as_one_large_one() {
        let passed = |step: i64, to: i64| {
            let mut signals = signals();
            let ways = (1..=to / step).chain((-to / step..to / step).rev());
            let places = |edge: Edge| (edge.at, edge.rising, edge.signal);
            ways.flat_map(|way| signals.turn(way * step).map(places).collect::<Vec<_>>()).collect::<Vec<_>>()
        };
        let coarse = passed(1000, 2000);
        assert_eq!(coarse.len(), 10);
        for step in [1, 5, 20, 250] {
            assert_eq!(passed(step, 2000), coarse, "steps of {step}");
        }
    }

    #[test]
    fn a_switch_that_is_stuck_has_no_edges_until_it_works_again() {
        let mut signals = signals();
        assert!(signals.force(ShaftSwitch::Home, Some(false), true).is_none());
        assert_eq!(signals.turn(105).count(), 0);
        let edge = signals.force(ShaftSwitch::Home, None, true).unwrap();
        assert!(edge.rising && edge.at == 105 && signals.is_on(ShaftSwitch::Home));
    }
}
