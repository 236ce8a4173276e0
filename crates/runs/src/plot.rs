//! Curves of one or several runs as pictures: SVG to enlarge, PNG to paste.

use std::io::Write;
use std::path::{Path, PathBuf};

use epaint_default_fonts::UBUNTU_LIGHT;
use image::codecs::png::PngEncoder;
use image::imageops::{FilterType, resize};
use image::{ExtendedColorType, ImageEncoder, RgbImage};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::{FontStyle, register_font};

use crate::report::{thinned, title};
use crate::{Error, Rows, Run, write_atomically};

/// What [`plot`] draws.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PlotConfig {
    /// Columns of log.tsv, epochs.tsv and times.tsv; all that there are if empty.
    pub columns: Vec<String>,
    /// How much of the running mean a further point leaves as it was, 0 (no smoothing) to below 1.
    pub smoothing: f64,
}

/// Draws a chart of each column, with a curve for each run that has it, into `folder` as `COLUMN.svg` and `COLUMN.png`.
/// Gives the files written.
///
/// # Errors
///
/// No run has the column, a log cannot be read, or a file cannot be written.
pub fn plot(runs: &[Run], folder: &Path, config: &PlotConfig) -> Result<Vec<PathBuf>, Error> {
    let logs: Vec<(&Run, Vec<Rows>)> =
        runs.iter().map(|run| Ok((run, logs(run)?))).collect::<Result<_, Error>>()?;
    let known = columns(&logs);
    let wanted = if config.columns.is_empty() { &known } else { &config.columns };
    if let Some(column) = wanted.iter().find(|column| !known.contains(column)) {
        return Err(Error::NoColumn { column: column.clone(), known });
    }
    let mut written = Vec::new();
    for column in wanted {
        let chart = Chart::new(column, &logs, config.smoothing);
        for (ending, bytes) in [("svg", chart.svg()), ("png", chart.png())] {
            let path = folder.join(format!("{}.{ending}", column.replace(['/', '\\'], "_")));
            let bytes = bytes.map_err(|reason| Error::write(&path, std::io::Error::other(reason)))?;
            write_atomically(&path, |file| file.write_all(&bytes))?;
            written.push(path);
        }
    }
    Ok(written)
}

/// The logs that the run has.
fn logs(run: &Run) -> Result<Vec<Rows>, Error> {
    let paths = ["log.tsv", "epochs.tsv", "times.tsv"].map(|name| run.folder().join(name));
    paths.iter().filter(|path| path.exists()).map(|path| Rows::read(path)).collect()
}

/// All columns that hold a number, in the order of the files.
fn columns(runs: &[(&Run, Vec<Rows>)]) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for rows in runs.iter().flat_map(|(_, logs)| logs) {
        for column in &rows.columns {
            let number = !["step", "epoch", "images"].contains(&column.as_str());
            if number && !found.contains(column) && !rows.points(column).is_empty() {
                found.push(column.clone());
            }
        }
    }
    found
}

/// One column of some runs.
struct Chart {
    title: String,
    curves: Vec<Curve>,
    /// Lowest and highest step, lowest and highest value shown.
    x: [f64; 2],
    y: [f64; 2],
}

struct Curve {
    name: String,
    raw: Vec<[f64; 2]>,
    smooth: Vec<[f64; 2]>,
}

/// In pixels.
const SIZE: (u32, u32) = (1200, 675);
/// The PNG is drawn so much larger and then made smaller, which smooths its lines.
const OVERSAMPLING: u32 = 2;
/// Of one curve at most.
const POINTS: usize = 2000;
const FONT: &str = "sans-serif";
/// As in a report on white.
const COLOURS: [RGBColor; 8] = [
    RGBColor(37, 99, 184),
    RGBColor(198, 89, 17),
    RGBColor(35, 133, 91),
    RGBColor(141, 68, 173),
    RGBColor(176, 137, 0),
    RGBColor(194, 57, 123),
    RGBColor(15, 138, 157),
    RGBColor(107, 111, 118),
];
const INK: RGBColor = RGBColor(70, 75, 84);
const GRID: RGBColor = RGBColor(227, 228, 225);

impl Chart {
    fn new(column: &str, runs: &[(&Run, Vec<Rows>)], smoothing: f64) -> Self {
        let curve = |(run, logs): &(&Run, Vec<Rows>)| {
            let raw = logs.iter().map(|rows| rows.points(column)).find(|points| !points.is_empty())?;
            let raw = thinned(&raw, POINTS);
            Some(Curve { name: run.name(), smooth: smoothed(&raw, smoothing), raw })
        };
        let curves: Vec<Curve> = runs.iter().filter_map(curve).collect();
        let part = |part: usize, points: fn(&Curve) -> &Vec<[f64; 2]>| -> Vec<f64> {
            curves.iter().flat_map(points).map(|point| point[part]).collect()
        };
        let x = part(0, |curve| &curve.raw);
        let mut y = part(1, |curve| &curve.smooth);
        y.extend(without_outliers(part(1, |curve| &curve.raw)));
        Self { title: title(column), x: range(&x, 0.0), y: range(&y, MARGIN), curves }
    }

    /// Where the fewest points lie, so that the legend hides none if it can.
    fn emptiest_corner(&self) -> SeriesLabelPosition {
        use SeriesLabelPosition::{LowerLeft, LowerRight, UpperLeft, UpperRight};
        let share = |value: f64, [low, high]: [f64; 2]| (value - low) / (high - low);
        let points = |right: bool, upper: bool| {
            let curves = self.curves.iter().flat_map(|curve| curve.raw.iter().chain(&curve.smooth));
            let inside = |point: &&[f64; 2]| {
                let (x, y) = (share(point[0], self.x), share(point[1], self.y));
                (if right { x > 0.6 } else { x < 0.4 }) && (if upper { y > 0.75 } else { y < 0.25 })
            };
            curves.filter(inside).count()
        };
        let corners = [UpperRight, LowerRight, UpperLeft, LowerLeft];
        let counts = [points(true, true), points(true, false), points(false, true), points(false, false)];
        let fewest = counts.iter().min().and_then(|least| counts.iter().position(|count| count == least));
        corners.into_iter().nth(fewest.unwrap_or_default()).unwrap_or(UpperRight)
    }

    fn svg(&self) -> Result<Vec<u8>, String> {
        let mut text = String::new();
        self.draw(SVGBackend::with_string(&mut text, SIZE).into_drawing_area(), 1)?;
        Ok(text.into_bytes())
    }

    fn png(&self) -> Result<Vec<u8>, String> {
        let (width, height) = (SIZE.0 * OVERSAMPLING, SIZE.1 * OVERSAMPLING);
        let mut picture = RgbImage::new(width, height);
        self.draw(
            BitMapBackend::with_buffer(&mut picture, (width, height)).into_drawing_area(),
            OVERSAMPLING,
        )?;
        let picture = resize(&picture, SIZE.0, SIZE.1, FilterType::Triangle);
        let mut bytes = Vec::new();
        let encoder = PngEncoder::new(&mut bytes);
        let written = encoder.write_image(&picture, SIZE.0, SIZE.1, ExtendedColorType::Rgb8);
        written.map_err(|error| error.to_string())?;
        Ok(bytes)
    }

    /// Draws with all lengths times `scale`.
    fn draw<B: DrawingBackend>(&self, area: DrawingArea<B, Shift>, scale: u32) -> Result<(), String> {
        register_font(FONT, FontStyle::Normal, UBUNTU_LIGHT).map_err(|_| "the font is damaged")?;
        self.draw_with_font(&area, scale).and_then(|()| area.present()).map_err(|error| error.to_string())
    }

    fn draw_with_font<B: DrawingBackend>(
        &self,
        area: &DrawingArea<B, Shift>,
        scale: u32,
    ) -> Result<(), DrawingAreaErrorKind<B::ErrorType>> {
        area.fill(&WHITE)?;
        let text = |size: u32| (FONT, size * scale).into_font().color(&INK);
        let mut chart = ChartBuilder::on(area)
            .margin(18 * scale)
            .caption(&self.title, text(28))
            .x_label_area_size(48 * scale)
            .y_label_area_size(76 * scale)
            .build_cartesian_2d(self.x[0]..self.x[1], self.y[0]..self.y[1])?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID.stroke_width(scale))
            .axis_style(GRID.stroke_width(scale))
            .label_style(text(18))
            .x_label_formatter(&|step| format!("{step:.0}"))
            .y_label_formatter(&|value| short(*value))
            .x_desc("step")
            .draw()?;
        for (curve, colour) in self.curves.iter().zip(COLOURS.iter().cycle()) {
            let shown = |points: &[[f64; 2]]| -> Vec<(f64, f64)> {
                points.iter().map(|[step, value]| (*step, value.clamp(self.y[0], self.y[1]))).collect()
            };
            if curve.raw != curve.smooth {
                chart
                    .draw_series(LineSeries::new(shown(&curve.raw), colour.mix(0.25).stroke_width(scale)))?;
            }
            let style = colour.stroke_width(2 * scale);
            let (length, radius) = (24 * scale as i32, 4 * scale);
            chart
                .draw_series(LineSeries::new(shown(&curve.smooth), style))?
                .label(&curve.name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + length, y)], style));
            if let [point] = curve.raw[..] {
                chart.draw_series([Circle::new((point[0], point[1]), radius, colour.filled())])?;
            }
        }
        if self.curves.len() > 1 {
            let mut legend = chart.configure_series_labels();
            legend.legend_area_size(34 * scale).margin(12 * scale).label_font(text(18));
            legend.position(self.emptiest_corner()).background_style(WHITE.mix(0.85)).draw()?;
        }
        Ok(())
    }
}

/// Of the values' span, above and below them.
const MARGIN: f64 = 0.05;

/// Lowest and highest with a margin; never without extent.
fn range(values: &[f64], margin: f64) -> [f64; 2] {
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let margin = if high > low { margin * (high - low) } else { (low.abs() / 10.0).max(1e-3) };
    [low - margin, high + margin]
}

/// Without one in fifty at either end, so that a spike does not flatten the rest.
fn without_outliers(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    let cut = values.len() / 50;
    values[cut..values.len() - cut].to_vec()
}

/// The running mean of the values so far, in which a value's weight falls by `weight` with every later point.
fn smoothed(points: &[[f64; 2]], weight: f64) -> Vec<[f64; 2]> {
    let (mut sum, mut total) = (0.0, 0.0);
    let next = |[step, value]: &[f64; 2]| {
        sum = weight * sum + (1.0 - weight) * value;
        total = weight * total + (1.0 - weight);
        [*step, sum / total]
    };
    if weight > 0.0 { points.iter().map(next).collect() } else { points.to_vec() }
}

/// A number of an axis.
fn short(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        size if !(1e-3..1e5).contains(&size) => format!("{value:.1e}"),
        _ => format!("{}", (value * 1e6).round() / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Log;

    fn run(root: &Path, name: &str) -> Run {
        let run = Run::create(root, name, "").unwrap();
        let mut log = Log::open(&run.log(), &["step", "epoch", "lr", "loss"]).unwrap();
        for step in 1..=60_u64 {
            let loss = if step == 30 { f64::NAN } else { 2.0 / step as f64 };
            log.append(&[step.into(), 1_u64.into(), 0.01.into(), loss.into()]).unwrap();
        }
        run
    }

    #[test]
    fn every_column_becomes_two_pictures() {
        let root = tempfile::tempdir().unwrap();
        let (a, b) = (run(root.path(), "a"), run(root.path(), "<b>"));
        let config = PlotConfig { smoothing: 0.5, ..PlotConfig::default() };
        let written = plot(&[a, b], &root.path().join("plots"), &config).unwrap();
        let names: Vec<_> = written.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["lr.svg", "lr.png", "loss.svg", "loss.png"]);
        let svg = std::fs::read_to_string(&written[2]).unwrap();
        assert!(svg.contains("<polyline") && svg.contains("loss") && svg.contains("&lt;b&gt;/"), "{svg}");
        assert!(!svg.contains("NaN") && !svg.contains("<b>"));
        let png = image::open(&written[3]).unwrap().into_rgb8();
        assert_eq!(png.dimensions(), SIZE);
        let orange = png.pixels().filter(|p| p.0[0] > 180 && p.0[1] < 120 && p.0[2] < 60).count();
        assert!(orange > 300, "{orange} pixels of the second run's curve");
    }

    #[test]
    fn an_unknown_column_lists_those_there_are() {
        let root = tempfile::tempdir().unwrap();
        let runs = [run(root.path(), "a")];
        let config = PlotConfig { columns: vec!["loss".into(), "lost".into()], smoothing: 0.0 };
        let error = plot(&runs, root.path(), &config).unwrap_err().to_string();
        assert!(error.contains("'lost'") && error.contains("lr, loss"), "{error}");
        assert!(!root.path().join("loss.svg").exists());
    }

    #[test]
    fn the_legend_avoids_the_curve() {
        let corner = |value: fn(f64) -> f64| {
            let raw: Vec<[f64; 2]> = (0..=20).map(|step| [f64::from(step), value(f64::from(step))]).collect();
            let curves = vec![Curve { name: "a".into(), smooth: raw.clone(), raw }];
            Chart { title: String::new(), curves, x: [0.0, 20.0], y: [0.0, 20.0] }.emptiest_corner()
        };
        assert!(matches!(corner(|x| 20.0 - x), SeriesLabelPosition::UpperRight));
        assert!(matches!(corner(|x| x), SeriesLabelPosition::LowerRight));
    }

    #[test]
    fn odd_values_have_a_range() {
        assert_eq!(range(&[1.0, 3.0], 0.5), [0.0, 4.0]);
        assert!(range(&[0.0], 0.05)[0] < 0.0 && range(&[5.0, 5.0], 0.05)[1] > 5.0);
        assert_eq!(without_outliers((0..100).map(f64::from).collect()).len(), 96);
        assert_eq!(smoothed(&[[1.0, 4.0], [2.0, 0.0]], 0.5), [[1.0, 4.0], [2.0, 4.0 / 3.0]]);
        assert_eq!(smoothed(&[[1.0, 4.0]], 0.0), [[1.0, 4.0]]);
        assert_eq!([0.0, 0.25, 1e-4, 2e6].map(short), ["0", "0.25", "1.0e-4", "2.0e6"]);
    }
}
