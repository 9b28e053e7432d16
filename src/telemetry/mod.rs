//! What is made of samples and events: status, trace, report.
