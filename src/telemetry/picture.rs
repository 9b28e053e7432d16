//! The picture of a run: programmed and driven path from above and from the side, and the speed of the
//! tool over time, as one SVG. Its memory is bounded whatever the run's length: points are thinned out as
//! they become too many.

use std::fmt::Write as _;

use nalgebra::Point3;

use super::measured_path::tool_position;
use crate::kinematics::Chain;
use crate::trajectory::Segment;
use crate::trajectory::path::Path;

/// Points of each path that are kept.
const POINTS_MAX: usize = 8192;
/// Time slices of the speed chart that are kept.
const SLICES_MAX: usize = 2048;
/// Width of a slice at first, s.
const SLICE_S: f64 = 0.01;
/// Points drawn on an arc or a joint motion.
const BENT_POINTS: u32 = 48;

/// A list that drops every second entry, and then takes only every second new one, whenever it is full.
#[derive(Clone, Debug)]
struct Thinned<T> {
    kept: Vec<T>,
    every: u64,
    seen: u64,
    newest: Option<T>,
}

impl<T: Copy> Default for Thinned<T> {
    fn default() -> Self {
        Self { kept: Vec::new(), every: 1, seen: 0, newest: None }
    }
}

impl<T: Copy> Thinned<T> {
    fn push(&mut self, value: T) {
        if self.seen.is_multiple_of(self.every) {
            if self.kept.len() == POINTS_MAX {
                let mut position = 0_usize;
                self.kept.retain(|_| {
                    position += 1;
                    position % 2 == 1
                });
                self.every *= 2;
            }
            if self.seen.is_multiple_of(self.every) {
                self.kept.push(value);
            }
        }
        self.seen += 1;
        self.newest = Some(value);
    }

    fn iter(&self) -> impl Iterator<Item = &T> {
        // The end is drawn even when it would be thinned out.
        self.kept.iter().chain(&self.newest)
    }
}

#[derive(Clone, Copy, Debug)]
struct PathMark {
    /// m, base frame.
    at: Point3<f64>,
    under_process: bool,
}

#[derive(Clone, Copy, Debug)]
struct Slice {
    slowest_m_s: f64,
    fastest_m_s: f64,
    under_process: bool,
    arc: bool,
    filled: bool,
}

const EMPTY: Slice =
    Slice { slowest_m_s: f64::MAX, fastest_m_s: 0.0, under_process: false, arc: false, filled: false };

/// What the picture is made of.
#[derive(Clone, Debug)]
pub struct PictureData {
    programmed: Thinned<PathMark>,
    driven: Thinned<PathMark>,
    slices: Vec<Slice>,
    slice_s: f64,
}

impl Default for PictureData {
    fn default() -> Self {
        Self {
            programmed: Thinned::default(),
            driven: Thinned::default(),
            slices: Vec::new(),
            slice_s: SLICE_S,
        }
    }
}

impl PictureData {
    /// Adds a programmed segment.
    pub fn programmed(&mut self, segment: &Segment, chain: &Chain, under_process: bool) {
        let parts = if matches!(segment.path, Path::Line(_)) { 1 } else { BENT_POINTS };
        for part in 0..=parts {
            let s = segment.path.length() * f64::from(part) / f64::from(parts);
            self.programmed.push(PathMark { at: tool_position(segment, chain, s).into(), under_process });
        }
    }

    /// Adds a measured point of the tool (m, base frame), `time_s` after the start.
    pub fn driven(
        &mut self,
        time_s: f64,
        at: &Point3<f64>,
        under_process: bool,
        arc: bool,
        speed_m_s: Option<f64>,
    ) {
        self.driven.push(PathMark { at: *at, under_process });
        let Some(speed_m_s) = speed_m_s.filter(|speed| speed.is_finite()) else { return };
        while time_s >= self.slice_s * f64::from(u32::try_from(SLICES_MAX).unwrap_or(u32::MAX)) {
            self.slices = self.slices.chunks(2).map(merged).collect();
            self.slice_s *= 2.0;
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "within 0..SLICES_MAX by the loop above; a cast saturates"
        )]
        let index = (time_s / self.slice_s) as usize;
        if index >= self.slices.len() {
            self.slices.resize(index.min(SLICES_MAX) + 1, EMPTY);
        }
        if let Some(slice) = self.slices.get_mut(index) {
            slice.slowest_m_s = slice.slowest_m_s.min(speed_m_s);
            slice.fastest_m_s = slice.fastest_m_s.max(speed_m_s);
            slice.under_process |= under_process;
            slice.arc |= arc;
            slice.filled = true;
        }
    }

    /// The picture as SVG, with `title` above.
    #[must_use]
    pub fn svg(&self, title: &str) -> String {
        let mut svg = String::with_capacity(512 * 1024);
        svg.push_str(HEAD);
        let _ = writeln!(svg, "<text x=\"24\" y=\"34\" class=\"title\">{}</text>", escaped(title));
        svg.push_str(LEGEND);
        self.view(&mut svg, "from above", ("x, mm", "y, mm"), Frame::new(70.0, 90.0, 500.0, 400.0), |at| {
            (at.x * 1e3, at.y * 1e3)
        });
        self.view(
            &mut svg,
            "from the side",
            ("x, mm", "z, mm"),
            Frame::new(670.0, 90.0, 500.0, 400.0),
            |at| (at.x * 1e3, at.z * 1e3),
        );
        let fastest = |process_only: bool| {
            let shown =
                self.slices.iter().filter(|slice| slice.filled && (slice.under_process || !process_only));
            shown.fold(0.0_f64, |fastest, slice| fastest.max(slice.fastest_m_s))
        };
        let whole = Frame::new(70.0, 580.0, 1100.0, 170.0);
        self.speed_chart(&mut svg, "speed of the tool", &whole, fastest(false));
        if fastest(true) > 0.0 {
            // Between two seams the arm is often a hundred times faster than on them.
            let seams = Frame::new(70.0, 840.0, 1100.0, 170.0);
            self.speed_chart(&mut svg, "speed of the tool, scale of the seams", &seams, fastest(true));
        }
        svg.push_str("</svg>\n");
        svg
    }

    fn view(
        &self,
        svg: &mut String,
        name: &str,
        (across, up): (&str, &str),
        frame: Frame,
        project: impl Fn(&Point3<f64>) -> (f64, f64),
    ) {
        let points = || self.programmed.iter().chain(self.driven.iter()).map(|mark| project(&mark.at));
        let range = |values: &mut dyn Iterator<Item = f64>| {
            values.fold((f64::MAX, f64::MIN), |(min, max), value| (min.min(value), max.max(value)))
        };
        let x = range(&mut points().map(|(x, _)| x));
        let y = range(&mut points().map(|(_, y)| y));
        // Equal scales in both directions, so that an arc looks like one.
        let (x, y) = if x.0 > x.1 { ((0.0, 1.0), (0.0, 1.0)) } else { equal_scales(x, y, &frame) };
        let plane = Plane { frame, x, y };
        plane.axes(svg, name, across, up);
        polyline(svg, &plane, self.programmed.iter().copied(), &project, ("programmed", "seam"));
        polyline(svg, &plane, self.driven.iter().copied(), &project, ("driven", "driven"));
    }

    fn speed_chart(&self, svg: &mut String, name: &str, frame: &Frame, fastest: f64) {
        let end_s = self.slice_s * f64::from(u32::try_from(self.slices.len()).unwrap_or(u32::MAX)).max(1.0);
        let plane = Plane { frame: *frame, x: (0.0, end_s), y: (0.0, (fastest * 1e3 * 1.2).max(1.0)) };

        let mut arc_from = None;
        let times = (0_u32..).map(|index| f64::from(index) * self.slice_s);
        let closing = [(end_s, EMPTY)];
        for (time_s, slice) in times.zip(self.slices.iter().copied()).chain(closing) {
            match (arc_from, slice.arc) {
                (None, true) => arc_from = Some(time_s),
                (Some(from), false) => {
                    let (left, right) = (plane.across(from), plane.across(time_s));
                    let _ = writeln!(
                        svg,
                        "<rect class=\"arc\" x=\"{left:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\"/>",
                        frame.top,
                        right - left,
                        frame.height
                    );
                    arc_from = None;
                }
                (None, false) | (Some(_), true) => {}
            }
        }
        plane.axes(svg, name, "time, s", "mm/s");
        // One band from the slowest to the fastest speed of each slice: nothing is hidden by thinning.
        let filled = || {
            (0_u32..)
                .map(|index| (f64::from(index) + 0.5) * self.slice_s)
                .zip(&self.slices)
                .filter(|(_, slice)| slice.filled)
        };
        // What is faster than the chart shows leaves it at the top edge.
        let up = |speed_m_s: f64| plane.up(speed_m_s * 1e3).max(frame.top);
        let mut band = String::new();
        for (time_s, slice) in filled() {
            let _ = write!(band, "{:.1},{:.1} ", plane.across(time_s), up(slice.fastest_m_s));
        }
        let mut back = String::new();
        for (time_s, slice) in filled().collect::<Vec<_>>().into_iter().rev() {
            let _ = write!(back, "{:.1},{:.1} ", plane.across(time_s), up(slice.slowest_m_s));
        }
        let _ = writeln!(svg, "<polygon class=\"speed\" points=\"{band}{}\"/>", back.trim_end());
    }
}

fn merged(pair: &[Slice]) -> Slice {
    pair.iter().fold(EMPTY, |all, slice| Slice {
        slowest_m_s: all.slowest_m_s.min(slice.slowest_m_s),
        fastest_m_s: all.fastest_m_s.max(slice.fastest_m_s),
        under_process: all.under_process || slice.under_process,
        arc: all.arc || slice.arc,
        filled: all.filled || slice.filled,
    })
}

/// A rectangle of the page, in pixels.
#[derive(Clone, Copy, Debug)]
struct Frame {
    left: f64,
    top: f64,
    width: f64,
    height: f64,
}

impl Frame {
    const fn new(left: f64, top: f64, width: f64, height: f64) -> Self {
        Self { left, top, width, height }
    }
}

/// A rectangle of the page with what its edges mean.
#[derive(Clone, Copy, Debug)]
struct Plane {
    frame: Frame,
    x: (f64, f64),
    y: (f64, f64),
}

impl Plane {
    fn across(&self, x: f64) -> f64 {
        self.frame.left + (x - self.x.0) / (self.x.1 - self.x.0) * self.frame.width
    }

    fn up(&self, y: f64) -> f64 {
        self.frame.top + self.frame.height - (y - self.y.0) / (self.y.1 - self.y.0) * self.frame.height
    }

    fn axes(&self, svg: &mut String, name: &str, across: &str, up: &str) {
        let Frame { left, top, width, height } = self.frame;
        let (bottom, right) = (top + height, left + width);
        let _ = write!(
            svg,
            "<text x=\"{left}\" y=\"{:.1}\" class=\"name\">{name}</text>\n\
             <rect class=\"frame\" x=\"{left}\" y=\"{top}\" width=\"{width}\" height=\"{height}\"/>\n",
            top - 12.0
        );
        for tick in ticks(self.x, 6.0) {
            let x = self.across(tick);
            let _ = writeln!(
                svg,
                "<line class=\"grid\" x1=\"{x:.1}\" y1=\"{top}\" x2=\"{x:.1}\" y2=\"{bottom}\"/>\
                 <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
                bottom + 18.0,
                label(tick)
            );
        }
        for tick in ticks(self.y, 5.0) {
            let y = self.up(tick);
            let _ = writeln!(
                svg,
                "<line class=\"grid\" x1=\"{left}\" y1=\"{y:.1}\" x2=\"{right}\" y2=\"{y:.1}\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                left - 8.0,
                y + 4.0,
                label(tick)
            );
        }
        let _ = write!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{across}</text>\n\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{up}</text>\n",
            left + 0.5 * width,
            bottom + 38.0,
            left - 8.0,
            top - 12.0
        );
    }
}

/// Round numbers in a range, about `wanted` of them.
fn ticks((min, max): (f64, f64), wanted: f64) -> Vec<f64> {
    let rough = (max - min) / wanted;
    if !(rough.is_finite() && rough > 0.0) {
        return Vec::new();
    }
    let power = 10.0_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|factor| factor * power).find(|step| *step >= rough);
    let step = step.unwrap_or(10.0 * power);
    let mut ticks = Vec::new();
    let mut tick = (min / step).ceil();
    while tick * step <= max && ticks.len() < 20 {
        ticks.push(tick * step);
        tick += 1.0;
    }
    ticks
}

fn label(value: f64) -> String {
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.replace('-', "−") }
}

/// Ranges of equal scale that hold both, with a margin.
fn equal_scales(x: (f64, f64), y: (f64, f64), frame: &Frame) -> ((f64, f64), (f64, f64)) {
    let per_pixel = ((x.1 - x.0) / frame.width).max((y.1 - y.0) / frame.height).max(0.01) * 1.12;
    let around = |range: (f64, f64), pixels: f64| {
        let (middle, half) = (0.5 * (range.0 + range.1), 0.5 * per_pixel * pixels);
        (middle - half, middle + half)
    };
    (around(x, frame.width), around(y, frame.height))
}

/// Draws marks as lines, one for each stretch with or without process.
fn polyline(
    svg: &mut String,
    plane: &Plane,
    marks: impl Iterator<Item = PathMark>,
    project: impl Fn(&Point3<f64>) -> (f64, f64),
    (plain, process): (&str, &str),
) {
    let mut last: Option<(bool, String)> = None;
    for mark in marks {
        let (x, y) = project(&mark.at);
        let at = format!("{:.1},{:.1}", plane.across(x), plane.up(y));
        match &last {
            // Thinned points often fall on the same pixel.
            Some((_, before)) if *before == at => continue,
            Some((under_process, _)) if *under_process == mark.under_process => {
                let _ = write!(svg, " {at}");
            }
            Some((_, before)) => {
                let class = if mark.under_process { process } else { plain };
                let _ = write!(svg, "\"/>\n<polyline class=\"{class}\" points=\"{before} {at}");
            }
            None => {
                let class = if mark.under_process { process } else { plain };
                let _ = write!(svg, "<polyline class=\"{class}\" points=\"{at}");
            }
        }
        last = Some((mark.under_process, at));
    }
    if last.is_some() {
        svg.push_str("\"/>\n");
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

const HEAD: &str = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 1200 1070\" width=\"1200\" height=\"1070\">\n\
<style>\n\
text { font: 12px sans-serif; fill: #222; }\n\
.title { font-size: 20px; font-weight: bold; }\n\
.name { font-size: 14px; font-weight: bold; }\n\
.frame { fill: none; stroke: #555; }\n\
.grid { stroke: #ddd; }\n\
polyline { fill: none; stroke-linejoin: round; stroke-linecap: round; }\n\
.programmed { stroke: #b0b7c0; stroke-width: 4; }\n\
.seam { stroke: #f0913a; stroke-width: 7; }\n\
.driven { stroke: #1747a6; stroke-width: 1.3; }\n\
.speed { fill: #1747a6; stroke: #1747a6; stroke-width: 1; }\n\
.arc { fill: #fbe3c8; }\n\
</style>\n\
<rect width=\"1200\" height=\"1070\" fill=\"#fff\"/>\n";

const LEGEND: &str = "<polyline class=\"programmed\" points=\"640,28 680,28\"/><text x=\"688\" y=\"32\">programmed</text>\n\
<polyline class=\"seam\" points=\"780,28 820,28\"/><text x=\"828\" y=\"32\">seam</text>\n\
<polyline class=\"driven\" points=\"880,28 920,28\"/><text x=\"928\" y=\"32\">driven</text>\n\
<rect class=\"arc\" x=\"990\" y=\"18\" width=\"40\" height=\"18\"/><text x=\"1038\" y=\"32\">arc burns</text>\n";
