//! Linux: priority, affinity, memory lock, system-call filter. No motion.
