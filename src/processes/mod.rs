//! Application processes: each expands its part of a job into phases and motions.
