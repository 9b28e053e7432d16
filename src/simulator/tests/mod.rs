//! Frames against a whole segment, and what is needed for that.
pub(super) mod support;
