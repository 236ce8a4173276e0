//! What every backbone offers.

use candle_core::{Result, Tensor};

/// A network from an image to feature maps of several strides.
pub trait Backbone {
    /// Channels and stride of each feature map, the finest first.
    fn levels(&self) -> &[Level];

    /// The feature maps of `image`, in the order of [`levels`](Self::levels).
    ///
    /// With `train`, batch norm uses the batch's statistics and updates the running ones.
    ///
    /// # Shapes
    ///
    /// `image` (N, 3, H, W), normalised; map i is (N, channels, ceil(H / stride), ceil(W / stride)) of level i, or a little
    /// smaller where the network does not pad.
    ///
    /// # Errors
    ///
    /// When the image has another shape, or a batch in training is too small for batch norm.
    fn features(&self, image: &Tensor, train: bool) -> Result<Vec<Tensor>>;
}

/// The shape of one feature map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level {
    /// Number of channels.
    pub channels: usize,
    /// Image pixels per feature pixel, along each axis.
    pub stride: usize,
}
