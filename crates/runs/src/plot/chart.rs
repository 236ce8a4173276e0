//! One chart as SVG and PNG.

use std::io::Write;
use std::path::{Path, PathBuf};

use epaint_default_fonts::UBUNTU_LIGHT;
use image::codecs::png::PngEncoder;
use image::imageops::{FilterType, resize};
use image::{ExtendedColorType, ImageEncoder, RgbImage};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::{FontStyle, register_font};

use crate::report::thinned;
use crate::{Error, write_atomically};

/// Some curves in one frame.
pub(super) struct Chart {
    title: String,
    /// What the horizontal axis shows.
    x_name: &'static str,
    curves: Vec<Curve>,
    /// Lowest and highest x, lowest and highest value shown.
    x: [f64; 2],
    y: [f64; 2],
}

/// Points (x, y) in the order of x.
pub(super) struct Curve {
    name: String,
    raw: Vec<[f64; 2]>,
    smooth: Vec<[f64; 2]>,
}

impl Curve {
    /// Of so many points that a picture can show them.
    pub(super) fn new(name: String, points: &[[f64; 2]], smoothing: f64) -> Self {
        let raw = thinned(points, POINTS);
        Self { name, smooth: smoothed(&raw, smoothing), raw }
    }
}

/// In pixels.
pub(super) const SIZE: (u32, u32) = (1200, 675);
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
    /// Of some curves; the values' range leaves out spikes.
    pub(super) fn new(title: String, x_name: &'static str, curves: Vec<Curve>) -> Self {
        let part = |part: usize, points: fn(&Curve) -> &Vec<[f64; 2]>| -> Vec<f64> {
            curves.iter().flat_map(points).map(|point| point[part]).collect()
        };
        let x = part(0, |curve| &curve.raw);
        let mut y = part(1, |curve| &curve.smooth);
        y.extend(without_outliers(part(1, |curve| &curve.raw)));
        Self { title, x_name, x: range(&x, 0.0), y: range(&y, MARGIN), curves }
    }

    /// The same with both axes from 0 to 1.
    pub(super) fn of_shares(self) -> Self {
        Self { x: [0.0, 1.0], y: [0.0, 1.0], ..self }
    }

    /// Writes `NAME.svg` and `NAME.png` and gives their paths.
    pub(super) fn write(&self, folder: &Path, name: &str) -> Result<Vec<PathBuf>, Error> {
        let mut written = Vec::new();
        for (ending, bytes) in [("svg", self.svg()), ("png", self.png())] {
            let path = folder.join(format!("{name}.{ending}"));
            let bytes = bytes.map_err(|reason| Error::write(&path, std::io::Error::other(reason)))?;
            write_atomically(&path, |file| file.write_all(&bytes))?;
            written.push(path);
        }
        Ok(written)
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
            .x_label_formatter(&|x| if self.x[1] > 10.0 { format!("{x:.0}") } else { short(*x) })
            .y_label_formatter(&|value| short(*value))
            .x_desc(self.x_name)
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

    #[test]
    fn the_legend_avoids_the_curve() {
        let corner = |value: fn(f64) -> f64| {
            let raw: Vec<[f64; 2]> = (0..=20).map(|step| [f64::from(step), value(f64::from(step))]).collect();
            let curves = vec![Curve { name: "a".into(), smooth: raw.clone(), raw }];
            Chart { title: String::new(), x_name: "step", curves, x: [0.0, 20.0], y: [0.0, 20.0] }
                .emptiest_corner()
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
