//! Real sockets, real time: that bytes go through the runtime, and that connections end. What they mean is
//! tested elsewhere on virtual time. Every wait is a read with a deadline.

use std::io::{BufRead as _, BufReader, Read as _, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use motiond::api::broker::Broker;
use motiond::api::daemon::Daemon;
use motiond::api::framing::LINE_MAX;
use motiond::api::request::Role;
use motiond::api::server::{Listeners, serve};
use motiond::api::session::Limits;
use motiond::boundary::boundary;
use motiond::jobs::files::MemoryFiles;
use motiond::jobs::store::JobStore;
use motiond::machine::MachineState;
use motiond::units::Nanoseconds;
use serde_json::{Value, json};

use crate::bench::{facts, inline_desk, played_cycle};

/// Longest wait for anything; only a broken program ever waits that long.
const DEADLINE: Duration = Duration::from_secs(30);

pub struct Server {
    folder: tempfile::TempDir,
    tcp: std::net::SocketAddr,
    end: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    cycle_runs: Arc<AtomicBool>,
    cycle: Option<JoinHandle<MachineState>>,
}

impl Server {
    pub fn start(limits: Limits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listeners = Listeners::none()
            .unix(&folder.path().join("motiond.sock"), Role::Programmer)
            .unwrap()
            .tcp("127.0.0.1:0".parse().unwrap(), Role::Operator)
            .unwrap();
        let tcp = listeners.tcp_address().unwrap();
        let (realtime, daemon_end) = boundary();
        let store = JobStore::open(Box::new(MemoryFiles::default())).unwrap();
        let broker = Broker::new(Daemon::new(facts(), daemon_end, store, inline_desk()), limits);

        let (end, ended) = tokio::sync::oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let began = Instant::now();
            let clock = move || Nanoseconds(u64::try_from(began.elapsed().as_nanos()).unwrap());
            let shutdown = async {
                // An error means that the test is over as well.
                let _over = ended.await;
            };
            runtime.block_on(serve(listeners, broker, clock, shutdown, DEADLINE, |_| {})).unwrap();
        });
        let cycle_runs = Arc::new(AtomicBool::new(true));
        let runs = Arc::clone(&cycle_runs);
        let cycle = std::thread::spawn(move || {
            let mut cycle = played_cycle(realtime);
            while runs.load(Ordering::Relaxed) {
                cycle.step();
                // Paces the played cycle; nothing waits for a certain time.
                std::thread::park_timeout(Duration::from_millis(1));
            }
            cycle.state
        });
        Self { folder, tcp, end: Some(end), thread: Some(thread), cycle_runs, cycle: Some(cycle) }
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("motiond.sock")
    }

    /// Ends the server and returns the state in which the machine was left.
    pub fn end(mut self) -> MachineState {
        drop(self.end.take());
        self.thread.take().unwrap().join().unwrap();
        self.cycle_runs.store(false, Ordering::Relaxed);
        self.cycle.take().unwrap().join().unwrap()
    }
}

struct Client<S> {
    reader: BufReader<S>,
    writer: S,
    next_id: u64,
}

fn local(path: &Path) -> Client<UnixStream> {
    let stream = UnixStream::connect(path).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    Client { writer: stream.try_clone().unwrap(), reader: BufReader::new(stream), next_id: 1 }
}

fn network(address: std::net::SocketAddr) -> Client<TcpStream> {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    Client { writer: stream.try_clone().unwrap(), reader: BufReader::new(stream), next_id: 1 }
}

impl<S: std::io::Read + Write> Client<S> {
    fn line(&mut self) -> Option<Value> {
        let mut line = String::new();
        let count = self.reader.read_line(&mut line).unwrap();
        (count > 0).then(|| serde_json::from_str(&line).unwrap())
    }

    fn call(&mut self, method: &str, params: &Value) -> Value {
        let id = self.next_id;
        self.next_id += 1;
        let request = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        self.writer.write_all(format!("{request}\n").as_bytes()).unwrap();
        loop {
            let line = self.line().expect("an answer");
            if line["id"] == id {
                return line;
            }
        }
    }

    fn until_event(&mut self, wanted: impl Fn(&Value) -> bool) {
        loop {
            let line = self.line().expect("an event");
            if line["method"] == "event" && wanted(&line["params"]) {
                return;
            }
        }
    }
}

#[test]
fn clients_on_both_sockets_share_one_daemon_and_its_end_switches_the_machine_off() {
    let server = Server::start(Limits::default());
    let mut driver = local(&server.path());
    let mut watcher = network(server.tcp);
    watcher.call("subscribe", &json!({"topics": ["events"]}));
    let epoch = driver.call("control.acquire", &json!({"lease_s": 60}))["result"]["epoch"].clone();
    driver.call("enable", &json!({"epoch": epoch}));
    watcher.until_event(|event| event["state"] == "ready");
    let stored = driver.call("job.put", &json!({"document": {"name": "a", "pieces": 100}}));
    let job_id = &stored["result"]["job_id"];
    let accepted = driver.call("job.start", &json!({"job_id": job_id, "epoch": epoch}));
    assert_eq!(accepted["result"]["accepted"], true, "{accepted}");
    watcher.until_event(|event| event["state"] == "executing" && event["kind"] == "run_state");
    // The other one stops it.
    assert_eq!(watcher.call("hold", &json!({}))["result"]["accepted"], true);
    watcher.until_event(|event| event["state"] == "held");
    driver.call("resume", &json!({"epoch": epoch}));
    watcher.until_event(|event| event["state"] == "completed");
    let path = server.path();
    assert_eq!(server.end(), MachineState::Disabled);
    assert!(!path.exists());
    assert!(watcher.reader.read_to_end(&mut Vec::new()).is_ok(), "the connection ends");
}

#[test]
fn the_unix_socket_is_its_owners_alone_and_a_dead_one_is_replaced() {
    use std::os::unix::fs::PermissionsExt as _;
    let server = Server::start(Limits::default());
    let mode = std::fs::metadata(server.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let second = Listeners::none().unix(&server.path(), Role::Operator);
    assert_eq!(second.unwrap_err().kind(), std::io::ErrorKind::AddrInUse);

    let folder = tempfile::tempdir().unwrap();
    let dead = folder.path().join("dead.sock");
    drop(std::os::unix::net::UnixListener::bind(&dead).unwrap());
    assert!(dead.exists());
    assert!(Listeners::none().unix(&dead, Role::Operator).is_ok());
    let outside = Listeners::none().tcp("0.0.0.0:0".parse().unwrap(), Role::Operator);
    assert_eq!(outside.unwrap_err().kind(), std::io::ErrorKind::InvalidInput);
    server.end();
}

#[test]
fn an_oversize_line_over_a_socket_is_refused_and_the_connection_goes_on() {
    let server = Server::start(Limits::default());
    let mut client = local(&server.path());
    client.writer.write_all(&vec![b'x'; LINE_MAX + 1]).unwrap();
    client.writer.write_all(b"\n").unwrap();
    assert_eq!(client.line().unwrap()["error"]["data"]["name"], "too_large");
    assert!(client.call("status", &json!({}))["result"].is_object());
    server.end();
}

#[test]
fn a_client_that_never_reads_is_cut_off_and_others_do_not_notice() {
    let limits = Limits { write_stall_s: 0.2, ..Limits::default() };
    let server = Server::start(limits);
    let mut sleeper = network(server.tcp);
    let mut other = local(&server.path());
    // Answers pile up: first in the sockets' buffers, then in the daemon, until it has enough.
    sleeper.writer.set_write_timeout(Some(DEADLINE)).unwrap();
    let request =
        b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hello\",\"params\":{\"client\":\"sleeper\"}}\n";
    let mut cut_off = false;
    for _ in 0..1_000_000 {
        if sleeper.writer.write_all(request).is_err() {
            cut_off = true;
            break;
        }
    }
    assert!(cut_off);
    assert!(other.call("status", &json!({}))["result"].is_object());
    server.end();
}

#[test]
fn connections_that_say_nothing_are_closed_and_make_room() {
    let limits = Limits { first_message_s: 0.1, sessions_max: 4, reserved_local: 1, ..Limits::default() };
    let server = Server::start(limits);
    let mut silent: Vec<_> = (0..3).map(|_| network(server.tcp)).collect();
    let mut refused = network(server.tcp);
    // Either there was no room, or one of the silent ones had just been closed; both end with a reason.
    let reason = refused.line().unwrap()["error"]["data"]["name"].clone();
    assert!(["too_many_sessions", "connection_timeout"].contains(&reason.as_str().unwrap()), "{reason}");
    for client in &mut silent {
        assert_eq!(client.line().unwrap()["error"]["data"]["name"], "connection_timeout");
        assert!(client.line().is_none());
    }
    assert!(local(&server.path()).call("status", &json!({}))["result"].is_object());
    server.end();
}

#[test]
fn a_connection_that_is_cut_during_a_run_loses_its_lease_and_the_arm_holds() {
    let server = Server::start(Limits::default());
    let mut driver = local(&server.path());
    let mut watcher = local(&server.path());
    watcher.call("subscribe", &json!({"topics": ["events"]}));
    let epoch = driver.call("control.acquire", &json!({"lease_s": 60}))["result"]["epoch"].clone();
    driver.call("enable", &json!({"epoch": epoch}));
    watcher.until_event(|event| event["state"] == "ready");
    let stored = driver.call("job.put", &json!({"document": {"name": "a", "pieces": 50_000}}));
    driver.call("job.start", &json!({"job_id": stored["result"]["job_id"], "epoch": epoch}));
    watcher.until_event(|event| event["kind"] == "run_state" && event["state"] == "executing");
    driver.writer.shutdown(std::net::Shutdown::Both).unwrap();
    watcher.until_event(|event| event["kind"] == "control" && event["reason"] == "session_ended");
    watcher.until_event(|event| event["state"] == "held");
    assert_eq!(server.end(), MachineState::Disabled);
}
