//! The reaction audit: what a drive must do when something goes wrong is written, read back, and OP refused when it
//! stays otherwise.

use motiond::bus_health::reaction::{Reaction, ReactionRule};
use motiond::fieldbus::mailbox::{MailboxEvent, Request};
use motiond::fieldbus::{BringUpError, BusDescription, bring_up};
use motiond::simulator::AlState;
use motiond::units::Nanoseconds;

use crate::segment_link::{description, pump_on, segment};

const QUICK_STOP_OPTION: u16 = 0x605A;
const FAULT_REACTION_OPTION: u16 = 0x605E;

fn with(position: usize, index: u16, rule: ReactionRule) -> BusDescription {
    let mut wanted = description();
    wanted.devices[position].reactions = vec![Reaction { index, subindex: 0, rule }];
    wanted
}

#[test]
fn a_reaction_that_is_another_one_is_written_before_op() {
    let mut bus = bring_up(pump_on(segment()), &with(2, QUICK_STOP_OPTION, ReactionRule::Equal(6)))
        .unwrap_or_else(|failure| panic!("{}", failure.error));
    let request = Request::Upload { index: QUICK_STOP_OPTION, subindex: 0, complete: false };
    bus.begin_mailbox(2, request, &[], Nanoseconds(1_000_000_000)).expect("nothing is under way");
    let result = (0..100).find_map(|_| {
        let start = bus.wait_for_cycle();
        bus.exchange(start.planned.plus(Nanoseconds(800_000)));
        match bus.mailbox_step(start.planned.plus(Nanoseconds(900_000))) {
            MailboxEvent::Done(result) => Some(result),
            MailboxEvent::Nothing | MailboxEvent::Emergency(_) => None,
        }
    });
    assert_eq!((result, &bus.mailbox_data()[..2]), (Some(Ok(2)), &[6, 0][..]));
}

#[test]
fn op_is_refused_when_a_drive_keeps_another_reaction_or_has_none_and_both_values_are_named() {
    // Out of the range the drive takes; an object it does not have.
    for (index, found, words) in
        [(FAULT_REACTION_OPTION, Some(2), "must be 9, is 2"), (0x5FFF, None, "must be 9, the drive has no")]
    {
        let failure = bring_up(pump_on(segment()), &with(4, index, ReactionRule::Equal(9)))
            .map(drop)
            .expect_err("it must not come up");
        let text = failure.error.to_string();
        let BringUpError::Reaction { position, index: named, wanted, found: is, .. } = failure.error else {
            panic!("{text}")
        };
        assert_eq!((position, named, wanted, is), (4, index, 9, found));
        assert!(text.contains("position 4") && text.contains(&format!("{index:#06x}:00")), "{text}");
        assert!(text.contains(words) && text.contains("[reactions]"), "{text}");
        // Nothing is driven: no device has gone beyond PRE-OP.
        let segment = &failure.pump.link().segment;
        assert!(!(0..8).any(|at| {
            let state = segment.device(at).expect("eight devices").al_status.state;
            matches!(state, AlState::SafeOp | AlState::Op)
        }));
    }
}

#[test]
fn an_optional_limit_may_be_missing() {
    assert!(bring_up(pump_on(segment()), &with(1, 0x10F1, ReactionRule::AtMost(30))).is_ok());
}
