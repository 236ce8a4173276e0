use super::*;
use crate::dataset::Sample;
use crate::testing::Blocks;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::sleep;

/// A set whose samples fail or panic where told, and which counts its reads.
struct Troubled {
    blocks: Blocks,
    fails: Vec<usize>,
    panics: Vec<usize>,
    reads: AtomicUsize,
}

impl Troubled {
    fn new(samples: usize, fails: &[usize], panics: &[usize]) -> Arc<Self> {
        let blocks = Blocks::new(samples, (24, 20));
        Arc::new(Self { blocks, fails: fails.into(), panics: panics.into(), reads: AtomicUsize::new(0) })
    }
}

impl Dataset<2> for Troubled {
    fn len(&self) -> usize {
        self.blocks.len()
    }

    fn read(&self, index: usize) -> Result<Sample<2>, Error> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        assert!(!self.panics.contains(&index), "sample {index} is cursed");
        if self.fails.contains(&index) {
            return Err(Error::image(format!("{index}.png").as_ref(), "it is torn"));
        }
        // The later a sample, the faster: workers finish out of order.
        sleep(Duration::from_micros(300 * (index as u64 % 5)));
        self.blocks.read(index)
    }

    fn id(&self, index: usize) -> String {
        self.blocks.id(index)
    }

    fn classes(&self) -> &[String] {
        self.blocks.classes()
    }

    fn swaps(&self) -> &[(u8, u8)] {
        self.blocks.swaps()
    }
}

fn shuffled(threads: usize) -> Config {
    Config { batch: 4, threads, prefetch: 2, shuffle: true, drop_last: false }
}

fn augmented() -> augment::Config {
    let affine = augment::Affine {
        scale_deviation: 0.25,
        scale_limit: 0.25,
        rotation_probability: 0.6,
        rotation_deviation: 30.0,
        rotation_limit: 60.0,
    };
    let colour = augment::Colour { brightness: 0.2, contrast: 0.2, saturation: 0.2, hue: None };
    augment::Config {
        flip: 0.5,
        affine: Some(affine),
        colour: Some(colour),
        ..augment::Config::resize_only([16, 18])
    }
}

fn loader(set: Arc<dyn Dataset<2>>, config: Config) -> Loader<2> {
    Loader::new(set, config, augmented(), 11, &Device::Cpu).unwrap()
}

/// Everything a batch holds, to the bit; or its error.
type Content = Result<(Vec<u32>, Vec<u8>, Vec<u8>, Vec<String>, usize, usize), String>;

fn content(batch: Result<Batch<2>, Error>) -> Content {
    let batch = batch.map_err(|e| e.to_string())?;
    let bits = batch.image.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    let map = |target: &candle_core::Tensor| target.flatten_all().unwrap().to_vec1::<u8>().unwrap();
    Ok((
        bits.into_iter().map(f32::to_bits).collect(),
        map(&batch.targets[0]),
        map(&batch.targets[1]),
        batch.ids,
        batch.epoch,
        batch.number,
    ))
}

fn contents(epoch: Epoch<2>) -> Vec<Content> {
    epoch.map(content).collect()
}

#[test]
fn batches_do_not_depend_on_the_number_of_threads() {
    let make = |threads| loader(Troubled::new(22, &[5, 13], &[17]), shuffled(threads));
    let inline: Vec<_> = (0..3).map(|epoch| contents(make(0).epoch(epoch))).collect();
    assert_eq!(inline[0].len(), 6);
    assert_ne!(inline[0], inline[1]);
    for threads in [1, 2, 8] {
        let loader = make(threads);
        for (epoch, want) in inline.iter().enumerate() {
            assert_eq!(&contents(loader.epoch(epoch)), want, "{threads} threads, epoch {epoch}");
        }
    }
}

#[test]
fn a_resumed_epoch_gives_the_batches_that_were_left() {
    for threads in [0, 2] {
        let loader = loader(Troubled::new(22, &[], &[]), shuffled(threads));
        let whole = contents(loader.epoch(4));
        for first in [1, 3, 6, 9] {
            assert_eq!(contents(loader.epoch_from(4, first)), whole[first.min(6)..]);
        }
    }
}

#[test]
fn every_sample_comes_once_an_epoch() {
    let ids = |loader: &Loader<2>, epoch| -> Vec<String> {
        loader.epoch(epoch).flat_map(|batch| batch.unwrap().ids).collect()
    };
    let set = Troubled::new(10, &[], &[]);
    let in_order: Vec<String> = (0..10).map(|index| set.id(index)).collect();
    assert_eq!(ids(&loader(set.clone(), Config::in_order(3, 2)), 5), in_order);
    let shuffled = loader(set.clone(), shuffled(2));
    let (first, second) = (ids(&shuffled, 0), ids(&shuffled, 1));
    assert!(first != in_order && first != second);
    let sorted = |mut ids: Vec<String>| {
        ids.sort();
        ids
    };
    assert_eq!((sorted(first), sorted(second)), (in_order.clone(), in_order));
}

#[test]
fn a_sample_does_not_depend_on_its_place() {
    let by_id = |config: Config| {
        let batches = contents(loader(Troubled::new(10, &[], &[]), config).epoch(3));
        let samples = batches.into_iter().map(|batch| batch.map(|(image, .., ids, _, _)| (ids, image)));
        samples.collect::<Result<std::collections::BTreeMap<_, _>, _>>().unwrap()
    };
    let one = |shuffle| Config { batch: 1, shuffle, ..shuffled(0) };
    assert_eq!(by_id(one(true)), by_id(one(false)));
}

#[test]
fn an_incomplete_last_batch_is_kept_or_left_out() {
    let set = Troubled::new(10, &[], &[]);
    for (drop_last, want) in [(false, vec![4, 4, 2]), (true, vec![4, 4])] {
        let loader = loader(set.clone(), Config { drop_last, ..shuffled(2) });
        assert_eq!(loader.batches_per_epoch(), want.len());
        let epoch = loader.epoch(0);
        assert_eq!(epoch.len(), want.len());
        let sizes: Vec<usize> = epoch.map(|batch| batch.unwrap().ids.len()).collect();
        assert_eq!(sizes, want);
    }
}

#[test]
fn errors_and_panics_stand_in_the_place_of_their_batch() {
    let set = Troubled::new(12, &[6, 5], &[9]);
    for threads in [0, 3] {
        let config = Config { shuffle: false, ..shuffled(threads) };
        let batches = contents(loader(set.clone(), config).epoch(0));
        assert!(batches[0].is_ok());
        assert!(batches[1].as_ref().unwrap_err().starts_with("5.png: cannot read the image: it is torn"));
        let panic = batches[2].as_ref().unwrap_err();
        assert!(panic.contains("'009'") && panic.contains("sample 9 is cursed"), "{panic}");
    }
}

#[test]
fn workers_stay_a_few_batches_ahead_and_end_when_dropped() {
    let set = Troubled::new(400, &[], &[]);
    let loader = loader(set.clone(), shuffled(3));
    let mut epoch = loader.epoch(0);
    for taken in 1..=3 {
        epoch.next().unwrap().unwrap();
        // The two batches ahead get ready while nobody asks, and no more.
        let start = Instant::now();
        while set.reads.load(Ordering::SeqCst) < 4 * (taken + 2) {
            assert!(start.elapsed() < Duration::from_secs(20), "the workers lag behind");
            sleep(Duration::from_millis(1));
        }
        sleep(Duration::from_millis(5));
        assert_eq!(set.reads.load(Ordering::SeqCst), 4 * (taken + 2));
    }
    drop(epoch);
    let reads = set.reads.load(Ordering::SeqCst);
    sleep(Duration::from_millis(10));
    assert_eq!(set.reads.load(Ordering::SeqCst), reads);
    drop(loader);
    assert_eq!(Arc::strong_count(&set), 1, "no thread holds the set");
    drop(Loader::new(set.clone(), shuffled(2), augmented(), 0, &Device::Cpu).unwrap().epoch(0));
    assert_eq!(Arc::strong_count(&set), 1);
}

#[test]
fn dropped_workers_leave_the_rest_undone() {
    let set = Troubled::new(400, &[], &[]);
    let mut epoch = loader(set.clone(), Config { prefetch: 90, ..shuffled(2) }).epoch(0);
    epoch.next().unwrap().unwrap();
    let before = set.reads.load(Ordering::SeqCst);
    drop(epoch);
    let more = set.reads.load(Ordering::SeqCst) - before;
    assert!(more < 100, "{more} samples read for nobody");
}

#[test]
fn waiting_is_measured() {
    let loader = loader(Troubled::new(8, &[], &[]), Config { shuffle: false, ..shuffled(0) });
    let mut epoch = loader.epoch(0);
    let first = epoch.next().unwrap().unwrap().waited;
    let second = epoch.next().unwrap().unwrap().waited;
    assert!(first >= Duration::from_micros(1800), "samples 0 to 3 take that long: {first:?}");
    assert_eq!(epoch.waited(), first + second);
}

#[test]
fn settings_that_cannot_work_are_errors() {
    let fails = |samples: usize, config: Config, augment: augment::Config| {
        let set = Troubled::new(samples, &[], &[]);
        Loader::new(set, config, augment, 0, &Device::Cpu).err().unwrap().to_string()
    };
    assert!(fails(4, Config { batch: 0, ..shuffled(1) }, augmented()).starts_with("loader.batch"));
    assert!(fails(4, Config { prefetch: 0, ..shuffled(1) }, augmented()).starts_with("loader.prefetch"));
    assert!(fails(0, shuffled(1), augmented()).contains("no samples"));
    let small = fails(3, Config { drop_last: true, ..shuffled(1) }, augmented());
    assert!(small.contains("4 is more than the set's 3 samples"), "{small}");
    assert!(fails(4, shuffled(1), augment::Config::resize_only([0, 1])).starts_with("size"));
    let unknown = toml::from_str::<Config>("batch = 1\nworkers = 2").unwrap_err().to_string();
    assert!(unknown.contains("unknown field `workers`") && unknown.contains("drop-last"), "{unknown}");
}
