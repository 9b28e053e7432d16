//! Hand-made frames against a whole segment, and what is needed for that.

mod al_states;
mod commands;
mod drive;
mod injections;
mod mailboxes;
mod registers;
pub(super) mod support;
mod welding;
