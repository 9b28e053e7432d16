//! The real-time side: the run loop and the cycle. No allocation, no lock, no log; the wire is its only input and output.
