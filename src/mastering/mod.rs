//! The durable record of the drives' references: which drive was mastered how, and where it was last seen. What is
//! made of it in the cycle lives in `realtime::positions`.
//!
//! [`record`] is the text on disk, [`store`] writes it and says at start what of it can be relied on.

pub mod record;
pub mod store;

#[cfg(test)]
mod tests;
