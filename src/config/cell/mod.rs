//! The valid cell: everything the daemon knows about one robot and what is around it, in SI units.
//! Made only by [`read_cell`], which reports every mistake of the file at once.

mod collision;
mod coupling;
mod dynamics;
mod io;
mod link;
mod mastering;
mod robot;
mod simulation;
mod subdevice;
mod tools;
mod welding;

pub use collision::{CollisionSettings, NamedGuard};
pub use coupling::Coupling;
pub use dynamics::{FeedForward, TorqueLimits};
pub use io::{AnalogChannel, AnalogScaling, DigitalChannel, IoMap, full_scale};
pub use link::{DistributedClock, Link, LinkKind, RealtimeSettings, Sockets};
pub use mastering::WithoutRecord;
pub use robot::{Robot, RobotSource, TcpLimits};
pub use simulation::{SimulatedDrive, SimulatedPowerSource, Simulation};
pub(in crate::config) use subdevice::read_startup;
pub use subdevice::{DeviceType, Drive, SdoValue, StartupSdo, SubDevice};
pub use tools::{Tool, WorkObject};
pub use welding::WeldingBinding;

use super::document::{Node, Range, Table, Value, listed};
use super::kinematic_model::KinematicModel;
use super::problem::{Problem, Problems};
use crate::devices::DrivePlace;
use crate::joints::{JointLimits, MAX_JOINTS};

/// The only format of a cell file so far.
pub const FORMAT_VERSION: i64 = 1;

/// One robot cell. Constant after start.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// Name, as an identifier.
    pub name: String,
    /// Which robot stands in it.
    pub robot: Robot,
    /// Its model: chain, names, masses.
    pub model: KinematicModel,
    /// What each joint may do in this cell: the model's limits or narrower ones.
    pub joint_limits: JointLimits,
    /// How the drives are reached.
    pub link: Link,
    /// How the real-time thread runs.
    pub realtime: RealtimeSettings,
    /// What answers on the bus, in bus order.
    pub subdevices: Vec<SubDevice>,
    /// Between drives and joints.
    pub coupling: Coupling,
    /// Limits of the tool centre point.
    pub tcp_limits: TcpLimits,
    /// What the arm keeps away from; `None`: nothing is looked at.
    pub collision: Option<CollisionSettings>,
    /// Tools.
    pub tools: Vec<Tool>,
    /// Work objects.
    pub work_objects: Vec<WorkObject>,
    /// Every input and output channel of the cell.
    pub io: IoMap,
    /// Digital input that is on while the emergency-stop chain is closed; `None`: there is none.
    pub stop_input: Option<u8>,
    /// Where the welding power source is connected; `None`: the cell cannot weld.
    pub welding: Option<WeldingBinding>,
    /// What the offsets of this file are worth when there is no record of a mastering.
    pub without_record: WithoutRecord,
    /// What the drives are told beside positions.
    pub feed_forward: FeedForward,
    /// Where clients connect.
    pub sockets: Sockets,
    /// Data sets of processes that jobs refer to by name.
    pub schedules: Vec<Schedule>,
    /// What the simulated segment is like.
    pub simulation: Simulation,
}

/// A named data set of an application process: one file in `config/processes/`.
///
/// Kept as written; what its keys mean is known to the process alone, see `processes`.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    /// Its name: that of the file, without extension.
    pub name: String,
    /// The process it belongs to, for example `weld`.
    pub process: String,
    /// The data as written.
    pub data: Node,
}

impl Cell {
    /// Number of joints.
    #[must_use]
    pub const fn joint_count(&self) -> usize {
        self.coupling.len()
    }

    /// The drive of each joint with its place on the bus, joint 1 first.
    #[must_use]
    pub fn drives(&self) -> Vec<(DrivePlace, &Drive)> {
        let mut drives: Vec<_> = self
            .subdevices
            .iter()
            .enumerate()
            .flat_map(|(position, subdevice)| subdevice.drives.iter().map(move |drive| (position, drive)))
            .map(|(position, drive)| (DrivePlace { subdevice: position, axis: drive.axis }, drive))
            .collect();
        drives.sort_by_key(|(_, drive)| drive.joint);
        drives
    }

    /// The tool of that name.
    #[must_use]
    pub fn tool(&self, name: &str) -> Option<&Tool> {
        self.tools.iter().find(|tool| tool.name == name)
    }

    /// The work object of that name.
    #[must_use]
    pub fn work_object(&self, name: &str) -> Option<&WorkObject> {
        self.work_objects.iter().find(|object| object.name == name)
    }

    /// The data set of that name and process.
    #[must_use]
    pub fn schedule(&self, process: &str, name: &str) -> Option<&Schedule> {
        self.schedules.iter().find(|schedule| schedule.process == process && schedule.name == name)
    }
}

/// What a cell file refers to by name: device types, data sets of processes, the robot model.
pub struct Surroundings<'a> {
    /// Device types by name: the files in `config/drives/`.
    pub devices: Vec<DeviceType>,
    /// The files in `config/processes/`.
    pub schedules: Vec<Schedule>,
    /// Loads the model of a robot.
    pub load_model: &'a dyn Fn(&Robot) -> Result<KinematicModel, Vec<Problem>>,
}

impl std::fmt::Debug for Surroundings<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Surroundings")
            .field("devices", &self.devices)
            .field("schedules", &self.schedules)
            .finish_non_exhaustive()
    }
}

/// Reads a cell as written into a valid one.
///
/// # Errors
/// Every mistake of the file.
pub fn read_cell(node: &Node, surroundings: Surroundings<'_>) -> Result<Cell, Vec<Problem>> {
    let problems = Problems::default();
    let cell =
        Value::root(node, &problems).table().and_then(|table| read_root(table, surroundings, &problems));
    problems.finish(cell)
}

fn read_root(mut root: Table<'_>, surroundings: Surroundings<'_>, problems: &Problems) -> Option<Cell> {
    let version = root.integer("format_version", FORMAT_VERSION..=FORMAT_VERSION);
    let name = root.identifier("name");
    let robot = root.section("robot").and_then(robot::read_robot);
    let link = root.section("ethercat").and_then(link::read_link);
    let realtime = root.maybe("realtime", |value| value.table().and_then(link::read_realtime));
    let model = robot.as_ref().and_then(|robot| match (surroundings.load_model)(robot) {
        Ok(model) => Some(model),
        Err(mistakes) => {
            problems.extend(mistakes);
            None
        }
    });
    let model_joints = model.as_ref().map(|model| model.joint_names.len());
    let subdevices = subdevice::read_subdevices(&mut root, &surroundings.devices, model_joints);
    let drive_count = subdevices.as_ref().and_then(subdevice::Read::drive_count);
    let driven = match (&model, drive_count) {
        (Some(model), count) => robot::check_model(&root, model, count),
        (None, Some(0)) => {
            let allowed = format!("1 to {MAX_JOINTS} drives");
            root.problem("subdevices", "no drive among them", allowed, "add the drives");
            None
        }
        (None, _) => None,
    };
    // What has one entry a joint is measured against the robot, whatever is wrong with the drives.
    let joint_count = model_joints.or(drive_count);
    let coupling = coupling::read_coupling(&mut root, joint_count);
    let leads = match (&model, subdevices.as_ref().and_then(|read| read.valid.as_ref())) {
        (Some(model), Some(subdevices)) => robot::check_leads(&root, model, subdevices),
        (Some(_) | None, _) => None,
    };
    let joint_limits = robot::read_joint_limits(&mut root, model.as_ref());
    let tcp_limits = root.section("tcp_limits").and_then(robot::read_tcp_limits);
    let collision = root.maybe("collision", |value| {
        value.table().and_then(|table| collision::read_collision(table, model.as_ref()))
    });
    let tools = tools::read_tools(&mut root);
    let work_objects = tools::read_work_objects(&mut root);
    let io = io::read_io(&mut root, subdevices.as_ref().map(|read| read.outlines.as_slice()));
    let stop_input = root.maybe("stop_input", |value| io.digital_input(&value).map(|named| named.channel));
    let welding =
        root.maybe("welding", |value| value.table().and_then(|table| welding::read_binding(table, &io)));
    let feed_forward =
        root.maybe("feed_forward", |value| value.table().and_then(dynamics::read_feed_forward));
    let without_record =
        root.maybe("mastering", |value| value.table().and_then(mastering::read_without_record));
    let sockets = root.maybe("sockets", |value| value.table().and_then(link::read_sockets));
    let simulation =
        simulation::read_simulation(&mut root, joint_count, model.as_ref(), joint_limits.as_ref());
    drop(root);

    version?;
    driven?;
    leads?;
    Some(Cell {
        name: name?.to_owned(),
        robot: robot?,
        model: model?,
        joint_limits: joint_limits?,
        link: link?,
        realtime: realtime?.unwrap_or_default(),
        subdevices: subdevices?.valid?,
        coupling: coupling?,
        tcp_limits: tcp_limits?,
        collision: collision?,
        tools: tools?,
        work_objects: work_objects?,
        io: io.valid?,
        stop_input: match stop_input? {
            Some(channel) => Some(channel?),
            None => None,
        },
        welding: welding?,
        feed_forward: feed_forward?.unwrap_or_default(),
        without_record: without_record?.unwrap_or_default(),
        sockets: sockets?.unwrap_or_default(),
        schedules: surroundings.schedules,
        simulation: simulation?,
    })
}

/// A time, s.
const fn seconds(max: f64) -> Range {
    Range::new(0.0, max, "s")
}

/// Notes a name that is not among the known ones.
fn unknown_name(value: &Value<'_>, name: &str, what: &str, known: impl Iterator<Item = String>) {
    value.problem(
        format!("unknown {what} `{name}`"),
        listed(known),
        format!("define it or name another {what}"),
    );
}

#[cfg(test)]
mod tests;
