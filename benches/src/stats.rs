//! Role: medians, and intervals that need no assumption about the distribution.
//! Invariant: pure.
//! Not here: what is compared.

/// A median with the interval that contains the true one with 95 % confidence.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Estimate {
    pub(crate) median: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

/// `None` for no values. With fewer than six values the interval is their range, and less sure.
pub(crate) fn estimate(values: &[f64]) -> Option<Estimate> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let skipped = skipped(sorted.len());
    Some(Estimate {
        median: percentile(&sorted, 0.5)?,
        low: *sorted.get(skipped)?,
        high: *sorted.iter().rev().nth(skipped)?,
    })
}

/// The value below which a share of the sorted values lies.
pub(crate) fn percentile(sorted: &[f64], share: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    #[expect(clippy::cast_precision_loss, reason = "a few thousand values")]
    let at = share * last as f64;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the list")]
    let (below, above) = (at.floor() as usize, at.ceil() as usize);
    let (low, high) = (*sorted.get(below)?, *sorted.get(above)?);
    Some(low + (high - low) * at.fract())
}

/// How many values at each end lie outside of the interval: the most for which the median is outside
/// with a chance of at most 5 % (a sign test).
fn skipped(count: usize) -> usize {
    let mut chance = 0.5_f64.powi(i32::try_from(count).unwrap_or(i32::MAX));
    let mut outside = chance;
    let mut skipped = 0_usize;
    loop {
        #[expect(clippy::cast_precision_loss, reason = "a few values")]
        let step = (count.saturating_sub(skipped)) as f64 / (skipped as f64 + 1.0);
        chance *= step;
        outside += chance;
        if 2.0 * outside > 0.05 || skipped >= count {
            return skipped;
        }
        skipped = skipped.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::{estimate, skipped};

    #[test]
    fn the_intervals_are_those_of_the_tables() {
        // Two-sided sign test at 5 %: tabulated ranks 1, 1, 2, 3 and 6 for these counts.
        assert_eq!([6, 7, 9, 12, 20].map(skipped), [0, 0, 1, 2, 5]);
    }

    #[test]
    fn a_median_lies_in_its_interval() {
        let found = estimate(&[5.0, 1.0, 4.0, 2.0, 3.0, 9.0, 8.0, 7.0, 6.0]).expect("values");
        assert_eq!((found.median, found.low, found.high), (5.0, 2.0, 8.0));
        assert!(estimate(&[]).is_none());
    }
}
