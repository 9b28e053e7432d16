//! Where documents are checked and planned. Planning takes from milliseconds to seconds, so it is an
//! order that is handed in and an outcome that is collected later: at once on virtual time
//! ([`InlineDesk`]), on the planner thread in the daemon ([`ThreadDesk`]).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use serde::Serialize;

use crate::boundary::piece_queue::PieceKind;
use crate::config::problem::Problem;
use crate::joints::JointVector;

/// What is known of a document without planning it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct JobFacts {
    /// The job's own name.
    pub name: String,
    /// The tool it is made for.
    pub tool: String,
    /// Number of instructions.
    pub instructions: usize,
}

/// One piece of a planned run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PlannedPiece {
    /// Position of its instruction in the document, from 0.
    pub instruction: u32,
    /// What to do.
    pub kind: PieceKind,
    /// How long it takes at 100 %, s; for waiting for inputs: its expected time.
    pub duration_s: f64,
}

/// Names of a process table's phases, for people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProcessNames {
    /// The table's number.
    pub table: u16,
    /// The process, for example the seam's name.
    pub name: String,
    /// Number and name of each phase.
    pub phases: Vec<(u8, String)>,
}

/// A job, planned from a given position.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PlannedRun {
    /// The pieces, in order, ending with `EndOfRun`.
    pub pieces: Vec<PlannedPiece>,
    /// Names for people.
    pub processes: Vec<ProcessNames>,
    /// The pre-flight report as it goes to the client.
    pub report: serde_json::Value,
}

impl PlannedRun {
    /// How long the run takes at 100 %, s.
    #[must_use]
    pub fn duration_s(&self) -> f64 {
        self.pieces.iter().map(|piece| piece.duration_s).sum()
    }
}

/// Checks and plans documents on one cell. Pure: the same arguments give the same answer.
pub trait JobPlanner: Send + Sync {
    /// Reads a document and checks everything that needs no planning.
    ///
    /// # Errors
    /// Every mistake of the document.
    fn read(&self, document: &str) -> Result<JobFacts, Vec<Problem>>;

    /// Plans a document from the joint positions `q_start` (rad or m).
    ///
    /// # Errors
    /// Every reason why it cannot be executed.
    fn plan(&self, document: &str, q_start: &JointVector) -> Result<PlannedRun, Vec<Problem>>;
}

/// Number of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// Something to plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    /// Returned with the outcome.
    pub ticket: Ticket,
    /// The document's text.
    pub document: String,
    /// Where the arm stands, rad or m.
    pub q_start: JointVector,
}

/// Why nothing was planned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlanFailure {
    /// Every reason why the job cannot be executed.
    Problems(Vec<Problem>),
    /// The planner panicked; its words.
    Panicked(String),
}

/// What came of an order.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The order.
    pub ticket: Ticket,
    /// The plan.
    pub result: Result<PlannedRun, PlanFailure>,
}

/// Takes orders, gives outcomes, in the same sequence.
pub trait PlanningDesk: Send {
    /// Reads a document; quick.
    ///
    /// # Errors
    /// Every mistake of the document.
    fn read(&self, document: &str) -> Result<JobFacts, Vec<Problem>>;

    /// Hands in an order.
    ///
    /// # Errors
    /// Gives the order back when too many are waiting.
    fn submit(&mut self, order: Order) -> Result<(), Box<Order>>;

    /// The next outcome, if there is one.
    fn collect(&mut self) -> Option<Outcome>;
}

/// Orders that may wait.
pub const ORDERS_MAX: usize = 8;

fn carry_out(planner: &dyn JobPlanner, order: &Order) -> Outcome {
    // A panic in planning moves nothing; it must not end the thread that could still stop the arm.
    let result = catch_unwind(AssertUnwindSafe(|| planner.plan(&order.document, &order.q_start)));
    let result = match result {
        Ok(Ok(run)) => Ok(run),
        Ok(Err(problems)) => Err(PlanFailure::Problems(problems)),
        Err(panic) => Err(PlanFailure::Panicked(
            panic
                .downcast_ref::<&str>()
                .map(|text| (*text).to_owned())
                .or_else(|| panic.downcast_ref::<String>().cloned())
                .unwrap_or_else(|| "panic without words".to_owned()),
        )),
    };
    Outcome { ticket: order.ticket, result }
}

/// Plans when the order is handed in; for virtual time, where waiting does not exist.
pub struct InlineDesk {
    planner: Arc<dyn JobPlanner>,
    outcomes: std::collections::VecDeque<Outcome>,
}

impl std::fmt::Debug for InlineDesk {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("InlineDesk").field("outcomes", &self.outcomes.len()).finish_non_exhaustive()
    }
}

impl InlineDesk {
    /// A desk around `planner`.
    #[must_use]
    pub fn new(planner: Arc<dyn JobPlanner>) -> Self {
        Self { planner, outcomes: std::collections::VecDeque::new() }
    }
}

impl PlanningDesk for InlineDesk {
    fn read(&self, document: &str) -> Result<JobFacts, Vec<Problem>> {
        self.planner.read(document)
    }

    fn submit(&mut self, order: Order) -> Result<(), Box<Order>> {
        if self.outcomes.len() >= ORDERS_MAX {
            return Err(Box::new(order));
        }
        self.outcomes.push_back(carry_out(self.planner.as_ref(), &order));
        Ok(())
    }

    fn collect(&mut self) -> Option<Outcome> {
        self.outcomes.pop_front()
    }
}

/// Plans on a thread of its own, so that a long plan never delays a `stop`.
pub struct ThreadDesk {
    reader: Arc<dyn JobPlanner>,
    orders: SyncSender<Order>,
    outcomes: Receiver<Outcome>,
}

impl std::fmt::Debug for ThreadDesk {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("ThreadDesk").finish_non_exhaustive()
    }
}

impl ThreadDesk {
    /// Starts the thread, which ends with the desk. `on_outcome` is called there after each outcome.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(
        planner: Arc<dyn JobPlanner>,
        on_outcome: impl Fn() + Send + 'static,
    ) -> std::io::Result<Self> {
        let (orders, incoming) = sync_channel::<Order>(ORDERS_MAX);
        let (outgoing, outcomes) = sync_channel(2 * ORDERS_MAX);
        let reader = Arc::clone(&planner);
        std::thread::Builder::new().name("planner".to_owned()).spawn(move || {
            while let Ok(order) = incoming.recv() {
                if outgoing.send(carry_out(planner.as_ref(), &order)).is_err() {
                    return;
                }
                on_outcome();
            }
        })?;
        Ok(Self { reader, orders, outcomes })
    }
}

impl PlanningDesk for ThreadDesk {
    fn read(&self, document: &str) -> Result<JobFacts, Vec<Problem>> {
        self.reader.read(document)
    }

    fn submit(&mut self, order: Order) -> Result<(), Box<Order>> {
        self.orders.try_send(order).map_err(|error| match error {
            std::sync::mpsc::TrySendError::Full(order)
            | std::sync::mpsc::TrySendError::Disconnected(order) => Box::new(order),
        })
    }

    fn collect(&mut self) -> Option<Outcome> {
        self.outcomes.try_recv().ok()
    }
}
