//! Bytes as people write them.

/// Bytes as pairs of hexadecimal digits.
#[must_use]
pub fn hexadecimal(bytes: &[u8]) -> String {
    let pairs: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    pairs.join(" ")
}

/// Pairs of hexadecimal digits, with spaces between or not.
///
/// # Errors
/// What is not such a pair.
pub fn bytes_of_hexadecimal(text: &str) -> Result<Vec<u8>, String> {
    let digits: Vec<char> = text.chars().filter(|letter| !letter.is_whitespace()).collect();
    if !digits.len().is_multiple_of(2) {
        return Err(format!("`{}` has an odd number of hexadecimal digits", shortened(text)));
    }
    digits
        .chunks(2)
        .map(|pair| {
            let pair: String = pair.iter().collect();
            u8::from_str_radix(&pair, 16).map_err(|_| format!("`{pair}` is not a pair of hexadecimal digits"))
        })
        .collect()
}

fn shortened(text: &str) -> String {
    text.chars().take(64).collect()
}
