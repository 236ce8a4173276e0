//! How a picture of any size is shown to a network that was trained on pictures of one size.

use anyhow::{Context, Result, bail};
use candle_core::{Device, Tensor};
use image::{Rgb, RgbImage, imageops};
use sconce_backbones::normalize;
use sconce_data::{Assembly, Tiles, image_tensor, resize_image};
use sconce_tensors::{Corners, resize_bilinear, softmax_channels};
use serde::Deserialize;

use super::Config;
use super::network::Network;

/// What scoring and prediction do beyond one look at the picture: `[test]`.
///
/// Probabilities of all looks are averaged at the picture's own size.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Looks {
    /// Factors of the size at which the network sees a picture. `[1.0]` is that size alone.
    pub(super) scales: Vec<f64>,
    /// Whether it also sees every look mirrored.
    pub(super) flip: bool,
    /// Cuts pictures up that are larger; without this table they are seen as a whole.
    pub(super) windows: Option<Windows>,
}

/// A window that slides over pictures larger than it is: `[test.windows]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Windows {
    /// Rows and columns in pixels, usually those of the training's crop.
    size: [usize; 2],
    /// Pixels that neighbours share at least; their probabilities are blended there. A third of the size is usual. A whole number of
    /// the network's strides from window to window keeps its grid.
    overlap: usize,
}

impl Default for Looks {
    /// One look at the whole picture.
    fn default() -> Self {
        Self { scales: vec![1.0], flip: false, windows: None }
    }
}

impl Looks {
    /// Checks the numbers; `crop` tells whether the network is trained on crops.
    pub(super) fn check(&self, crop: bool) -> Result<()> {
        if self.scales.is_empty() {
            bail!("test.scales is empty: name at least one, such as [1.0]");
        }
        if let Some(scale) = self.scales.iter().find(|scale| !(0.1..=8.0).contains(*scale)) {
            bail!("test.scales has {scale}; a scale is from 0.1 to 8");
        }
        let Some(Windows { size: [rows, columns], overlap }) = self.windows else { return Ok(()) };
        if !crop {
            bail!(
                "[test.windows] needs [augment.crop]: without it the network is trained on, and sees, whole pictures at augment.size"
            );
        }
        if overlap >= rows.min(columns) {
            bail!(
                "test.windows.overlap is {overlap} pixels; it must be less than the windows' {rows} x {columns}"
            );
        }
        Ok(())
    }
}

/// How a config's network sees pictures.
#[derive(Debug, Clone)]
pub(super) struct View {
    /// Rows and columns to which every picture is stretched; none where it is seen at its own scale.
    stretched: Option<(usize, usize)>,
    /// Rows and columns of a crop, whose remainders by the stride padded pictures have too.
    crop: (usize, usize),
    stride: usize,
    /// What is seen beyond the picture.
    fill: Rgb<u8>,
    looks: Looks,
    device: Device,
}

impl View {
    /// Of one look at the whole picture, as during training.
    pub(super) fn plain(config: &Config) -> Self {
        let crop = (config.augment.size[0], config.augment.size[1]);
        let stretched = config.augment.crop.is_none().then_some(crop);
        let fill = Rgb(config.augment.fill.unwrap_or_default());
        let (stride, device) = (config.model.stride(), config.device.clone());
        Self { stretched, crop, stride, fill, looks: Looks::default(), device }
    }

    /// Of the looks that the config asks for.
    pub(super) fn of(config: &Config) -> Self {
        Self { looks: config.test.clone().unwrap_or_default(), ..Self::plain(config) }
    }

    /// The most pixels that the network sees at once of a picture of (rows, columns).
    pub(super) fn most_seen(&self, own: (usize, usize)) -> f64 {
        let largest = self.looks.scales.iter().copied().fold(0.0, f64::max);
        let (rows, columns) = self.stretched.unwrap_or(own);
        let seen = (rows * columns) as f64 * largest.powi(2);
        match self.looks.windows {
            Some(Windows { size: [rows, columns], .. }) => seen.min((rows * columns) as f64),
            None => seen,
        }
    }

    /// Scores (1, classes, H, W) at the picture's own size, of one look at the whole picture.
    pub(super) fn logits(&self, network: &Network, image: &RgbImage) -> Result<Tensor> {
        match self.stretched {
            Some(size) => self.stretched_logits(network, image, size, size_of(image)),
            None => self.padded_logits(network, image),
        }
    }

    /// Probabilities (1, classes, H, W) at the picture's own size: the mean of all looks.
    pub(super) fn probabilities(&self, network: &Network, image: &RgbImage) -> Result<Tensor> {
        let mut sum: Option<Tensor> = None;
        let mut looks = 0;
        for &scale in &self.looks.scales {
            let own = self.look(network, image, scale)?;
            let mirrored = match self.looks.flip {
                true => Some(self.look(network, &imageops::flip_horizontal(image), scale)?.flip(&[3])?),
                false => None,
            };
            for look in [Some(own), mirrored].into_iter().flatten() {
                looks += 1;
                sum = Some(match sum {
                    Some(sum) => (sum + look)?,
                    None => look,
                });
            }
        }
        let sum = sum.context("a network needs at least one look at a picture")?;
        Ok(if looks == 1 { sum } else { (sum / f64::from(looks))? })
    }

    /// Probabilities of one look, at the picture's own size.
    fn look(&self, network: &Network, image: &RgbImage, scale: f64) -> Result<Tensor> {
        let own = size_of(image);
        let scaled = |(rows, columns): (usize, usize)| {
            let side = |side: usize| ((side as f64 * scale).round() as usize).max(1);
            (side(rows), side(columns))
        };
        if let Some(size) = self.stretched {
            return Ok(softmax_channels(&self.stretched_logits(network, image, scaled(size), own)?)?);
        }
        let image = resize_image(image, scaled(own))?;
        let probabilities = match self.looks.windows {
            Some(windows) if windows.is_smaller_than(&image) => {
                windows.blended(&image, self.fill, &self.device, |window| {
                    Ok(softmax_channels(&network.forward_t(&self.input(window)?, false)?.logits)?)
                })?
            }
            _ => softmax_channels(&self.padded_logits(network, &image)?)?,
        };
        Ok(resize_bilinear(&probabilities, own, Corners::HalfPixel)?)
    }

    /// Scores at the size `own` of a picture that the network sees stretched to `size`.
    fn stretched_logits(
        &self,
        network: &Network,
        image: &RgbImage,
        size: (usize, usize),
        own: (usize, usize),
    ) -> Result<Tensor> {
        let logits = network.forward_t(&self.input(&resize_image(image, size)?)?, false)?.logits;
        Ok(resize_bilinear(&logits, own, Corners::HalfPixel)?)
    }

    /// Scores of a picture at its own scale. The network's grid lies over the padded picture as it lay over the crops of the training.
    fn padded_logits(&self, network: &Network, image: &RgbImage) -> Result<Tensor> {
        let (rows, columns) = size_of(image);
        let padded = (self.padded(rows, self.crop.0), self.padded(columns, self.crop.1));
        let whole = padded_image(image, padded, self.fill);
        let logits = network.forward_t(&self.input(&whole)?, false)?.logits;
        Ok(logits.narrow(2, 0, rows)?.narrow(3, 0, columns)?.contiguous()?)
    }

    /// What the network sees of a picture, (1, 3, H, W).
    fn input(&self, image: &RgbImage) -> Result<Tensor> {
        input(image, &self.device)
    }

    /// The least side from `side` on with the crop's remainder by the stride.
    fn padded(&self, side: usize, crop: usize) -> usize {
        let wanted = crop % self.stride;
        side + (self.stride + wanted - side % self.stride) % self.stride
    }
}

impl Windows {
    fn is_smaller_than(&self, image: &RgbImage) -> bool {
        let ((rows, columns), [window_rows, window_columns]) = (size_of(image), self.size);
        rows > window_rows || columns > window_columns
    }

    /// The maps (1, channels, rows, columns) of all windows as one of the picture's size.
    fn blended(
        &self,
        image: &RgbImage,
        fill: Rgb<u8>,
        device: &Device,
        mut see: impl FnMut(&RgbImage) -> Result<Tensor>,
    ) -> Result<Tensor> {
        let ((rows, columns), [window_rows, window_columns]) = (size_of(image), self.size);
        let padded = (rows.max(window_rows), columns.max(window_columns));
        let image = padded_image(image, padded, fill);
        let tiles = Tiles::new(padded, (window_rows, window_columns), self.overlap)?;
        let mut whole: Option<(usize, Assembly)> = None;
        for tile in tiles.iter() {
            let map = see(&tiles.cut(&image, tile))?;
            let channels = map.dim(1)?;
            let (_, assembly) = whole.get_or_insert_with(|| (channels, Assembly::new(&tiles, channels)));
            assembly.add(tile, &map.flatten_all()?.to_vec1::<f32>()?)?;
        }
        let (channels, assembly) = whole.context("a picture has at least one window")?;
        let map = Tensor::from_vec(assembly.finish()?, (1, channels, padded.0, padded.1), device)?;
        Ok(map.narrow(2, 0, rows)?.narrow(3, 0, columns)?.contiguous()?)
    }
}

/// The picture in the upper left corner of a larger one.
fn padded_image(image: &RgbImage, (rows, columns): (usize, usize), fill: Rgb<u8>) -> RgbImage {
    let mut padded = RgbImage::from_pixel(columns as u32, rows as u32, fill);
    imageops::replace(&mut padded, image, 0, 0);
    padded
}

/// Rows and columns.
fn size_of(image: &RgbImage) -> (usize, usize) {
    (image.height() as usize, image.width() as usize)
}

/// A picture as networks see it, (1, 3, H, W).
fn input(image: &RgbImage, device: &Device) -> Result<Tensor> {
    Ok(normalize(&image_tensor([image], device)?)?)
}

#[cfg(test)]
impl View {
    /// With other looks.
    pub(super) fn with(self, looks: Looks) -> Self {
        Self { looks, ..self }
    }

    /// With one look.
    pub(super) fn alone(self) -> Self {
        self.with(Looks::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sconce_backbones::resnet::{self, OutputStride, SmallConfig};
    use sconce_backbones::{Backbone, Resnet};
    use sconce_tensors::Parameters;

    fn picture(width: u32, height: u32) -> RgbImage {
        RgbImage::from_fn(width, height, |x, y| {
            let value = |part: u32| ((x * (7 + part) + y * (13 + 2 * part) + x * y % 31) % 256) as u8;
            Rgb([value(0), value(1), value(2)])
        })
    }

    const BLACK: Rgb<u8> = Rgb([0; 3]);

    /// Rows of maps of one picture.
    fn rows(map: &Tensor) -> Vec<Vec<f32>> {
        map.get(0).and_then(|map| map.get(0)).and_then(|map| map.to_vec2()).unwrap()
    }

    #[test]
    fn what_looks_at_one_pixel_is_the_same_through_windows() {
        let image = picture(50, 41);
        let bright = |image: &RgbImage| Ok(softmax_channels(&input(image, &Device::Cpu)?)?);
        let windows = Windows { size: [16, 24], overlap: 5 };
        let (whole, blended) =
            (bright(&image).unwrap(), windows.blended(&image, BLACK, &Device::Cpu, bright).unwrap());
        assert_eq!(whole.dims(), blended.dims());
        for (whole, blended) in rows(&whole).iter().flatten().zip(rows(&blended).iter().flatten()) {
            assert!((whole - blended).abs() < 1e-6, "{whole} {blended}");
        }
    }

    /// Columns from which the backbone below sees no further than this.
    const RADIUS: u32 = 36;

    #[test]
    fn a_network_sees_the_same_through_windows_wherever_its_receptive_field_lies_in_them() {
        let small =
            SmallConfig { width: 4, blocks: [1, 1, 1, 1], stem_width: 4, stem_stride: 2, max_pool: false };
        let parameters = Parameters::new(5, &Device::Cpu);
        let architecture = resnet::Config::Small(small).dilated(OutputStride::Eight);
        let network = Resnet::new(&architecture, parameters.builder()).unwrap();
        let see = |image: &RgbImage| {
            let features = network.features(&input(image, &Device::Cpu)?, false)?;
            Ok(resize_bilinear(&features[3], size_of(image), Corners::HalfPixel)?)
        };
        let (image, windows) = (picture(224, 96), Windows { size: [96, 128], overlap: 80 });
        let (whole, blended) =
            (see(&image).unwrap(), windows.blended(&image, BLACK, &Device::Cpu, see).unwrap());
        let (whole, blended) = (rows(&whole), rows(&blended));
        let (mut inside, mut different) = (0, 0);
        for x in 0..224 {
            // The windows begin at columns 0, 48 and 96; their borders at the picture's own are no borders.
            let mut covering = [0, 48, 96].into_iter().filter(|left| (*left..left + 128).contains(&x));
            let far =
                |left: u32| (left == 0 || x - left >= RADIUS) && (left == 96 || left + 127 - x >= RADIUS);
            let far = covering.all(far);
            for y in 0..96 {
                let (whole, blended) = (whole[y][x as usize], blended[y][x as usize]);
                let same = (whole - blended).abs() <= 1e-4 * (1.0 + whole.abs());
                assert!(same || !far, "row {y}, column {x}: {whole} {blended}");
                different += usize::from(!same);
            }
            inside += usize::from(far);
        }
        assert!(inside > 90, "{inside} columns");
        assert!(different > 0, "nothing tells windows from the whole");
    }

    #[test]
    fn padded_sides_have_the_remainder_of_the_crop() {
        let view = |crop: usize, stride: usize| View {
            stretched: None,
            crop: (crop, crop),
            stride,
            fill: BLACK,
            looks: Looks::default(),
            device: Device::Cpu,
        };
        for (crop, stride, side, padded) in
            [(513, 16, 500, 513), (473, 8, 500, 505), (96, 8, 100, 104), (96, 8, 96, 96), (473, 8, 1, 1)]
        {
            assert_eq!(view(crop, stride).padded(side, crop), padded, "{crop} {stride} {side}");
        }
    }

    #[test]
    fn wrong_looks_are_named() {
        let looks = |text: &str| toml::from_str::<Looks>(text).unwrap();
        let message = |text: &str, crop: bool| looks(text).check(crop).unwrap_err().to_string();
        assert!(message("scales = []\nflip = true", true).contains("test.scales is empty"));
        assert!(message("scales = [1.0, 0.0]\nflip = true", true).contains("test.scales has 0"));
        let windows = "scales = [1.0]\nflip = true\nwindows = { size = [8, 9], overlap = 8 }";
        assert!(message(windows, true).contains("test.windows.overlap is 8"));
        assert!(message(&windows.replace("overlap = 8", "overlap = 4"), false).contains("[augment.crop]"));
        looks(&windows.replace("overlap = 8", "overlap = 4")).check(true).unwrap();
    }
}
