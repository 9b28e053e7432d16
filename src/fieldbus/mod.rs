//! EtherCAT: moves process data and says which is fresh. What the bytes mean is the business of `drives`.
