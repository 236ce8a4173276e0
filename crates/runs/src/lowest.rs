//! The few lowest of many scores, in memory for those few.

/// Keeps what belongs to the lowest scores, lowest first; of equal ones the earlier.
#[derive(Debug, Clone, PartialEq)]
pub struct Lowest<T> {
    room: usize,
    kept: Vec<(f64, T)>,
}

impl<T> Lowest<T> {
    /// Keeps at most `room`.
    pub fn new(room: usize) -> Self {
        Self { room, kept: Vec::new() }
    }

    /// Takes what belongs to a score if it is among the lowest so far; only then is it made. NaN is not.
    ///
    /// # Errors
    ///
    /// What `make` reports.
    pub fn offer<E>(&mut self, score: f64, make: impl FnOnce() -> Result<T, E>) -> Result<(), E> {
        let place = self.kept.partition_point(|(kept, _)| *kept <= score);
        if place < self.room && !score.is_nan() {
            let new = make()?;
            self.kept.truncate(self.room - 1);
            self.kept.insert(place, (score, new));
        }
        Ok(())
    }

    /// What was kept, with its scores.
    pub fn into_vec(self) -> Vec<(f64, T)> {
        self.kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::convert::Infallible;

    #[test]
    fn only_what_is_kept_is_made() {
        let (mut lowest, mut made) = (Lowest::new(2), 0);
        for score in [3.0, 1.0, 2.0, 5.0, f64::NAN, 1.0] {
            lowest
                .offer(score, || {
                    made += 1;
                    Ok::<_, Infallible>(made)
                })
                .unwrap();
        }
        assert_eq!(made, 4);
        assert_eq!(lowest.into_vec(), [(1.0, 2), (1.0, 4)]);
        let mut none = Lowest::<()>::new(0);
        none.offer(0.0, || Err("not to be made")).unwrap();
        assert!(none.into_vec().is_empty());
    }

    proptest! {
        #[test]
        fn they_are_the_lowest(scores in prop::collection::vec(0.0..1.0f64, 0..50), room in 0_usize..9) {
            let mut lowest = Lowest::new(room);
            for (index, score) in scores.iter().enumerate() {
                lowest.offer(*score, || Ok::<_, Infallible>(index)).unwrap();
            }
            let mut all: Vec<(f64, usize)> = scores.into_iter().zip(0..).collect();
            all.sort_by(|a, b| a.0.total_cmp(&b.0));
            all.truncate(room);
            prop_assert_eq!(lowest.into_vec(), all);
        }
    }
}
