//! Kinematics against what others compute, and robot models as people write them wrong.

mod against_k;
mod malformed_models;
mod model_command;
mod random_models;
mod real_arms;
mod reference_poses;
