//! Everything the outside may ask, in one enum. A new request begins here; the compiler shows the rest.
//!
//! Parameters are passed by name, units are part of the key, unknown keys are refused. A request that
//! can start or speed up motion carries `epoch`, the number of the control lease it is sent under. A
//! request that can only take motion away (`hold`, `stop`, `disable`) needs no lease and is never
//! refused for a wrong `epoch`: whoever sees something going wrong may stop it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::ApiError;
use super::number_range::{LEASE_S, MAX_HZ, PERCENT, in_words};

/// What a session may do. Later includes earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// May look.
    Viewer,
    /// May operate: control lease, start, hold, stop, enable, override.
    Operator,
    /// May store jobs and take control over from another client.
    Programmer,
}

impl Role {
    /// The name used on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Programmer => "programmer",
        }
    }
}

/// How a request relates to motion, and so to the control lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Motion {
    /// Moves nothing.
    None,
    /// Can start or speed up motion: needs the control lease and its epoch.
    Starts,
    /// Can only take motion away: needs no lease.
    Stops,
}

/// What is fixed about a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Method {
    /// The name on the wire.
    pub name: &'static str,
    /// The least role that may call it.
    pub role: Role,
    /// How it relates to motion.
    pub motion: Motion,
    /// Carried out when it comes without an `id` (a JSON-RPC notification, to which no answer, hence no
    /// refusal, can be given).
    pub as_notification: bool,
    /// What the answer holds.
    pub answer: &'static str,
}

/// Parameters of `hello`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hello {
    /// The client's name for itself, shown to others; at most 64 characters are kept.
    pub client: String,
    /// The client's version.
    #[serde(default)]
    pub version: String,
}

/// What happens to a run when the lease that started it is lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnLoss {
    /// Stop on the path, resumable.
    #[default]
    Hold,
    /// Stop on the path, discard the run.
    Stop,
    /// Let the run go on to its end.
    Continue,
}

/// Parameters of `control.acquire`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ControlAcquire {
    /// Time after which the lease is lost unless renewed, s: 0.5 to 60.
    #[serde(default = "default_lease_s")]
    pub lease_s: f64,
    /// What happens to a run when the lease is lost.
    #[serde(default)]
    pub on_loss: OnLoss,
    /// Reason for taking control from another client; a run is put on hold first. Needs the role
    /// `programmer`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub take_over: Option<String>,
}

const fn default_lease_s() -> f64 {
    5.0
}

impl Default for ControlAcquire {
    fn default() -> Self {
        Self { lease_s: default_lease_s(), on_loss: OnLoss::default(), take_over: None }
    }
}

/// Parameters of the requests that carry a lease and nothing else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnderLease {
    /// Number of the control lease, from `control.acquire`.
    pub epoch: u32,
}

/// Parameters of the requests that take motion away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WithoutLease {
    /// May be given; is not looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<u32>,
}

/// Parameters of `job.put`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobPut {
    /// The job document: a JSON object, or its text in a string.
    pub document: Value,
    /// Hash the client expects, SHA-256 of the canonical text in hexadecimal; another one is an error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document_hash: Option<String>,
}

/// Parameters of `job.check`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobCheck {
    /// The stored job.
    pub job_id: String,
}

/// Parameters of `job.start`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobStart {
    /// The stored job.
    pub job_id: String,
    /// Number of the control lease.
    pub epoch: u32,
}

/// Parameters of `override`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Override {
    /// Speed override, %: 1 to 100. To stand still use `hold`.
    pub percent: f64,
    /// Number of the control lease.
    pub epoch: u32,
}

/// Parameters of `master.set`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MasterSet {
    /// The joint, from 1.
    pub joint: u8,
    /// Where it is, deg; of a sliding joint mm.
    pub at: f64,
    /// Number of the control lease.
    pub epoch: u32,
}

/// Parameters of `master.accept`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MasterAccept {
    /// The joint, from 1; left out: every joint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub joint: Option<u8>,
    /// Number of the control lease.
    pub epoch: u32,
}

/// A SubDevice: its position on the bus, from 1, or its name in the cell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum SubDeviceName {
    /// By position.
    Position(usize),
    /// By name.
    Name(String),
}

/// Parameters of `sdo.read`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SdoRead {
    /// The SubDevice.
    pub subdevice: SubDeviceName,
    /// Index of the object.
    pub index: u16,
    /// Its subindex; with `complete` 0 or 1: where it begins.
    #[serde(default)]
    pub subindex: u8,
    /// All subindices at once; subindex 0 then takes two bytes.
    #[serde(default)]
    pub complete: bool,
}

/// Parameters of `sdo.write`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SdoWrite {
    /// The SubDevice.
    pub subdevice: SubDeviceName,
    /// Index of the object.
    pub index: u16,
    /// Its subindex; with `complete` 0 or 1: where it begins.
    #[serde(default)]
    pub subindex: u8,
    /// All subindices at once; subindex 0 then takes two bytes.
    #[serde(default)]
    pub complete: bool,
    /// The value, lowest byte first, in pairs of hexadecimal digits.
    pub data: String,
    /// Number of the control lease.
    pub epoch: u32,
}

/// What can be subscribed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Topic {
    /// The newest status, at most `max_hz` times a second; older ones are dropped and counted.
    Status,
    /// Every event, in order, with its sequence number.
    Events,
}

/// Parameters of `subscribe`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subscribe {
    /// What is wanted.
    pub topics: Vec<Topic>,
    /// Largest rate of `status`, 1/s: 0.1 to 100.
    #[serde(default = "default_max_hz")]
    pub max_hz: f64,
    /// Events after this sequence number are sent first, as far as they are still kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<u64>,
}

const fn default_max_hz() -> f64 {
    10.0
}

/// Parameters of `unsubscribe`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unsubscribe {
    /// What is not wanted any more; empty or left out: everything.
    #[serde(default)]
    pub topics: Vec<Topic>,
}

/// Parameters of the requests without parameters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// Declares the enum, its table of methods and the reading of parameters from one list.
macro_rules! requests {
    ($($(#[$doc:meta])* $variant:ident($parameters:ty) = $name:literal, $role:ident, $motion:ident, $as_notification:literal, $answer:literal;)*) => {
        /// One request of a client.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Request {
            $($(#[$doc])* $variant($parameters),)*
        }

        impl Request {
            /// Every method.
            pub const METHODS: &'static [Method] = &[$(Method {
                name: $name,
                role: Role::$role,
                motion: Motion::$motion,
                as_notification: $as_notification,
                answer: $answer,
            },)*];

            /// What is fixed about this request's method.
            #[must_use]
            pub fn method(&self) -> Method {
                match self {
                    $(Self::$variant(_) => Method {
                        name: $name,
                        role: Role::$role,
                        motion: Motion::$motion,
                        as_notification: $as_notification,
                        answer: $answer,
                    },)*
                }
            }

            /// Reads a method and its parameters (an object; null: none) and checks their ranges.
            ///
            /// # Errors
            /// `MethodNotFound` or `InvalidParams` with the key path.
            pub fn read(method: &str, params: Value) -> Result<Self, ApiError> {
                let request = match method {
                    $($name => Self::$variant(read_parameters(params)?),)*
                    _ => return Err(ApiError::MethodNotFound { method: method.chars().take(64).collect() }),
                };
                request.check_ranges()?;
                Ok(request)
            }

            /// The parameters as they go over the wire; the way back from [`read`](Self::read).
            ///
            /// # Errors
            /// A number that JSON cannot carry.
            pub fn params(&self) -> Result<Value, serde_json::Error> {
                match self {
                    $(Self::$variant(parameters) => serde_json::to_value(parameters),)*
                }
            }
        }
    };
}

requests! {
    /// Says who calls; answers with what the daemon is and can. Not required, but shown to others.
    Hello(Hello) = "hello", Viewer, None, false,
        "server, version, api_version, boot_id, session, role, cell, robot, joints, cycle_s, limits, notice";
    /// Asks for the control lease. Asked again by its holder: renews and changes it, same epoch.
    ControlAcquire(ControlAcquire) = "control.acquire", Operator, None, false, "epoch, lease_s, on_loss";
    /// Renews the lease. Every request that carries the lease renews it too.
    ControlRenew(UnderLease) = "control.renew", Operator, None, true, "epoch, lease_s, on_loss";
    /// Gives the lease back. A run goes on only if `on_loss` is `continue`.
    ControlRelease(UnderLease) = "control.release", Operator, None, false, "released";
    /// Stores a job document; the same content gives the same answer. Answered when it is durable.
    JobPut(JobPut) = "job.put", Programmer, None, false, "job_id, document_hash, stored";
    /// Plans a stored job from where the arm stands and reports; moves nothing.
    JobCheck(JobCheck) = "job.check", Operator, None, false, "job_id, ok, duration_s, problems, report";
    /// Lists the stored jobs.
    JobList(Nothing) = "job.list", Viewer, None, false, "jobs: [{job_id, document_hash, name}], quarantined";
    /// Starts a stored job. Accepted is not done: events tell.
    JobStart(JobStart) = "job.start", Operator, Starts, false, "accepted, command_id, run_id";
    /// Stops on the path, resumable.
    Hold(WithoutLease) = "hold", Operator, Stops, true, "accepted, command_id";
    /// Goes on after a hold.
    Resume(UnderLease) = "resume", Operator, Starts, false, "accepted, command_id";
    /// Stops on the path and discards the run.
    Stop(WithoutLease) = "stop", Operator, Stops, true, "accepted, command_id";
    /// Switches the drives on and opens the brakes.
    Enable(UnderLease) = "enable", Operator, Starts, false, "accepted, command_id";
    /// Stops on the path, closes the brakes, switches the drives off.
    Disable(WithoutLease) = "disable", Operator, Stops, true, "accepted, command_id";
    /// Acknowledges a latched fault.
    Reset(UnderLease) = "reset", Operator, Starts, false, "accepted, command_id";
    /// Sets the speed override.
    Override(Override) = "override", Operator, Starts, false, "accepted, command_id";
    /// A joint is where this says; its reference follows and is durable when the command is done.
    MasterSet(MasterSet) = "master.set", Programmer, None, false, "accepted, command_id";
    /// The positions shown are right.
    MasterAccept(MasterAccept) = "master.accept", Programmer, None, false, "accepted, command_id";
    /// Which positions are relied on, and what is recorded.
    MasterStatus(Nothing) = "master.status", Viewer, None, false,
        "found_at_start, recorded, failure, settled, joints, drives";
    /// Reads an object of a SubDevice, while the bus runs.
    SdoRead(SdoRead) = "sdo.read", Operator, None, false, "bytes, data";
    /// Writes one, unless it is the controller's own: what is written may change how a drive moves.
    SdoWrite(SdoWrite) = "sdo.write", Programmer, Starts, false, "written, bytes";
    /// The newest status.
    Status(Nothing) = "status", Viewer, None, false, "the status object";
    /// Asks for notifications `status` and `event`; the whole status comes at once.
    Subscribe(Subscribe) = "subscribe", Viewer, None, false, "topics, max_hz, last_event_seq";
    /// Ends subscriptions.
    Unsubscribe(Unsubscribe) = "unsubscribe", Viewer, None, true, "topics";
}

impl Request {
    /// The lease number the request carries, if its method needs one.
    #[must_use]
    pub fn epoch(&self) -> Option<u32> {
        match self {
            Self::ControlRenew(lease)
            | Self::ControlRelease(lease)
            | Self::Resume(lease)
            | Self::Enable(lease)
            | Self::Reset(lease) => Some(lease.epoch),
            Self::JobStart(start) => Some(start.epoch),
            Self::Override(over) => Some(over.epoch),
            Self::MasterSet(set) => Some(set.epoch),
            Self::MasterAccept(accept) => Some(accept.epoch),
            Self::SdoWrite(write) => Some(write.epoch),
            Self::Hello(_)
            | Self::ControlAcquire(_)
            | Self::JobPut(_)
            | Self::JobCheck(_)
            | Self::JobList(_)
            | Self::Hold(_)
            | Self::Stop(_)
            | Self::Disable(_)
            | Self::MasterStatus(_)
            | Self::SdoRead(_)
            | Self::Status(_)
            | Self::Subscribe(_)
            | Self::Unsubscribe(_) => None,
        }
    }

    fn check_ranges(&self) -> Result<(), ApiError> {
        match self {
            Self::ControlAcquire(acquire) => LEASE_S.check(acquire.lease_s),
            Self::Override(over) => PERCENT.check(over.percent),
            Self::Subscribe(subscribe) => MAX_HZ.check(subscribe.max_hz),
            Self::SdoRead(SdoRead { subindex: 2.., complete: true, .. })
            | Self::SdoWrite(SdoWrite { subindex: 2.., complete: true, .. }) => {
                Err(ApiError::InvalidParams {
                    place: "subindex".to_owned(),
                    detail: "complete access begins at subindex 0 or 1".to_owned(),
                })
            }
            Self::JobPut(put) if !(put.document.is_object() || put.document.is_string()) => {
                Err(ApiError::InvalidParams {
                    place: "document".to_owned(),
                    detail: "must be an object, or the text of one".to_owned(),
                })
            }
            Self::Hello(_)
            | Self::ControlRenew(_)
            | Self::ControlRelease(_)
            | Self::JobPut(_)
            | Self::JobCheck(_)
            | Self::JobList(_)
            | Self::JobStart(_)
            | Self::Hold(_)
            | Self::Resume(_)
            | Self::Stop(_)
            | Self::Enable(_)
            | Self::Disable(_)
            | Self::Reset(_)
            | Self::MasterSet(_)
            | Self::MasterAccept(_)
            | Self::MasterStatus(_)
            | Self::SdoRead(_)
            | Self::SdoWrite(_)
            | Self::Status(_)
            | Self::Unsubscribe(_) => Ok(()),
        }
    }
}

fn read_parameters<P: for<'de> Deserialize<'de>>(params: Value) -> Result<P, ApiError> {
    let params = match params {
        Value::Null => Value::Object(serde_json::Map::new()),
        Value::Object(object) => Value::Object(object),
        Value::Array(_) | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            return Err(ApiError::InvalidParams {
                place: String::new(),
                detail: "parameters are passed by name, in an object".to_owned(),
            });
        }
    };
    serde_path_to_error::deserialize(params).map_err(|error| {
        let place = error.path().to_string();
        let detail = in_words(&place, &error.inner().to_string());
        ApiError::InvalidParams { place: if place == "." { String::new() } else { place }, detail }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn examples() -> Vec<(&'static str, Value)> {
        vec![
            ("hello", json!({"client": "test"})),
            ("control.acquire", json!({"lease_s": 2.0, "on_loss": "stop"})),
            ("control.renew", json!({"epoch": 1})),
            ("control.release", json!({"epoch": 1})),
            ("job.put", json!({"document": {"name": "x"}})),
            ("job.check", json!({"job_id": "job-1"})),
            ("job.list", json!({})),
            ("job.start", json!({"job_id": "job-1", "epoch": 1})),
            ("hold", json!({})),
            ("resume", json!({"epoch": 1})),
            ("stop", json!({"epoch": 9})),
            ("enable", json!({"epoch": 1})),
            ("disable", json!({})),
            ("reset", json!({"epoch": 1})),
            ("override", json!({"percent": 50, "epoch": 1})),
            ("master.set", json!({"joint": 3, "at": -12.5, "epoch": 1})),
            ("master.accept", json!({"epoch": 1})),
            ("master.status", json!({})),
            ("sdo.read", json!({"subdevice": 1, "index": 0x6064})),
            (
                "sdo.write",
                json!({"subdevice": "drive-1", "index": 0x6065, "complete": true, "data": "00", "epoch": 1}),
            ),
            ("status", Value::Null),
            ("subscribe", json!({"topics": ["status", "events"], "max_hz": 5})),
            ("unsubscribe", json!({})),
        ]
    }

    #[test]
    fn every_method_is_read_and_written_back_alike() {
        let examples = examples();
        assert_eq!(
            examples.iter().map(|(name, _)| *name).collect::<Vec<_>>(),
            Request::METHODS.iter().map(|method| method.name).collect::<Vec<_>>()
        );
        for (name, params) in examples {
            let request = Request::read(name, params).unwrap();
            assert_eq!(request.method().name, name);
            assert_eq!(Request::read(name, request.params().unwrap()).unwrap(), request);
        }
    }

    #[test]
    fn whatever_can_start_motion_carries_an_epoch_and_whatever_stops_it_needs_none() {
        for (name, params) in examples() {
            let request = Request::read(name, params).unwrap();
            let method = request.method();
            match method.motion {
                Motion::Starts => {
                    assert!(request.epoch().is_some(), "{name}");
                    assert!(!method.as_notification, "{name} could not be refused");
                    assert!(method.role >= Role::Operator, "{name}");
                }
                Motion::Stops => {
                    assert!(request.epoch().is_none(), "{name}");
                    assert!(method.as_notification, "{name}");
                }
                Motion::None => {}
            }
        }
    }

    #[test]
    fn wrong_parameters_are_named_by_key() {
        let refused = |method: &str, params: Value| match Request::read(method, params) {
            Err(ApiError::InvalidParams { place, detail }) => (place, detail),
            other => panic!("{other:?}"),
        };
        assert_eq!(refused("override", json!({"percent": 0, "epoch": 1})).0, "percent");
        assert_eq!(refused("override", json!({"percent": 100.1, "epoch": 1})).0, "percent");
        let (place, detail) = refused("override", json!({"percent": "50", "epoch": 1}));
        assert!(place == "percent" && detail.contains("expected a number"), "{detail}");
        let (place, detail) = refused("override", json!({"percent": 50, "epoch": -1}));
        assert!(place == "epoch" && detail.contains("expected a whole number"), "{detail}");
        assert!(refused("override", json!({"percent": 50})).1.contains("epoch"));
        assert!(refused("override", json!({"ratio": 0.5, "epoch": 1})).1.contains("ratio"));
        assert_eq!(refused("job.start", json!({"job_id": 7, "epoch": 1})).0, "job_id");
        assert_eq!(refused("job.start", json!({"job_id": "a", "epoch": -1})).0, "epoch");
        assert_eq!(refused("job.start", json!({"job_id": "a", "epoch": 1.5})).0, "epoch");
        assert_eq!(refused("job.put", json!({"document": 7})).0, "document");
        assert_eq!(refused("control.acquire", json!({"lease_s": 0.1})).0, "lease_s");
        assert_eq!(refused("control.acquire", json!({"lease_s": 1e300})).0, "lease_s");
        assert_eq!(refused("control.acquire", json!({"on_loss": "explode"})).0, "on_loss");
        assert_eq!(refused("subscribe", json!({"topics": ["status", "secrets"]})).0, "topics[1]");
        assert_eq!(refused("subscribe", json!({"topics": [], "max_hz": 1000})).0, "max_hz");
        assert!(refused("stop", json!([1])).1.contains("by name"));
        assert!(matches!(
            Request::read("shutdown", json!({})),
            Err(ApiError::MethodNotFound { method }) if method == "shutdown"
        ));
    }

    #[test]
    fn a_number_of_the_wrong_kind_is_told_what_it_may_be() {
        for (method, params, allowed) in [
            ("override", json!({"percent": "50", "epoch": 1}), "allowed: 1 to 100 %"),
            ("override", json!({"percent": null, "epoch": 1}), "allowed: 1 to 100 %"),
            ("resume", json!({"epoch": -1}), "expected a whole number; allowed: 0 to 4294967295"),
            (
                "sdo.read",
                json!({"subdevice": "x", "index": "0x6041"}),
                "expected a whole number; allowed: 0 to 65535",
            ),
            ("master.accept", json!({"joint": 300, "epoch": 1}), "expected a whole number; allowed: 1 to 12"),
            ("control.acquire", json!({"lease_s": true}), "allowed: 0.5 to 60 s"),
            ("subscribe", json!({"topics": [], "max_hz": []}), "allowed: 0.1 to 100 1/s"),
        ] {
            let error = Request::read(method, params.clone()).unwrap_err();
            assert!(error.message().ends_with(allowed), "{method} {params}: {}", error.message());
        }
    }
}
