//! The report of a run in words, as `demo` and `simulate` print it.

use std::fmt::Write as _;

use crate::telemetry::report::Report;

/// The report as lines of text.
#[must_use]
pub fn report_text(report: &Report) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        // Writing to a string does not fail.
        let _written = writeln!(text, "{name:<28} {value}");
    };
    line("result", report.result.to_owned());
    line("duration", format!("{:.3} s", report.duration_s));
    line("arc on", format!("{:.3} s, {:.1} mm", report.arc_on_s, report.arc_length_mm));
    if let Some(deviation) = &report.path_deviation_mm {
        line("path deviation", format!("mean {:.4} mm, max {:.4} mm", deviation.mean, deviation.max));
    }
    if let Some(deviation) = &report.seam_deviation_mm {
        line("  on the seams", format!("mean {:.4} mm, max {:.4} mm", deviation.mean, deviation.max));
    }
    if let Some(lag) = &report.servo_lag_ms {
        line("  time shift of the servos", format!("mean {:.2} ms, max {:.2} ms", lag.mean, lag.max));
    }
    if let Some(speed) = &report.tcp_speed_mm_s {
        line(
            "TCP speed on the seams",
            format!("min {:.3}, mean {:.3}, max {:.3} mm/s", speed.min, speed.mean, speed.max),
        );
    }
    line(
        "cycles",
        format!(
            "{} run, {} frames lost, {} late, {} working-counter errors",
            report.cycles, report.lost_frames, report.late_cycles, report.wkc_errors
        ),
    );
    line("heap allocations in cycles", report.heap_allocations_in_cycle.to_string());
    if report.dropped_samples > 0 {
        line("samples not seen", report.dropped_samples.to_string());
    }
    if let Some(factor) = report.realtime_factor {
        line("times real time", format!("{factor:.1}"));
    }
    for fault in &report.faults {
        line("fault", format!("{} {}", fault.code, fault.message));
        line("  where", fault.place.clone().unwrap_or_else(|| "-".to_owned()));
        if let Some(value) = &fault.value {
            line("  value", value.clone());
        }
        if let Some(limit) = &fault.limit {
            line("  limit", limit.clone());
        }
        line("  cause", fault.cause.clone());
        line("  remedy", fault.remedy.clone());
    }
    text.trim_end().to_owned()
}
