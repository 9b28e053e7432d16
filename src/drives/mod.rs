//! Meaning of the process data: CiA 402 state machine, scaling between counts and joints, digital and analog channels. Bytes are moved by `fieldbus`.
