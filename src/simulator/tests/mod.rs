//! Hand-made frames against a whole segment, and what is needed for that.

mod al_states;
mod combined_accesses;
mod commands;
mod devices;
mod drive;
mod faults;
mod homing;
mod injections;
mod mailboxes;
mod modes;
mod registers;
pub(super) mod support;
mod touch_probe;
mod welding;
