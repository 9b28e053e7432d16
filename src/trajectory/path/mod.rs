//! Geometry of motions over a path parameter: joint line, Cartesian line, arc.

/// Placeholder until the geometry lands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Path {}
