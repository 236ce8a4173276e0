use super::*;

fn config() -> Config {
    Config { seed: 3, size: 64, train: 5, val: 2, test: 3 }
}

#[test]
fn splits_share_no_picture_and_stay_when_training_grows() {
    let ids = |config: &Config, split| {
        let set = Shapes::open(config, split).unwrap();
        (0..set.len()).map(|index| set.id(index)).collect::<Vec<_>>()
    };
    let all = Split::ALL.map(|split| ids(&config(), split)).concat();
    assert_eq!(all.iter().collect::<std::collections::HashSet<_>>().len(), 10);
    let larger = Config { train: 50, ..config() };
    assert_eq!(ids(&larger, Split::Val), ids(&config(), Split::Val));
    let set = Shapes::open(&config(), Split::Val).unwrap();
    assert_eq!(set.read(1).unwrap(), render(3, 4, 64));
    assert_ne!(set.read(0).unwrap(), set.read(1).unwrap());
    assert!(matches!(set.read(2), Err(Error::Index { index: 2, len: 2 })));
}

#[test]
fn bad_settings_are_named() {
    let error = |config: Config| Shapes::open(&config, Split::Val).unwrap_err().to_string();
    assert!(error(Config { size: 20, ..config() }).contains("48..=4096"));
    assert!(error(Config { val: 0, ..config() }).starts_with("val: 0 pictures"));
}

#[test]
fn all_classes_occur_between_void_borders() {
    let mut seen = [0u64; 256];
    for index in 0..120 {
        let labels = &render(1, index, 96).targets[0];
        labels.iter().for_each(|label| seen[usize::from(*label)] += 1);
        // A class never touches another one: there is void between.
        for (x, y, label) in labels.enumerate_pixels().filter(|(x, _, label)| *x < 95 && label[0] != VOID) {
            let next = labels.get_pixel(x + 1, y)[0];
            assert!(next == label[0] || next == VOID, "{index}: {} beside {next}", label[0]);
        }
    }
    let total: u64 = seen.iter().sum();
    let share = |label: usize| seen[label] as f64 / total as f64;
    assert!(share(0) > 0.45 && share(0) < 0.8, "{}", share(0));
    assert!(share(255) > 0.05 && share(255) < 0.25, "{}", share(255));
    assert!((1..21).all(|label| share(label) > 0.002), "{:?}", &seen[..21]);
    assert_eq!(seen[21..255].iter().sum::<u64>(), 0);
}

#[test]
fn another_size_shows_the_same_scene() {
    let (small, large) = (render(5, 2, 80), render(5, 2, 240));
    let same = small.targets[0].enumerate_pixels().filter(|(x, y, label)| {
        let other = large.targets[0].get_pixel(3 * x + 1, 3 * y + 1);
        **label == *other || label[0] == VOID || other[0] == VOID
    });
    assert_eq!(same.count(), 80 * 80);
}

#[test]
fn wider_pictures_have_wider_borders() {
    let void = |size| {
        let labels = &render(5, 2, size).targets[0];
        labels.iter().filter(|label| **label == VOID).count() as f64 / f64::from(size)
    };
    assert!(void(320) > 1.5 * void(159), "{} {}", void(320), void(159));
}
