//! The name that was probably meant.

/// The candidate nearest to `name`, if one is near enough to be worth suggesting: at most a third of the letters
/// differ (and at least one may), counting a swap of neighbours as one difference; letter case alone is no distance.
/// Of equals the first wins.
pub fn nearest<'c>(name: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let lower = name.to_lowercase();
    let limit = (name.chars().count() / 3).max(1);
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        if candidate.is_empty() || candidate == name {
            continue;
        }
        let bound = best.map_or(limit + 1, |(distance, _)| distance);
        let distance = distance(&lower, &candidate.to_lowercase());
        // A suggestion that shares nothing with the name would be noise.
        if distance < bound && distance < candidate.chars().count().max(lower.chars().count()) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// Insertions, deletions, replacements and swaps of neighbours (optimal string alignment).
fn distance(left: &str, right: &str) -> usize {
    let left: Vec<char> = left.chars().collect();
    let right: Vec<char> = right.chars().collect();
    let width = right.len() + 1;
    let mut before_last = vec![0; width];
    let mut last: Vec<usize> = (0..width).collect();
    let mut row = vec![0; width];
    for (i, a) in left.iter().enumerate() {
        row[0] = i + 1;
        for (j, b) in right.iter().enumerate() {
            let replaced = last[j] + usize::from(a != b);
            let mut cost = replaced.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *a == right[j - 1] && left[i - 1] == *b {
                cost = cost.min(before_last[j - 1] + 1);
            }
            row[j + 1] = cost;
        }
        std::mem::swap(&mut before_last, &mut last);
        std::mem::swap(&mut last, &mut row);
    }
    last[width - 1]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn suggests_what_is_near_and_nothing_else() {
        let names = ["customer", "status", "total", "placed", "id"];
        assert_eq!(nearest("custmer", names), Some("customer"));
        assert_eq!(nearest("stauts", names), Some("status"));
        assert_eq!(nearest("Total", names), Some("total"));
        assert_eq!(nearest("warehouse", names), None);
        assert_eq!(nearest("x", names), None);
        assert_eq!(nearest("", names), None);
        assert_eq!(nearest("placedd", names), Some("placed"));
    }
}
