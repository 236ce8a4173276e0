//! A hash that tells whether a data set is the same one as before.

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::{Dataset, Error};

/// Samples whose pixels are looked at.
const SAMPLES: usize = 64;

/// The SHA-256 over classes, all ids, and the pixels and targets of up to 64 samples evenly spread over the set: a set of any
/// size takes seconds, and one with other files in it, in another order, resized or relabelled has another fingerprint.
///
/// # Errors
///
/// What is wrong with the sample that cannot be read.
pub fn fingerprint<const T: usize>(dataset: &dyn Dataset<T>) -> Result<String, Error> {
    let mut all = Sha256::new();
    let names = dataset.classes().iter().cloned().chain((0..dataset.len()).map(|index| dataset.id(index)));
    names.for_each(|name| all.update(format!("{name}\n")));
    let count = SAMPLES.min(dataset.len());
    let samples: Result<Vec<_>, Error> =
        (0..count).into_par_iter().map(|number| sample(dataset, number * dataset.len() / count)).collect();
    samples?.iter().for_each(|hash| all.update(hash));
    Ok(all.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

fn sample<const T: usize>(dataset: &dyn Dataset<T>, index: usize) -> Result<Vec<u8>, Error> {
    let sample = dataset.read(index)?;
    let mut hash = Sha256::new();
    hash.update(format!("{} {}\n", sample.image.width(), sample.image.height()));
    hash.update(sample.image.as_raw());
    sample.targets.iter().for_each(|target| hash.update(target.as_raw()));
    Ok(hash.finalize().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Split, faces};

    #[test]
    fn another_seed_or_number_is_another_set() {
        let of = |seed: u64, train: usize| {
            let text = format!("seed = {seed}\nsize = 16\ntrain = {train}\nval = 1\ntest = 1\n");
            let config: faces::Config = toml::from_str(&text).unwrap();
            fingerprint(&faces::Faces::open(&config, Split::Train).unwrap()).unwrap()
        };
        assert_eq!(of(1, 3), of(1, 3));
        assert_ne!(of(1, 3), of(2, 3));
        assert_ne!(of(1, 3), of(1, 4));
        assert_eq!(of(1, 3).len(), 64);
    }
}
