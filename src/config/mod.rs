//! Configuration: as written (serde) and as valid (private fields, checked), constant after start. Anything that changes while running is not configuration.
