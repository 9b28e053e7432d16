use motiond::boundary::boundary;
use motiond::boundary::command_queue::*;
use motiond::cli::assembly::Assembly;
use motiond::cli::simulated_link::*;
use motiond::fieldbus::*;
use motiond::machine::*;
use motiond::realtime::cycle::Cycle;
use motiond::realtime::run_loop::RunLoop;
#[test]
fn early() {
    let assembly = Assembly::load(None).unwrap();
    let t = std::time::Instant::now();
    let link = SimulatedLink::new(assembly.simulated_segment(1).unwrap(), Pace::Virtual);
    let bus = bring_up(FramePump::new(link, PumpSettings::SIMULATED), &assembly.bus_description());
    let bus = match bus { Ok(b) => b, Err(e) => panic!("{}", e.error) };
    println!("OP after {:?}", t.elapsed());
    let (rt, mut d) = boundary();
    let mut rl = RunLoop::new(bus, Cycle::new(assembly.cycle_settings().unwrap(), rt), assembly.process_data_map().unwrap());
    d.commands.push(StampedCommand { epoch: ControlEpoch(0), id: 1, command: Command::Enable }).unwrap();
    let t = std::time::Instant::now();
    for i in 0..20000 {
        rl.one_cycle(0);
        while let Some(e) = d.events.pop() { println!("{e:?}"); }
        let s = d.samples.pop();
        if i % 2500 == 0 { if let Some(s) = s { println!("{i} {:?} fresh {} qa {:?} set {:?} en {:b} ctr {:?} di {:b}", s.state, s.fresh, s.q_actual.as_slice(), s.q_setpoint.as_slice(), s.drives_enabled, s.counters, s.digital_inputs); } }
    }
    println!("20000 cycles in {:?}", t.elapsed());
}
