//! The other end of the wire: simulated SubDevices that speak EtherCAT frames. Knows nothing of the controller.
