//! ResNets trained on ImageNet.

use super::{Misfit, owned};
use crate::KeyMap;

/// torchvision's `resnet50`, `resnet101` and `resnet152`.
pub(super) fn plain() -> KeyMap {
    KeyMap::new("torchvision's ResNet", owned(PLAIN), &["fc"])
}

/// The ones whose stem is three 3x3 convolutions, as semseg's `resnet50_v2.pth`.
pub(super) fn deep() -> KeyMap {
    KeyMap::new("the ResNet with a deep stem", deep_stem_pairs(), &["fc"])
}

pub(super) fn deep_stem_pairs() -> Vec<(String, String)> {
    let stem = ["conv2", "bn2", "conv3", "bn3"].map(|name| (name.to_owned(), format!("backbone.{name}")));
    owned(PLAIN).into_iter().chain(stem).collect()
}

const PLAIN: [(&str, &str); 6] = [
    ("conv1", "backbone.conv1"),
    ("bn1", "backbone.bn1"),
    ("layer1", "backbone.layer1"),
    ("layer2", "backbone.layer2"),
    ("layer3", "backbone.layer3"),
    ("layer4", "backbone.layer4"),
];

pub(super) const PLAIN_STEM: Misfit = Misfit {
    parameter: "backbone.conv1.weight",
    shape: &[64, 3, 7, 7],
    advice: "these are weights of a ResNet whose stem is one 7x7 convolution, as torchvision's; this network's stem is three 3x3 \
             convolutions: take weights of a ResNet with a deep stem (v1c, or semseg's resnet50_v2.pth), whose conv1.weight has the shape \
             [64, 3, 3, 3]",
};

pub(super) const DEEP_STEM: Misfit = Misfit {
    parameter: "backbone.conv1.weight",
    shape: &[64, 3, 3, 3],
    advice: "these are weights of a ResNet whose stem is three 3x3 convolutions; this network's stem is one 7x7 convolution: take \
             torchvision's weights, whose conv1.weight has the shape [64, 3, 7, 7]",
};
