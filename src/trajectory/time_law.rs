//! The one-dimensional jerk-limited planner on the path parameter.
