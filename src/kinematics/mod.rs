//! Kinematics of the arm: chain, forward, Jacobian, inverse. Pure mathematics, real-time safe. Loading a URDF belongs to `config::kinematic_model`.
