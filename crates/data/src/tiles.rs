//! Large pictures in overlapping tiles, and one map of the tiles' maps.

use image::{GrayImage, ImageBuffer, Luma, Pixel, Rgb, RgbImage};

use crate::dataset::VOID;
use crate::error::Error;

/// The tiles that cover a picture, in reading order.
///
/// Neighbours overlap by `overlap` pixels; the last ones of a row or column are shifted inwards and overlap by more. All
/// have one size. A picture smaller than that, in height or width, is padded at the bottom or right.
///
/// ```
/// use sconce_data::{Assembly, Tiles};
///
/// let tiles = Tiles::new((100, 300), (128, 128), 32)?;
/// assert_eq!(tiles.iter().map(|tile| tile.left).collect::<Vec<_>>(), [0, 96, 172]);
/// let mut assembly = Assembly::new(&tiles, 1);
/// for tile in tiles.iter() {
///     assembly.add(tile, &vec![0.25; 128 * 128])?; // a network's map of `tiles.cut(&image, tile)`
/// }
/// assert_eq!(assembly.finish()?, vec![0.25; 100 * 300]);
/// # Ok::<(), sconce_data::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tiles {
    picture: (usize, usize),
    tile: (usize, usize),
    overlap: usize,
    rows: Vec<usize>,
    columns: Vec<usize>,
}

/// Where a tile lies in its picture, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tile {
    /// Row of the picture that is the tile's first.
    pub top: usize,
    /// Column of the picture that is the tile's first.
    pub left: usize,
}

impl Tiles {
    /// Covers a picture of `(height, width)` by tiles of `(height, width)`, all in pixels.
    ///
    /// # Errors
    /// [`Error::Config`] for a side of 0, or an overlap that is not smaller than both sides of a tile.
    pub fn new(picture: (usize, usize), tile: (usize, usize), overlap: usize) -> Result<Self, Error> {
        if [picture.0, picture.1, tile.0, tile.1].contains(&0) {
            let reason = format!(
                "a picture of {} x {} pixels and tiles of {} x {} (height x width): each side must be at least 1",
                picture.0, picture.1, tile.0, tile.1
            );
            return Err(Error::Config { key: "tiles", reason });
        }
        if overlap >= tile.0.min(tile.1) {
            let reason = format!("{overlap} pixels must be less than the tile's {} x {}", tile.0, tile.1);
            return Err(Error::Config { key: "overlap", reason });
        }
        let (rows, columns) = (starts(picture.0, tile.0, overlap), starts(picture.1, tile.1, overlap));
        Ok(Self { picture, tile, overlap, rows, columns })
    }

    /// The tiles, row by row.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Tile> + '_ {
        let across = self.columns.len();
        (0..self.rows.len() * across)
            .map(move |at| Tile { top: self.rows[at / across], left: self.columns[at % across] })
    }

    /// Height and width of every tile in pixels.
    #[must_use]
    pub fn size(&self) -> (usize, usize) {
        self.tile
    }

    /// A tile of the picture; black beyond it.
    #[must_use]
    pub fn cut(&self, image: &RgbImage, tile: Tile) -> RgbImage {
        self.window(image, tile, Rgb([0; 3]))
    }

    /// A tile of the picture's label map; [`VOID`] beyond it.
    #[must_use]
    pub fn cut_labels(&self, labels: &GrayImage, tile: Tile) -> GrayImage {
        self.window(labels, tile, Luma([VOID]))
    }

    fn window<P: Pixel<Subpixel = u8>>(
        &self,
        image: &ImageBuffer<P, Vec<u8>>,
        tile: Tile,
        beyond: P,
    ) -> ImageBuffer<P, Vec<u8>> {
        ImageBuffer::from_fn(self.tile.1 as u32, self.tile.0 as u32, |x, y| {
            let pixel = image.get_pixel_checked(tile.left as u32 + x, tile.top as u32 + y);
            pixel.copied().unwrap_or(beyond)
        })
    }
}

/// First pixels of the tiles along a side.
fn starts(side: usize, tile: usize, overlap: usize) -> Vec<usize> {
    let last = side.saturating_sub(tile);
    (0..last).step_by(tile - overlap).chain([last]).collect()
}

/// The weighted mean of the maps of all tiles, built up tile by tile.
///
/// A tile's weight rises over the overlap from its border inwards, linearly and never from 0, so that maps blend into
/// each other without a seam. Memory is that of the whole map and its weights, whatever the number of tiles.
#[derive(Debug, Clone)]
pub struct Assembly {
    tiles: Tiles,
    channels: usize,
    /// (channels, height, width) of the picture.
    mean: Vec<f32>,
    /// (height, width): sum of the weights so far.
    weight: Vec<f32>,
    down: Vec<f32>,
    across: Vec<f32>,
}

impl Assembly {
    /// An empty map of this number of channels.
    #[must_use]
    pub fn new(tiles: &Tiles, channels: usize) -> Self {
        let area = tiles.picture.0 * tiles.picture.1;
        Self {
            tiles: tiles.clone(),
            channels,
            mean: vec![0.0; channels * area],
            weight: vec![0.0; area],
            down: ramp(tiles.tile.0, tiles.overlap),
            across: ramp(tiles.tile.1, tiles.overlap),
        }
    }

    /// Adds a tile's map; what lies beyond the picture is left out.
    ///
    /// # Shapes
    /// `values`: (channels, tile height, tile width), row by row.
    ///
    /// # Errors
    /// [`Error::Config`] for another number of values, or a tile that does not begin inside the picture.
    pub fn add(&mut self, tile: Tile, values: &[f32]) -> Result<(), Error> {
        let ((height, width), (rows, columns)) = (self.tiles.picture, self.tiles.tile);
        if values.len() != self.channels * rows * columns || tile.top >= height || tile.left >= width {
            let reason = format!(
                "{} values at row {}, column {}; a tile has {} x {rows} x {columns} and begins inside {height} x {width}",
                values.len(),
                tile.top,
                tile.left,
                self.channels
            );
            return Err(Error::Config { key: "tiles", reason });
        }
        for y in 0..rows.min(height - tile.top) {
            for x in 0..columns.min(width - tile.left) {
                let (at, weight) = ((tile.top + y) * width + tile.left + x, self.down[y] * self.across[x]);
                self.weight[at] += weight;
                // West's running mean (1979): equal values stay exactly as they are.
                let share = weight / self.weight[at];
                for channel in 0..self.channels {
                    let mean = &mut self.mean[channel * height * width + at];
                    *mean += (values[(channel * rows + y) * columns + x] - *mean) * share;
                }
            }
        }
        Ok(())
    }

    /// The map of the whole picture.
    ///
    /// # Shapes
    /// (channels, height, width) of the picture, row by row.
    ///
    /// # Errors
    /// [`Error::Config`] with the first pixel that no tile covered.
    pub fn finish(self) -> Result<Vec<f32>, Error> {
        match self.weight.iter().position(|weight| *weight == 0.0) {
            None => Ok(self.mean),
            Some(at) => {
                let (row, column) = (at / self.tiles.picture.1, at % self.tiles.picture.1);
                let reason = format!("no tile was added that covers row {row}, column {column}");
                Err(Error::Config { key: "tiles", reason })
            }
        }
    }
}

/// Weights along a side: up over the overlap, 1, and down again.
fn ramp(side: usize, overlap: usize) -> Vec<f32> {
    let rise = |at: usize| (at as f32 + 0.5) / overlap.max(1) as f32;
    (0..side).map(|at| rise(at).min(rise(side - 1 - at)).min(1.0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_last_tile_is_shifted_inwards_and_a_small_picture_has_one() {
        assert_eq!(starts(10, 4, 1), [0, 3, 6]);
        assert_eq!(starts(11, 4, 1), [0, 3, 6, 7]);
        assert_eq!((starts(4, 4, 1), starts(2, 4, 3)), (vec![0], vec![0]));
    }

    #[test]
    fn two_neighbours_cross_fade() {
        let tiles = Tiles::new((1, 12), (1, 8), 0).unwrap();
        assert_eq!(tiles.iter().map(|tile| tile.left).collect::<Vec<_>>(), [0, 4]);
        let tiles = Tiles::new((4, 12), (4, 8), 3).unwrap();
        assert_eq!(tiles.iter().map(|tile| tile.left).collect::<Vec<_>>(), [0, 4]);
        let tiles = Tiles::new((8, 12), (8, 8), 4).unwrap();
        let mut assembly = Assembly::new(&tiles, 1);
        for (value, tile) in [0.0, 1.0].into_iter().zip(tiles.iter()) {
            assembly.add(tile, &[value; 64]).unwrap();
        }
        let row = assembly.finish().unwrap()[..12].to_vec();
        let want = [0.0, 0.0, 0.0, 0.0, 0.125, 0.375, 0.625, 0.875, 1.0, 1.0, 1.0, 1.0];
        assert!(row.iter().zip(want).all(|(is, want)| (is - want).abs() < 1e-6), "{row:?}");
    }

    #[test]
    fn small_pictures_are_padded() {
        let image = RgbImage::from_pixel(3, 2, Rgb([9; 3]));
        let labels = GrayImage::from_pixel(3, 2, Luma([4]));
        let tiles = Tiles::new((2, 3), (4, 4), 1).unwrap();
        let only: Vec<Tile> = tiles.iter().collect();
        assert_eq!(only, [Tile { top: 0, left: 0 }]);
        let (image, labels) = (tiles.cut(&image, only[0]), tiles.cut_labels(&labels, only[0]));
        assert_eq!((image.dimensions(), labels.dimensions()), ((4, 4), (4, 4)));
        assert_eq!((image.get_pixel(2, 1)[0], image.get_pixel(3, 1)[0], image.get_pixel(2, 2)[0]), (9, 0, 0));
        assert_eq!((labels.get_pixel(2, 1)[0], labels.get_pixel(3, 1)[0]), (4, VOID));
    }

    #[test]
    fn what_cannot_be_is_an_error() {
        let message = |result: Result<Tiles, Error>| result.unwrap_err().to_string();
        assert!(message(Tiles::new((0, 4), (4, 4), 0)).starts_with("tiles: a picture of 0 x 4"));
        assert!(message(Tiles::new((9, 9), (4, 8), 4)).starts_with("overlap: 4 pixels must be less than"));
        let tiles = Tiles::new((4, 9), (4, 4), 1).unwrap();
        let mut assembly = Assembly::new(&tiles, 2);
        let first = tiles.iter().next().unwrap();
        assert!(assembly.add(first, &[0.0; 16]).unwrap_err().to_string().contains("16 values at row 0"));
        assert!(assembly.add(Tile { top: 4, left: 0 }, &[0.0; 32]).is_err());
        assembly.add(first, &[0.0; 32]).unwrap();
        assert!(assembly.finish().unwrap_err().to_string().contains("covers row 0, column 4"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn tiles_that_agree_give_the_picture_back(
            picture in (1usize..60, 1usize..60), tile in (1usize..30, 1usize..30), share in 0.0f64..1.0,
        ) {
            let overlap = (share * tile.0.min(tile.1) as f64) as usize;
            let tiles = Tiles::new(picture, tile, overlap).unwrap();
            let value = |channel: usize, y: usize, x: usize| ((channel * 31 + y * 7919 + x * 104_729) % 1009) as f32 / 50.0 - 10.0;
            let mut assembly = Assembly::new(&tiles, 2);
            for at in tiles.iter() {
                prop_assert!(at.top + tile.0 <= picture.0.max(tile.0) && at.left + tile.1 <= picture.1.max(tile.1));
                let mut map = Vec::new();
                for (channel, y) in (0..2).flat_map(|channel| (0..tile.0).map(move |y| (channel, y))) {
                    // Padding holds what the network makes of it, and must not be seen.
                    map.extend((0..tile.1).map(|x| {
                        let inside = at.top + y < picture.0 && at.left + x < picture.1;
                        if inside { value(channel, at.top + y, at.left + x) } else { f32::NAN }
                    }));
                }
                assembly.add(at, &map).unwrap();
            }
            let whole = assembly.finish().unwrap();
            for (at, is) in whole.iter().enumerate() {
                let (channel, pixel) = (at / (picture.0 * picture.1), at % (picture.0 * picture.1));
                prop_assert_eq!(*is, value(channel, pixel / picture.1, pixel % picture.1));
            }
        }
    }
}
