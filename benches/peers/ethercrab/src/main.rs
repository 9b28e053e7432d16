//! ethercrab as a controller that uses its own transmit task: brings all SubDevices to OP, then exchanges process
//! data once a cycle and prints how long each exchange took.
//!
//!     ethercrab-peer INTERFACE CYCLE_US CYCLES
//!
//! One line a cycle: nanoseconds, or `lost`. Priority and processor are those it is started with.

use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use ethercrab::std::{ethercat_now, tx_rx_task};
use ethercrab::{MainDevice, MainDeviceConfig, PduStorage, RetryBehaviour, Timeouts};

const FRAMES: usize = 16;
const PDU_BYTES: usize = PduStorage::element_size(1486);
const SUBDEVICES_MAX: usize = 32;
const PROCESS_IMAGE_MAX: usize = 4096;
/// Exchanges until all SubDevices must be in OP.
const CYCLES_TO_OP: u32 = 5_000;

static STORAGE: PduStorage<FRAMES, PDU_BYTES> = PduStorage::new();

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut next = |what| arguments.next().with_context(|| format!("argument {what} is missing"));
    let interface = next("INTERFACE")?;
    let cycle = Duration::from_micros(next("CYCLE_US")?.parse()?);
    let cycles: usize = next("CYCLES")?.parse()?;

    let (transmitter, receiver, pdu_loop) =
        STORAGE.try_split().map_err(|()| anyhow!("the storage is split once"))?;
    let config = MainDeviceConfig { dc_static_sync_iterations: 200, retry_behaviour: RetryBehaviour::None };
    let main_device = MainDevice::new(pdu_loop, Timeouts::default(), config);
    let task = tx_rx_task(&interface, transmitter, receiver)?;
    std::thread::spawn(move || {
        if let Err(error) = smol::block_on(task) {
            eprintln!("the transmit task has ended: {error}");
        }
    });
    for duration in smol::block_on(exchange(&main_device, cycle, cycles))? {
        match duration {
            Some(duration) => println!("{}", duration.as_nanos()),
            None => println!("lost"),
        }
    }
    Ok(())
}

async fn exchange(
    main_device: &MainDevice<'_>,
    cycle: Duration,
    cycles: usize,
) -> anyhow::Result<Vec<Option<Duration>>> {
    let group = main_device.init_single_group::<SUBDEVICES_MAX, PROCESS_IMAGE_MAX>(ethercat_now).await?;
    let group = group.into_safe_op(main_device).await?;
    let group = group.request_into_op(main_device).await?;
    let mut next = Instant::now();
    for attempt in 0.. {
        anyhow::ensure!(attempt < CYCLES_TO_OP, "the SubDevices do not get to OP");
        let response = group.tx_rx_sync_system_time(main_device).await?;
        if response.all_op() {
            break;
        }
        wait(&mut next, cycle);
    }
    let mut durations = Vec::with_capacity(cycles);
    for _ in 0..cycles {
        wait(&mut next, cycle);
        let begun = Instant::now();
        let result = group.tx_rx_sync_system_time(main_device).await;
        durations.push(result.ok().map(|_| begun.elapsed()));
    }
    Ok(durations)
}

/// Sleeps until the next cycle; cycles that have passed are left out.
fn wait(next: &mut Instant, cycle: Duration) {
    *next = (*next + cycle).max(Instant::now());
    std::thread::sleep(next.saturating_duration_since(Instant::now()));
}
