//! Networks of well-known repositories of one network each.

use super::{conv_norm, owned};
use crate::KeyMap;

/// PSPNet of hszhao's semseg.
pub(super) fn semseg_pspnet() -> KeyMap {
    // A stem of convolution, norm and ReLU three times.
    let mut pairs = owned([
        ("layer0.0", "backbone.conv1"),
        ("layer0.1", "backbone.bn1"),
        ("layer0.3", "backbone.conv2"),
        ("layer0.4", "backbone.bn2"),
        ("layer0.6", "backbone.conv3"),
        ("layer0.7", "backbone.bn3"),
        ("layer1", "backbone.layer1"),
        ("layer2", "backbone.layer2"),
        ("layer3", "backbone.layer3"),
        ("layer4", "backbone.layer4"),
        ("cls.4", "score"),
        ("aux.4", "aux_score"),
    ]);
    // Place 0 of a bin is its pooling.
    pairs.extend(
        (0..4).flat_map(|bin| conv_norm(&format!("ppm.features.{bin}"), 1, &format!("pyramid.{bin}"))),
    );
    pairs.extend(conv_norm("cls", 0, "fuse"));
    pairs.extend(conv_norm("aux", 0, "aux_fuse"));
    KeyMap::new("semseg's PSPNet", pairs, &[])
}

/// U-Net of milesial's Pytorch-UNet.
pub(super) fn milesial_unet() -> KeyMap {
    let mut pairs = double_conv("inc", "stem");
    for level in 0..4 {
        let (down, up) = (format!("down{}.maxpool_conv.1", level + 1), format!("up{}", level + 1));
        pairs.extend(double_conv(&down, &format!("down.{level}")));
        pairs.extend(double_conv(&format!("{up}.conv"), &format!("up.{level}")));
        pairs.push((format!("{up}.up"), format!("deconv.{level}")));
    }
    pairs.extend(owned([("outc.conv", "score")]));
    KeyMap::new("milesial's U-Net", pairs, &[])
}

/// Convolution, norm and ReLU twice.
fn double_conv(theirs: &str, ours: &str) -> Vec<(String, String)> {
    let theirs = format!("{theirs}.double_conv");
    let first = conv_norm(&theirs, 0, &format!("{ours}.first"));
    first.into_iter().chain(conv_norm(&theirs, 3, &format!("{ours}.second"))).collect()
}
