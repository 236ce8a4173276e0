//! SqueezeNets trained on ImageNet.

use super::{Misfit, owned};
use crate::KeyMap;

/// torchvision's `squeezenet1_0` and `squeezenet1_1`.
pub(super) fn torchvision() -> KeyMap {
    KeyMap::new("torchvision's SqueezeNet", owned([("features", "backbone.features")]), &["classifier"])
}

/// In a network of version 1.1.
pub(super) const VERSION_1_0: Misfit = Misfit {
    parameter: "backbone.features.0.weight",
    shape: &[96, 3, 7, 7],
    advice: "these are weights of SqueezeNet 1.0; this network has a SqueezeNet 1.1: take torchvision's squeezenet1_1, whose \
             features.0.weight has the shape [64, 3, 3, 3]",
};

/// In a network of version 1.0.
pub(super) const VERSION_1_1: Misfit = Misfit {
    parameter: "backbone.features.0.weight",
    shape: &[64, 3, 3, 3],
    advice: "these are weights of SqueezeNet 1.1; this network has a SqueezeNet 1.0: take torchvision's squeezenet1_0, whose \
             features.0.weight has the shape [96, 3, 7, 7]",
};
