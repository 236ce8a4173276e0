//! What a network says about an image.

use candle_core::Tensor;

/// What a network of this crate, but AGRNet, says about images of (N, channels, H, W).
#[derive(Debug, Clone)]
pub struct Output {
    /// Class scores, (N, classes, H, W).
    pub logits: Tensor,
    /// Class scores of the auxiliary head on an inner level, (N, classes, H, W), from networks built with
    /// one: a second loss on them, usually weighted 0.4, helps to train the layers below.
    pub aux: Option<Tensor>,
}
