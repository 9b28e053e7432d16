//! Single cycles of the machine, looked at from outside: what the drives are told, in which cycle.
#![expect(clippy::tests_outside_test_module, reason = "an integration test binary is a test module")]
#![expect(clippy::unwrap_used, clippy::float_cmp, reason = "tests")]
#![expect(unreachable_pub, reason = "tests")]

mod bench;

use bench::{Bench, LIMIT, SAFE_OUTPUT, STOP_INPUT, radians};
use motiond::boundary::command_queue::Command;
use motiond::boundary::event_queue::{EventKind, Refusal, RunResult};
use motiond::boundary::phase_table::{Action, Actions, Phase, PhaseEnd, PhaseTable, Stage, Supervision};
use motiond::boundary::piece_queue::PieceKind;
use motiond::collision::{
    Area, AreaForm, AreaKind, AreaSubject, ArmCapsules, Capsule, Guard, GuardedArea, LinkCapsule,
};
use motiond::faults::{Fault, FaultCode};
use motiond::geometry::Pose;
use motiond::joints::JointVector;
use motiond::machine::{ControlEpoch, MachineState, RunTag};
use motiond::realtime::clearance::ToolGuard;
use motiond::units::Ratio;
use nalgebra::{Translation3, UnitQuaternion, Vector3};
use proptest::prelude::*;

fn first_fault(bench: &Bench) -> Option<Fault> {
    bench
        .events
        .iter()
        .find_map(|event| if let EventKind::Fault(fault) = event.kind { Some(fault) } else { None })
}

fn fault_of(bench: &Bench) -> Option<FaultCode> {
    first_fault(bench).map(|fault| fault.code)
}

proptest! {
    #[test]
    fn enabling_never_moves_a_drive_by_more_than_one_count(first in any::<i32>(), second in any::<i32>()) {
        let mut bench = Bench::at([first, second]);
        bench.command(Command::Enable);
        for _ in 0..100 {
            bench.step();
            for (drive, start) in bench.drives.iter().zip([first, second]) {
                let moved = drive.counts.wrapping_sub(start);
                prop_assert!((-1..=1).contains(&moved), "moved {moved} counts from {start}");
            }
        }
        prop_assert_eq!(bench.cycle.state(), MachineState::Ready);
    }

    #[test]
    fn hold_override_and_resume_at_any_cycle_keep_limits_and_path_and_lose_nothing(
        actions in prop::collection::vec((1_usize..120, 0_u8..4, 0.0_f64..=1.0), 1..20),
    ) {
        let mut bench = Bench::enabled();
        bench.push_move(RunTag(1), [0.0, 0.0], [1.5, -0.75]);
        bench.push_move(RunTag(1), [1.5, -0.75], [0.2, 0.4]);
        bench.push(RunTag(1), PieceKind::EndOfRun);
        bench.command(Command::Start(RunTag(1)));
        let mut setpoints = vec![bench.step().q_setpoint];
        let mut watch = |bench: &mut Bench, count: usize| {
            for _ in 0..count {
                let sample = bench.step();
                setpoints.push(sample.q_setpoint);
            }
        };
        for (count, action, ratio) in actions {
            match action {
                0 => { bench.command(Command::Hold); }
                1 => { bench.command(Command::Resume); }
                _ => { bench.command(Command::Override(Ratio::new(ratio).unwrap())); }
            }
            watch(&mut bench, count);
        }
        bench.command(Command::Override(Ratio::ONE));
        // Held or holding: go on. Otherwise the command is refused or changes nothing.
        bench.command(Command::Resume);
        watch(&mut bench, 6000);
        prop_assert_eq!(bench.cycle.state(), MachineState::Ready);
        prop_assert!(bench.has_event(|kind| *kind == EventKind::RunEnded(RunResult::Completed)));
        let end = setpoints.last().unwrap();
        prop_assert!((end.get(0) - 0.2).abs() < 1e-9 && (end.get(1) - 0.4).abs() < 1e-9);
        for window in setpoints.windows(3) {
            let speed = (window[2] - window[1]) * 1e3;
            let acceleration = (window[2] - window[1] * 2.0 + window[0]) * 1e6;
            prop_assert!(speed.max_abs() <= LIMIT.speed_max * (1.0 + 1e-9));
            prop_assert!(acceleration.max_abs() <= LIMIT.acceleration_max * (1.0 + 1e-6));
            // On one of the two straight lines in joint space.
            let (q1, q2) = (window[2].get(0), window[2].get(1));
            let first = (q2 + 0.5 * q1).abs();
            let second = (q2 + 0.75 - (q1 - 1.5) * (1.15 / -1.3)).abs();
            prop_assert!(first.min(second) < 1e-9, "off the path at {q1} {q2}");
        }
    }
}

/// The bench has brakes that take 20 ms to open and 10 ms to close.
#[test]
fn brakes_have_their_time_to_open_before_ready_and_to_close_before_disabled() {
    let mut bench = Bench::new();
    let cycles_until = |bench: &mut Bench, enabled: bool, state: MachineState, end: MachineState| {
        let mut cycles = 0;
        for _ in 0..200 {
            cycles +=
                usize::from(bench.drives.iter().all(|drive| (drive.statusword & 0x6F == 0x27) == enabled));
            let now = bench.step().state;
            if now == end {
                return cycles;
            }
            assert_eq!(now, state);
        }
        panic!("never {end:?}");
    };
    bench.command(Command::Enable);
    let opening = cycles_until(&mut bench, true, MachineState::Enabling, MachineState::Ready);
    assert!((20..=21).contains(&opening), "ready {opening} cycles after the drives are enabled");
    bench.command(Command::Disable);
    let closing = cycles_until(&mut bench, false, MachineState::Disabling, MachineState::Disabled);
    assert!((10..=11).contains(&closing), "off {closing} cycles after torque is");
}

#[test]
fn a_run_ends_where_it_should_and_the_machine_is_ready() {
    let mut bench = Bench::moving();
    let sample = bench.until(MachineState::Ready);
    assert!((sample.q_setpoint.get(0) - 1.0).abs() < 1e-12);
    bench.steps(5);
    assert!((f64::from(bench.drives[0].counts) - 1.0 / radians(1.0)).abs() <= 1.0);
    assert!(bench.has_event(|kind| *kind == EventKind::RunEnded(RunResult::Completed)));
}

#[test]
fn stop_ends_on_the_path_and_what_is_left_of_the_run_never_moves() {
    let mut bench = Bench::moving();
    bench.command(Command::Stop);
    let sample = bench.until(MachineState::Ready);
    assert!((sample.q_setpoint.get(1) - 0.5 * sample.q_setpoint.get(0)).abs() < 1e-12);
    assert!(sample.q_setpoint.get(0) < 1.0);
    assert!(bench.has_event(|kind| *kind == EventKind::RunEnded(RunResult::Stopped)));
    bench.steps(200);
    assert_eq!(bench.sample.unwrap().q_setpoint, sample.q_setpoint);
    // A new run from here is executed; leftovers of the old one are not.
    let here = [sample.q_setpoint.get(0), sample.q_setpoint.get(1)];
    bench.push_move(RunTag(2), here, [0.0, 0.0]);
    bench.push(RunTag(2), PieceKind::EndOfRun);
    bench.command(Command::Start(RunTag(2)));
    bench.until(MachineState::Executing);
    let end = bench.until(MachineState::Ready);
    assert!(end.q_setpoint.max_abs() < 1e-12);
}

#[test]
fn disable_while_moving_stops_on_the_path_before_torque_goes() {
    let mut bench = Bench::moving();
    bench.command(Command::Disable);
    bench.until(MachineState::Disabling);
    assert_eq!(bench.sample.unwrap().speed, 0.0);
    bench.until(MachineState::Disabled);
    assert_eq!(bench.drives[0].statusword & 0x6F, 0x40);
}

#[test]
fn commands_of_an_older_lease_are_refused_but_anybody_may_stop() {
    let mut bench = Bench::moving();
    bench.epoch = ControlEpoch(2);
    bench.command(Command::NewEpoch);
    bench.step();
    bench.epoch = ControlEpoch(1);
    let id = bench.command(Command::Override(Ratio::ZERO));
    bench.step();
    assert!(bench.has_event(|kind| *kind == EventKind::CommandRefused { id, refusal: Refusal::StaleEpoch }));
    bench.command(Command::Hold);
    bench.until(MachineState::Held);
    let id = bench.command(Command::Resume);
    bench.step();
    assert!(bench.has_event(|kind| *kind == EventKind::CommandRefused { id, refusal: Refusal::StaleEpoch }));
    bench.steps(50);
    assert_eq!(bench.cycle.state(), MachineState::Held);
}

#[test]
fn pieces_of_another_lease_do_not_move_the_arm() {
    let mut bench = Bench::enabled();
    bench.epoch = ControlEpoch(7);
    bench.push_move(RunTag(1), [0.0, 0.0], [1.0, 0.0]);
    bench.epoch = ControlEpoch(1);
    bench.command(Command::Start(RunTag(1)));
    bench.steps(200);
    assert_eq!(bench.sample.unwrap().q_setpoint.max_abs(), 0.0);
}

#[test]
fn a_run_that_starts_elsewhere_is_a_fault_and_nothing_moves() {
    let mut bench = Bench::enabled();
    bench.push_move(RunTag(1), [0.1, 0.0], [1.0, 0.0]);
    bench.command(Command::Start(RunTag(1)));
    bench.steps(200);
    assert_eq!(fault_of(&bench), Some(FaultCode::NotAtStart));
    assert_eq!(bench.sample.unwrap().q_setpoint.max_abs(), 0.0);
    // Acknowledged, stopped, and ready again.
    bench.command(Command::ResetFault);
    bench.command(Command::Stop);
    bench.until(MachineState::Ready);
}

/// The arm of the bench (two bars of 0.5 m in the plane, joints 0.5 m and 1 m along x) with its second bar as a
/// capsule that must stay below y = 0.6 m.
fn guarded_bench() -> Bench {
    let bar = Capsule { start: Vector3::zeros(), end: Vector3::new(0.5, 0.0, 0.0), radius_m: 0.05 };
    let arm = ArmCapsules::new(&[LinkCapsule { link: 2, capsule: bar }], &[]).unwrap();
    // z of the area looks along −y: everything beyond y = 0.6 is below its plane.
    let x_base_area = Pose::from_parts(
        Translation3::new(0.0, 0.6, 0.0),
        UnitQuaternion::from_axis_angle(&Vector3::x_axis(), std::f64::consts::FRAC_PI_2),
    );
    let area = Area::new(AreaKind::KeepOut, AreaForm::HalfSpace, &x_base_area);
    let areas = [GuardedArea { area, subject: AreaSubject::Arm }];
    let guard = Guard::new(arm, 1, &areas).unwrap();
    let mut bench = Bench::new();
    bench.cycle =
        bench.cycle.guarded(&[ToolGuard { x_flange_tool: Pose::identity(), guard, distance_min_m: 0.01 }]);
    bench.command(Command::Enable);
    bench.until(MachineState::Ready);
    bench
}

#[test]
fn a_setpoint_too_near_to_an_area_stops_the_arm_before_it_and_the_way_back_is_free() {
    let mut bench = guarded_bench();
    // The tip would swing up to y = 1.
    bench.push_move(RunTag(1), [0.0, 0.0], [1.5, 0.0]);
    bench.command(Command::Start(RunTag(1)));
    bench.until(MachineState::Fault);
    assert_eq!(fault_of(&bench), Some(FaultCode::TooNear));
    let q = bench.sample.unwrap().q_setpoint;
    let tip_y = |q: &JointVector| 0.5 * q.get(0).sin() + 0.5 * (q.get(0) + q.get(1)).sin();
    // It was stopped by its own deceleration limit: at most v²/2a + v·a/j further.
    assert!(tip_y(&q) > 0.54 && tip_y(&q) < 0.85, "{q:?}");
    bench.command(Command::ResetFault);
    bench.until(MachineState::Disabled);
    bench.command(Command::Enable);
    bench.until(MachineState::Ready);
    let q = bench.sample.unwrap().q_setpoint;
    bench.push_move(RunTag(2), [q.get(0), q.get(1)], [0.0, 0.0]);
    bench.push(RunTag(2), PieceKind::EndOfRun);
    bench.command(Command::Start(RunTag(2)));
    bench.until(MachineState::Executing);
    bench.until(MachineState::Ready);
    assert!(bench.sample.unwrap().q_setpoint.max_abs() < 1e-9);
}

#[test]
fn the_same_move_that_keeps_away_is_not_stopped() {
    let mut bench = guarded_bench();
    bench.push_move(RunTag(1), [0.0, 0.0], [0.4, 0.0]);
    bench.push(RunTag(1), PieceKind::EndOfRun);
    bench.command(Command::Start(RunTag(1)));
    bench.until(MachineState::Executing);
    bench.until(MachineState::Ready);
    assert_eq!(fault_of(&bench), None);
}

#[test]
fn a_drive_fault_stops_the_other_axis_at_its_deceleration_and_is_reset_only_on_command() {
    let mut bench = Bench::moving();
    let before = bench.sample.unwrap();
    bench.drives[0].faulted = true;
    bench.drives[0].error_code = 0x7500;
    bench.drives[0].statusword = 0x0218;
    let counts = bench.drives[0].counts;
    let mut last = before.q_setpoint.get(1);
    let mut last_speed = None;
    let mut cycles = 0;
    while bench.step().state == MachineState::FaultReaction {
        let sample = bench.sample.unwrap();
        let speed = (sample.q_setpoint.get(1) - last) * 1e3;
        if let Some(faster) = last_speed {
            assert!(speed <= faster + 1e-9, "axis 2 speeds up after a fault");
        }
        (last, last_speed) = (sample.q_setpoint.get(1), Some(speed));
        // The faulted axis is told to be where it is.
        assert_eq!(bench.outputs.drives[0].target_counts, counts);
        cycles += 1;
    }
    assert!(cycles > 10);
    assert_eq!(bench.cycle.state(), MachineState::Fault);
    assert_eq!(
        first_fault(&bench).map(|f| (f.code, f.place, f.value)),
        Some((FaultCode::DriveFault, Some(0), f64::from(0x7500)))
    );
    bench.steps(500);
    assert!(bench.drives[0].faulted, "reset without being asked");
    let refused = bench.command(Command::Enable);
    bench.step();
    assert!(bench.has_event(|kind| matches!(kind, EventKind::CommandRefused { id, .. } if *id == refused)));
    bench.command(Command::ResetFault);
    bench.until(MachineState::Disabled);
    bench.command(Command::Enable);
    bench.until(MachineState::Ready);
}

#[test]
fn a_drive_that_refuses_to_be_reset_keeps_the_machine_in_fault_and_says_so() {
    let mut bench = Bench::moving();
    bench.drives[1].faulted = true;
    bench.drives[1].error_code = 0xFFFF;
    bench.until(MachineState::Fault);
    let id = bench.command(Command::ResetFault);
    bench.steps(2500);
    assert!(
        bench.has_event(
            |kind| matches!(kind, EventKind::CommandRefused { id: refused, .. } if *refused == id)
        )
    );
    assert_eq!(bench.cycle.state(), MachineState::Fault);
}

#[test]
fn loss_of_voltage_makes_targets_follow_the_actual_position() {
    let mut bench = Bench::moving();
    for drive in &mut bench.drives {
        drive.has_voltage = false;
        drive.statusword = 0x0240;
    }
    bench.step();
    assert_eq!(fault_of(&bench), Some(FaultCode::DriveVoltageLost));
    for (drive, command) in bench.drives.iter().zip(&bench.outputs.drives) {
        assert_eq!(command.target_counts, drive.counts);
    }
    bench.until(MachineState::Fault);
}

#[test]
fn the_stop_input_stops_at_once_and_must_close_before_an_acknowledgement_works() {
    let mut bench = Bench::moving();
    bench.outputs.channels.apply(Action::Digital { channel: SAFE_OUTPUT, on: true });
    bench.channels.apply(Action::Digital { channel: STOP_INPUT, on: false });
    assert_eq!(bench.step().state, MachineState::FaultReaction);
    assert_eq!(fault_of(&bench), Some(FaultCode::StopInput));
    assert!(!bench.outputs.channels.is_on(SAFE_OUTPUT));
    bench.until(MachineState::Fault);
    bench.command(Command::ResetFault);
    bench.steps(2500);
    assert_eq!(bench.cycle.state(), MachineState::Fault);
    bench.channels.apply(Action::Digital { channel: STOP_INPUT, on: true });
    bench.command(Command::ResetFault);
    bench.until(MachineState::Disabled);
}

#[test]
fn three_lost_frames_do_not_disturb_the_path_and_four_stop_it_in_every_frame_that_follows() {
    let mut steady = Bench::moving();
    let mut disturbed = Bench::moving();
    let frame_lost = |bench: &mut Bench, lost: bool| {
        bench.exchange.received = !lost;
        bench.exchange.fresh_subdevices = if lost { 0 } else { 0b11 };
    };
    for cycle in 0..40 {
        frame_lost(&mut disturbed, (10..13).contains(&cycle));
        assert_eq!(steady.step().q_setpoint, disturbed.step().q_setpoint);
    }
    for cycle in 0..4 {
        frame_lost(&mut disturbed, true);
        let state = disturbed.step().state;
        assert_eq!(state == MachineState::FaultReaction, cycle == 3);
    }
    assert_eq!(fault_of(&disturbed), Some(FaultCode::FramesLost));
    for _ in 0..20 {
        assert_eq!(disturbed.outputs.drives[0].controlword & 0x06, 0x02, "quick stop in every frame");
        disturbed.step();
    }
}

#[test]
fn after_a_stall_the_first_frame_is_a_quick_stop_with_the_actual_position_as_target() {
    let mut bench = Bench::moving();
    bench.exchange.skipped_cycles = 30;
    let counts = bench.drives[0].counts;
    bench.step();
    assert_eq!(fault_of(&bench), Some(FaultCode::CycleStall));
    assert_eq!(bench.outputs.drives[0].controlword & 0x06, 0x02);
    assert!((bench.outputs.drives[0].target_counts - counts).abs() <= 1);
    bench.exchange.skipped_cycles = 0;
    bench.until(MachineState::Fault);
}

#[test]
fn a_stalled_axis_is_a_following_error() {
    let mut bench = Bench::moving();
    bench.drives[0].frozen = true;
    let mut cycles = 0;
    while fault_of(&bench).is_none() && cycles < 200 {
        bench.step();
        cycles += 1;
    }
    assert_eq!(fault_of(&bench), Some(FaultCode::FollowingError));
}

#[test]
fn an_encoder_jump_is_not_believed() {
    let mut bench = Bench::enabled();
    bench.drives[1].counts += 500_000;
    bench.step();
    assert_eq!(fault_of(&bench), Some(FaultCode::PositionJump));
}

const TORCH: u8 = 1;
const ARC_OK: u8 = 2;

fn table() -> PhaseTable {
    let on = |on| Actions::new(&[Action::Digital { channel: TORCH, on }]).unwrap();
    let phase = |number, stage, actions, end| Phase {
        number,
        stage,
        actions,
        end,
        timeout_s: 0.2,
        supervision: None,
    };
    let mut main = phase(2, Stage::During, Actions::default(), PhaseEnd::Path);
    main.timeout_s = 0.0;
    main.supervision = Some(Supervision { channel: ARC_OK, on: true, confirm_s: 0.005 });
    PhaseTable::new(
        3,
        on(false),
        &[
            phase(1, Stage::Before, on(true), PhaseEnd::Input { channel: ARC_OK, on: true, confirm_s: 0.01 }),
            main,
            phase(4, Stage::After, on(false), PhaseEnd::Elapsed(0.05)),
        ],
    )
    .unwrap()
}

fn seam() -> Bench {
    let mut bench = Bench::enabled();
    let run = RunTag(1);
    bench.push(run, PieceKind::ProcessStart(table()));
    bench.push_move(run, [0.0, 0.0], [1.0, 0.0]);
    bench.push(run, PieceKind::ProcessEnd);
    bench.push(run, PieceKind::EndOfRun);
    bench.command(Command::Start(run));
    bench
}

fn set_arc(bench: &mut Bench, on: bool) {
    bench.channels.apply(Action::Digital { channel: ARC_OK, on });
}

/// Every stop there is, on a seam under way.
#[test]
fn the_process_is_safe_in_the_cycle_of_the_first_stop_setpoint() {
    type Cause = fn(&mut Bench);
    let causes: [(&str, Cause); 6] = [
        ("hold", |bench| {
            bench.command(Command::Hold);
        }),
        ("stop", |bench| {
            bench.command(Command::Stop);
        }),
        ("disable", |bench| {
            bench.command(Command::Disable);
        }),
        ("drive fault", |bench| {
            bench.drives[1].faulted = true;
            bench.drives[1].statusword = 0x0218;
        }),
        ("stop input", |bench| bench.channels.apply(Action::Digital { channel: STOP_INPUT, on: false })),
        ("stall", |bench| bench.exchange.skipped_cycles = 10),
    ];
    for (name, cause) in causes {
        let mut bench = seam();
        set_arc(&mut bench, true);
        bench.steps(400);
        let before = bench.sample.unwrap();
        assert!(bench.outputs.channels.is_on(TORCH) && before.speed > 0.1, "{name}: {before:?}");
        cause(&mut bench);
        let after = bench.step();
        assert!(after.state != MachineState::Executing, "{name}");
        assert!(!bench.outputs.channels.is_on(TORCH), "{name}: torch on in the cycle of the stop");
        bench.steps(300);
        assert!(!bench.outputs.channels.is_on(TORCH), "{name}: torch on again");
    }
}

#[test]
fn an_arc_that_never_comes_holds_the_path_and_can_be_tried_again_after_acknowledgement() {
    let mut bench = seam();
    bench.until(MachineState::Held);
    assert_eq!(fault_of(&bench), Some(FaultCode::PhaseTimeout));
    assert_eq!(bench.sample.unwrap().q_setpoint.max_abs(), 0.0);
    let id = bench.command(Command::Resume);
    bench.step();
    assert!(
        bench.has_event(
            |kind| matches!(kind, EventKind::CommandRefused { id: refused, .. } if *refused == id)
        )
    );
    set_arc(&mut bench, true);
    bench.command(Command::ResetFault);
    bench.command(Command::Resume);
    bench.until(MachineState::Ready);
    assert!(bench.has_event(|kind| *kind == EventKind::RunEnded(RunResult::Completed)));
    assert!(bench.has_event(|kind| *kind == EventKind::ProcessEnded { table: 3 }));
}

#[test]
fn an_arc_that_goes_out_holds_the_path_and_the_seam_goes_on_where_it_stopped() {
    let mut bench = seam();
    set_arc(&mut bench, true);
    bench.steps(400);
    set_arc(&mut bench, false);
    let held = bench.until(MachineState::Held);
    assert_eq!(fault_of(&bench), Some(FaultCode::ProcessLost));
    assert!(!bench.outputs.channels.is_on(TORCH));
    bench.command(Command::ResetFault);
    bench.command(Command::Resume);
    bench.steps(3);
    assert!(bench.outputs.channels.is_on(TORCH), "ignites again");
    bench.steps(20);
    assert_eq!(bench.sample.unwrap().q_setpoint, held.q_setpoint, "does not move before the arc is there");
    set_arc(&mut bench, true);
    bench.until(MachineState::Ready);
    assert!((bench.sample.unwrap().q_setpoint.get(0) - 1.0).abs() < 1e-9);
}

#[test]
fn a_segment_that_leads_nowhere_is_stopped_inside_the_limits_and_never_by_a_step() {
    for bad in [f64::NAN, f64::INFINITY, 1e308] {
        let mut bench = Bench::enabled();
        bench.push_move(RunTag(1), [0.0, 0.0], [bad, 0.0]);
        bench.push(RunTag(1), PieceKind::EndOfRun);
        bench.command(Command::Start(RunTag(1)));
        let mut before = 0;
        for _ in 0..5000 {
            bench.step();
            let counts = bench.drives[0].counts;
            assert!(radians(f64::from(counts - before)).abs() <= LIMIT.speed_max * 1e-3 * 1.03, "{bad}");
            assert!(radians(f64::from(counts)) <= LIMIT.position_max, "{bad}");
            before = counts;
        }
        assert!(fault_of(&bench).is_some(), "{bad} went unnoticed");
    }
}

#[test]
fn without_its_daemon_the_arm_stops_on_its_path_and_switches_off() {
    let mut bench = Bench::moving();
    bench.lose_daemon();
    let mut last = f64::from(bench.drives[0].counts);
    let mut last_step = f64::INFINITY;
    let mut cycles = 0;
    while bench.step_alone() != MachineState::Disabled {
        let counts = f64::from(bench.drives[0].counts);
        let step = counts - last;
        assert!(step >= -1.0 && radians(step - last_step) <= LIMIT.acceleration_max * 1e-6 + 1e-6, "{step}");
        (last, last_step) = (counts, step);
        cycles += 1;
        assert!(cycles < 3000, "never at rest: {:?}", bench.cycle.state());
    }
    assert!(radians(last) < 0.99, "it went on to the end");
    assert_eq!(bench.drives[0].statusword & 0x6F, 0x40);
}
