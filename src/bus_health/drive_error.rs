//! Error codes of drives (object 0x603F) in words. Source: IEC 61800-7-201 and CiA 402-2, error codes; the
//! classes follow CiA 301, emergency error codes.

/// What an error code means: the exact text where the standard has one, else that of its class.
#[must_use]
pub const fn error_code_words(code: u16) -> &'static str {
    match code {
        0x0000 => "no error",
        0x2310 => "continuous overcurrent",
        0x2320 => "short circuit or earth leakage",
        0x2330 => "earth leakage",
        0x2340 => "short circuit",
        0x3110 => "mains overvoltage",
        0x3120 => "mains undervoltage",
        0x3130 => "phase failure of the mains",
        0x3210 => "overvoltage of the DC link",
        0x3220 => "undervoltage of the DC link",
        0x4110 => "excess ambient temperature",
        0x4210 => "excess temperature of the device",
        0x4310 => "excess temperature of the drive",
        0x5112 => "undervoltage of the control supply",
        0x5113 => "undervoltage of the 5 V supply",
        0x5430 => "input stages",
        0x5441 => "contacts of a contactor",
        0x6310 => "loss of parameters",
        0x6320 => "parameter error",
        0x7121 => "motor blocked",
        0x7122 => "motor error or wrong commutation",
        0x7300 => "sensor error",
        0x7305 => "encoder 1 error",
        0x7306 => "encoder 2 error",
        0x7320 => "position sensor error",
        0x7500 => "communication error",
        0x7580 => "synchronisation error",
        0x8100 => "communication error",
        0x8400 => "speed deviates too far",
        0x8500 => "position error",
        0x8611 => "following error",
        0x8612 => "position outside its limits",
        0x8700 => "synchronisation with the clock failed",
        0x8A80..=0x8A8F => "clock or synchronisation error",
        0x1000..=0x1FFF => "generic error",
        0x2000..=0x2FFF => "current",
        0x3000..=0x3FFF => "voltage",
        0x4000..=0x4FFF => "temperature",
        0x5000..=0x5FFF => "hardware of the device",
        0x6000..=0x6FFF => "software of the device",
        0x7000..=0x7FFF => "additional modules: motor, sensor, brake, communication",
        0x8000..=0x8FFF => "monitoring: communication, torque, speed, position",
        0x9000..=0x9FFF => "external error",
        0xF000..=0xFEFF => "additional functions",
        0xFF00..=0xFFFF => "code of the manufacturer: see the manual of the drive",
        _ => "unknown code: see the manual of the drive",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exact_code_goes_before_its_class() {
        assert_eq!(error_code_words(0x7500), "communication error");
        assert_eq!(error_code_words(0x2399), "current");
        assert_eq!(error_code_words(0xFF12), "code of the manufacturer: see the manual of the drive");
        assert_eq!(error_code_words(0x0001), "unknown code: see the manual of the drive");
    }
}
