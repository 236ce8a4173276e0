//! `data stats`: what a set holds.

use std::fmt::Write;

use anyhow::Result;
use sconce_data::faces::Faces;
use sconce_data::hair::Hair;
use sconce_data::shapes::Shapes;
use sconce_data::wrinkles::Wrinkles;
use sconce_data::{Dataset, Error, Split, Stats, VOID};
use sconce_runs::Table;
use serde_json::{Value, json};

use super::arguments::StatsArguments;
use super::output::{Counter, counted, print, print_json, tell};
use super::set::{Rendered, Set, headline};

/// Where the weights come from.
const FORMULAS: &str = "\
weights for a loss: median-frequency balancing (Eigen and Fergus 2015) is the median of all classes' frequencies over \
the\nclass's own, a frequency being the share of the labelled pixels of the images that hold the class; inverse log \
(Paszke\nand others 2016, ENet) is 1 / ln(1.02 + share).\n";

/// Prints pixels, shares, images and weights per class, colours and sizes.
pub(crate) fn run(arguments: &StatsArguments) -> Result<()> {
    let set = arguments.set.open()?;
    let (headline, classes, (stats, errors)) = match &set {
        Set::Files(set) => {
            let counter = Counter::new("stats", set.items.len());
            (headline(set), set.classes.clone(), Stats::of_inventory(set, &|| counter.step()))
        }
        Set::Rendered(set) => {
            let (stats, classes) = match set {
                Rendered::Faces(config) => of_splits(|split| Ok(Faces::open(config, split)?))?,
                Rendered::Hair(config) => of_splits(|split| Ok(Hair::open(config, split)?))?,
                Rendered::Shapes(config) => of_splits(|split| Ok(Shapes::open(config, split)?))?,
                Rendered::Wrinkles(config) => of_splits(|split| Ok(Wrinkles::open(config, split)?))?,
            };
            let images = counted(stats.0.images(), "rendered picture");
            (format!("{}: {images}", arguments.set.set), Some(classes), stats)
        }
    };
    let names = classes.unwrap_or_else(|| {
        let found = stats.highest_label().map_or(0, |label| usize::from(label) + 1);
        (0..found).map(|label| label.to_string()).collect()
    });
    if arguments.json {
        print_json(&document(&arguments.set.set, &stats, &names))?;
    } else {
        print(&format!("{headline}\n\n{}", report(&stats, &names)))?;
    }
    let images = stats.images() as usize + errors.len();
    tell(&errors, images, "could not be read and are not counted; `data check` tells all that is wrong")
}

/// Statistics, and what could not be read.
type Counted = (Stats, Vec<Error>);

/// Statistics and classes of all three splits of a procedural set.
fn of_splits<const T: usize, D: Dataset<T>>(
    open: impl Fn(Split) -> Result<D>,
) -> Result<(Counted, Vec<String>)> {
    let sets = Split::ALL.into_iter().map(open).collect::<Result<Vec<D>>>()?;
    let counter = Counter::new("stats", sets.iter().map(Dataset::len).sum());
    let mut all = (Stats::default(), Vec::new());
    for set in &sets {
        let read = |index| {
            set.read(index)
                .map(|sample| (sample.image, sample.targets.into_iter().next().unwrap_or_default()))
        };
        let (stats, errors) = Stats::collect(set.len(), read, &|| counter.step());
        all.0 = all.0.merge(&stats);
        all.1.extend(errors);
    }
    let classes = sets.first().map(|set| set.classes().to_vec()).unwrap_or_default();
    Ok((all, classes))
}

fn report(stats: &Stats, names: &[String]) -> String {
    let weight = |weight: &Option<f64>| weight.map_or("-".to_owned(), |weight| format!("{weight:.3}"));
    let (balanced, inverse) =
        (stats.median_frequency_weights(names.len()), stats.inverse_log_weights(names.len()));
    let mut table =
        Table::new(["label", "class", "pixels", "share", "images", "median-frequency", "inverse-log"]);
    for ((label, name), (balanced, inverse)) in (0..VOID).zip(names).zip(balanced.iter().zip(&inverse)) {
        let share = format!("{:.3} %", 100.0 * stats.share(label));
        let images = stats.images_with(label).to_string();
        let pixels = stats.pixels(label).to_string();
        table.push([
            label.to_string(),
            name.clone(),
            pixels,
            share,
            images,
            weight(balanced),
            weight(inverse),
        ]);
    }
    if stats.pixels(VOID) > 0 {
        let (pixels, images) = (stats.pixels(VOID).to_string(), stats.images_with(VOID).to_string());
        table.push([VOID.to_string(), "(void)".into(), pixels, String::new(), images]);
    }
    let mut text = format!("{table}\n");
    let channels = |values: [f64; 3]| values.map(|value| format!("{value:.4}")).join("  ");
    let _ = writeln!(
        text,
        "red, green, blue, 0..=1:  mean {}   deviation {}",
        channels(stats.mean()),
        channels(stats.deviation())
    );
    text + &sizes(stats) + "\n" + FORMULAS
}

/// The size histogram as bars.
fn sizes(stats: &Stats) -> String {
    let Some([[narrowest, lowest], [widest, highest]]) = stats.extent() else { return String::new() };
    if (narrowest, lowest) == (widest, highest) {
        return format!("every image is {widest} x {highest} pixels\n");
    }
    let mut text = format!(
        "width {narrowest} to {widest}, height {lowest} to {highest} pixels; images by their longer side:\n"
    );
    let bins = stats.sizes();
    let most = bins.iter().map(|bin| bin.images).max().unwrap_or(1);
    for bin in bins {
        let range = bin.to.map_or(format!("over {}", bin.from - 1), |to| format!("{}..={to}", bin.from));
        let bar = "#".repeat((40 * bin.images).div_ceil(most) as usize);
        let _ = writeln!(text, "{range:>12} {:>8}  {bar}", bin.images);
    }
    text
}

fn document(set: &str, stats: &Stats, names: &[String]) -> Value {
    let (balanced, inverse) =
        (stats.median_frequency_weights(names.len()), stats.inverse_log_weights(names.len()));
    let classes: Vec<Value> = (0..VOID)
        .zip(names)
        .zip(balanced.iter().zip(&inverse))
        .map(|((label, name), (balanced, inverse))| {
            json!({
                "label": label,
                "name": name,
                "pixels": stats.pixels(label),
                "share": stats.share(label),
                "images": stats.images_with(label),
                "median-frequency-weight": balanced,
                "inverse-log-weight": inverse,
            })
        })
        .collect();
    let sizes: Vec<Value> = stats
        .sizes()
        .into_iter()
        .map(|bin| json!({ "longer-side-from": bin.from, "longer-side-to": bin.to, "images": bin.images }))
        .collect();
    json!({
        "set": set,
        "images": stats.images(),
        "labelled-pixels": stats.labelled(),
        "void-pixels": stats.pixels(VOID),
        "classes": classes,
        "mean": stats.mean(),
        "deviation": stats.deviation(),
        "smallest": stats.extent().map(|[smallest, _]| smallest),
        "largest": stats.extent().map(|[_, largest]| largest),
        "sizes": sizes,
    })
}
