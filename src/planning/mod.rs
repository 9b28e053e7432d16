//! Planning: targets, time law, preflight. Pure functions on jobs and the model.
