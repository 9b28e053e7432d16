use motiond::boundary::boundary;
use motiond::boundary::command_queue::*;
use motiond::cli::assembly::Assembly;
use motiond::cli::simulated_link::*;
use motiond::fieldbus::*;
use motiond::machine::*;
use motiond::planning::*;
use motiond::realtime::cycle::Cycle;
use motiond::realtime::run_loop::RunLoop;
use motiond::joints::*;
use motiond::geometry::Pose;
use motiond::units::Ratio;
#[test]
fn early() {
    let assembly = Assembly::load(None).unwrap();
    let link = SimulatedLink::new(assembly.simulated_segment(1).unwrap(), Pace::Virtual);
    let bus = bring_up(FramePump::new(link, PumpSettings::SIMULATED), &assembly.bus_description());
    let bus = match bus { Ok(b) => b, Err(e) => panic!("{}", e.error) };
    let (rt, mut d) = boundary();
    let mut rl = RunLoop::new(bus, Cycle::new(assembly.cycle_settings().unwrap(), rt), assembly.process_data_map().unwrap());
    d.commands.push(StampedCommand { epoch: ControlEpoch(0), id: 1, command: Command::Enable }).unwrap();
    let mut last = None;
    while rl.state() != MachineState::Ready { rl.one_cycle(0); while let Some(s) = d.samples.pop() { last = Some(s); } }
    let q0 = last.unwrap().q_setpoint;
    let tool = assembly.cell.tools[0].x_flange_tool;
    let q1 = JointVector::from_slice(&[0.3, 0.2, 0.1, 0.2, -1.2, 0.5]).unwrap();
    let x1 = assembly.cell.model.chain.forward(&q1) * tool;
    let mut x2 = x1; x2.translation.vector.y -= 0.3;
    let mut via = x2; via.translation.vector.y -= 0.05; via.translation.vector.x += 0.05;
    let mut end = x2; end.translation.vector.x += 0.1;
    let program = Program { x_flange_tool: tool, steps: vec![
        Step { instruction: 0, kind: StepKind::MoveJoint { target: MoveTarget::Joints(q1), speed: Ratio::ONE, acceleration: Ratio::ONE } },
        Step { instruction: 1, kind: StepKind::MoveLinear { x_base_tool: x2, speed_m_s: 0.2, acceleration_m_s2: None, policy: SpeedPolicy::Adapt } },
        Step { instruction: 2, kind: StepKind::MoveCircular { via_in_base: via.translation.vector, x_base_tool: end, speed_m_s: 0.05, acceleration_m_s2: None, policy: SpeedPolicy::Adapt } },
    ]};
    let t = cell_limits(&assembly);
    let t0 = std::time::Instant::now();
    let plan = plan(&program, &assembly.cell.model.chain, &t, &q0).unwrap();
    println!("planned in {:?}: {:?} s", t0.elapsed(), plan.report.duration_s);
    for p in plan.pieces_of_run(RunTag(1), ControlEpoch(0)) { d.pieces.push(p).map_err(|_| ()).unwrap(); }
    d.commands.push(StampedCommand { epoch: ControlEpoch(0), id: 2, command: Command::Start(RunTag(1)) }).unwrap();
    let t = std::time::Instant::now();
    let mut n = 0; let mut acc = 0u128;
    loop {
        let ti = std::time::Instant::now(); rl.one_cycle(0); acc += ti.elapsed().as_nanos(); n += 1;
        while let Some(e) = d.events.pop() { println!("{e:?}"); }
        while let Some(s) = d.samples.pop() { if n % 1500 == 0 { println!("{n} {:?} s {:.4} v {:.4} err {:.2e}", s.state, s.s, s.speed, (s.q_setpoint - s.q_actual).max_abs()); } }
        if n > 10 && rl.state() != MachineState::Executing { break; }
    }
    println!("{n} cycles in {:?}, one_cycle {} ns", t.elapsed(), acc / n as u128);
    let _ : Option<Pose> = None;
}
fn cell_limits(a: &Assembly) -> Limits {
    let t = a.cell.tcp_limits;
    Limits { joints: a.cell.joint_limits, tool: ToolLimits { translation: RateLimits { speed: t.speed_max, acceleration: t.acceleration_max, jerk: t.jerk_max }, rotation: RateLimits { speed: t.orientation_speed_max, acceleration: t.orientation_acceleration_max, jerk: t.orientation_jerk_max } } }
}
