//! Touch probes: positions latched at edges of an input or at the index pulse (ETG.6010, objects 0x60B8 to 0x60BD).

use super::super::injection::ShaftSwitch;
use super::switches::{Edge, Signal};

/// Bits of 0x60B8 for probe 1; those of probe 2 lie eight higher.
const ENABLE: u16 = 1 << 0;
const CONTINUOUS: u16 = 1 << 1;
const BY_INDEX: u16 = 1 << 2;
const SAMPLE_POSITIVE: u16 = 1 << 4;
const SAMPLE_NEGATIVE: u16 = 1 << 5;
/// Bits of 0x60B9 for probe 1.
const ENABLED: u16 = 1 << 0;
const POSITIVE_STORED: u16 = 1 << 1;
const NEGATIVE_STORED: u16 = 1 << 2;

/// One probe.
#[derive(Clone, Copy, Debug, Default)]
struct Probe {
    function: u16,
    status: u16,
    positive: i32,
    negative: i32,
}

impl Probe {
    fn take_function(&mut self, function: u16) {
        let switched_on = function & !self.function & ENABLE != 0;
        self.function = function;
        if function & ENABLE == 0 {
            self.status = 0;
            return;
        }
        if switched_on {
            self.status = ENABLED;
        }
        // A bit that says "stored" goes when the edge is not wanted any more.
        for (sample, stored) in [(SAMPLE_POSITIVE, POSITIVE_STORED), (SAMPLE_NEGATIVE, NEGATIVE_STORED)] {
            if function & sample == 0 {
                self.status &= !stored;
            }
        }
    }

    fn latch(&mut self, rising: bool, position: i32) {
        let (sample, stored) =
            if rising { (SAMPLE_POSITIVE, POSITIVE_STORED) } else { (SAMPLE_NEGATIVE, NEGATIVE_STORED) };
        let is_wanted = self.function & (ENABLE | sample) == ENABLE | sample
            && (self.function & CONTINUOUS != 0 || self.status & stored == 0);
        if is_wanted {
            self.status |= stored;
            *(if rising { &mut self.positive } else { &mut self.negative }) = position;
        }
    }

    fn sees(&self, edge: &Edge, input: ShaftSwitch) -> bool {
        edge.signal == if self.function & BY_INDEX != 0 { Signal::Index } else { Signal::Switch(input) }
    }
}

/// Both probes of a drive.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TouchProbes([Probe; 2]);

impl TouchProbes {
    /// A new touch probe function (0x60B8).
    pub(super) fn take_function(&mut self, function: u16) {
        for (number, probe) in self.0.iter_mut().enumerate() {
            probe.take_function(function >> (8 * number) & 0xFF);
        }
    }

    /// An edge, with the position the drive shows there.
    pub(super) fn pass(&mut self, edge: &Edge, position: i32) {
        for (probe, input) in self.0.iter_mut().zip([ShaftSwitch::Probe1, ShaftSwitch::Probe2]) {
            if probe.sees(edge, input) {
                probe.latch(edge.rising, position);
            }
        }
    }

    /// Touch probe function, as received.
    pub(super) fn function(&self) -> u16 {
        self.0[0].function | self.0[1].function << 8
    }

    /// Touch probe status (0x60B9).
    pub(super) fn status(&self) -> u16 {
        self.0[0].status | self.0[1].status << 8
    }

    /// Position latched last by a probe (0, 1) at its positive or negative edge.
    pub(super) fn position(&self, probe: usize, rising: bool) -> i32 {
        self.0.get(probe).map_or(0, |probe| if rising { probe.positive } else { probe.negative })
    }
}
