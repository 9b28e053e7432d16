//! The known word a misspelt one was probably meant to be.

/// The known word nearest to `word`, when it is near: up to a third of its letters differ, or only the
/// unit at its end does (`v_m_s` for `v_mm_s`).
pub(super) fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    if word.len() > 64 {
        return None;
    }
    let by_distance = known
        .iter()
        .map(|candidate| (distance(word, candidate), *candidate))
        .filter(|(distance, candidate)| *distance <= candidate.len().div_ceil(3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate);
    let stem = word.split('_').next().unwrap_or(word);
    by_distance.or_else(|| known.iter().copied().find(|candidate| candidate.split('_').next() == Some(stem)))
}

/// Letters to insert, remove or replace to get from one word to the other (Levenshtein 1966).
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (line, letter) in from.chars().enumerate() {
        let mut diagonal = line;
        let mut left = line + 1;
        for (column, other) in to.iter().enumerate() {
            let above = row.get(column + 1).copied().unwrap_or_default();
            let here = (diagonal + usize::from(letter != *other)).min(above + 1).min(left + 1);
            if let Some(entry) = row.get_mut(column) {
                *entry = left;
            }
            diagonal = above;
            left = here;
        }
        if let Some(last) = row.last_mut() {
            *last = left;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_letters() {
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", ""), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("same", "same"), 0);
    }

    #[test]
    fn a_wrong_unit_leads_to_the_right_key() {
        let known = ["v_mm_s", "postflow_s", "name"];
        assert_eq!(nearest("v_m_s", &known), Some("v_mm_s"));
        assert_eq!(nearest("postflow_ms", &known), Some("postflow_s"));
        assert_eq!(nearest("v_inch_per_min", &known), Some("v_mm_s"));
        assert_eq!(nearest("colour", &known), None);
    }
}
