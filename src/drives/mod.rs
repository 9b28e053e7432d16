//! Meaning of the process data: the CiA 402 state machine, scaling between encoder counts and joints,
//! digital and analog channels. Bytes are moved by `fieldbus`; what the machine wants of the drives is
//! decided in `realtime`.
#![cfg_attr(not(test), deny(clippy::disallowed_types, clippy::disallowed_methods, clippy::disallowed_macros))]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

pub mod channels;
pub mod cia402;
pub mod process_image;
pub mod scaling;
