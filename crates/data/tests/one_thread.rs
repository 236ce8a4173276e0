//! Loading from the only thread of rayon's pool. A process of its own, whose global pool is this one.

use std::sync::Arc;
use std::time::Duration;

use candle_core::Device;
use image::{GrayImage, RgbImage};
use rayon::ThreadPoolBuilder;
use rayon::prelude::*;
use sconce_data::{Dataset, Error, Loader, Sample, augment, loader};

/// A set whose samples are drawn on the threads of the pool.
struct Shades;

impl Dataset<1> for Shades {
    fn len(&self) -> usize {
        12
    }

    fn read(&self, index: usize) -> Result<Sample<1>, Error> {
        let shade = |pixel: usize| (7 * index + pixel % 5) as u8;
        let pixels: Vec<u8> = (0..8 * 8 * 3).into_par_iter().map(shade).collect();
        let image = RgbImage::from_raw(8, 8, pixels).expect("a byte for each value");
        Ok(Sample { image, targets: [GrayImage::new(8, 8)] })
    }

    fn id(&self, index: usize) -> String {
        index.to_string()
    }

    fn classes(&self) -> &[String] {
        &[]
    }

    fn swaps(&self) -> &[(u8, u8)] {
        &[]
    }
}

#[test]
fn samples_that_need_the_waiting_thread_come_and_an_epoch_can_be_left_early() {
    std::thread::spawn(|| {
        std::thread::sleep(Duration::from_secs(60));
        eprintln!("the loader waits for the thread that waits for it");
        std::process::exit(1);
    });
    ThreadPoolBuilder::new().num_threads(1).use_current_thread().build_global().expect("the first pool");
    let config = loader::Config::in_order(2, 2);
    let loader = Loader::new(Arc::new(Shades), config, augment::Config::resize_only([8, 8]), 1, &Device::Cpu)
        .expect("settings that work");
    assert_eq!(loader.epoch(0).filter(Result::is_ok).count(), 6);
    let mut left = loader.epoch(1);
    assert!(left.next().is_some_and(|batch| batch.is_ok()));
    drop(left); // while samples ahead are in the making
}
