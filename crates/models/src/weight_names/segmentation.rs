//! Networks of well-known repositories of one network each.

use super::{conv_norm, owned, resnet};
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

/// AGRNet of tegusi's EAGRNet. Its norms are in place and scale by the absolute value of their weights: such a file's weights must not be
/// negative to mean the same here, and the published code shows them pictures as blue, green, red.
pub(super) fn tegusi_agrnet() -> KeyMap {
    let mut pairs = resnet::deep_stem_pairs();
    // Place 0 of a bin is its pooling.
    pairs.extend(
        (0..4).flat_map(|bin| conv_norm(&format!("layer5.stages.{bin}"), 1, &format!("pyramid.{bin}"))),
    );
    pairs.extend(conv_norm("layer5.bottleneck", 0, "pyramid_fuse"));
    let lateral = |i: usize| conv_norm(&format!("edge_layer.conv{}", i + 1), 0, &format!("edge_lateral.{i}"));
    pairs.extend((0..3).flat_map(lateral));
    for (theirs, ours) in
        [("conv1", "high"), ("conv2", "low"), ("pred1", "initial_reduce"), ("conv3", "fuse")]
    {
        pairs.extend(conv_norm(&format!("layer6.{theirs}"), 0, ours));
    }
    pairs.extend(owned([
        ("edge_layer.conv4", "edge_score"),
        ("edge_layer.conv5", "edge_fuse"),
        ("layer6.conv_state", "state"),
        ("layer6.pred1.2", "initial_score"),
        ("layer6.gcn.conv1", "vertex_mix"),
        ("layer6.gcn.conv2", "state_mix"),
        ("layer6.conv4", "score"),
    ]));
    KeyMap::new("tegusi's AGRNet", pairs, &["layer6.conv_proj", "layer6.conv_extend", "layer6.blocker"])
}

/// The hair network of YBIGTA's pytorch-hair-segmentation, on its SqueezeNet 1.1. It cuts torchvision's `features` into four.
pub(super) fn ybigta_hair() -> KeyMap {
    let parts = [(1, 0), (2, 3), (2, 4), (3, 6), (3, 7), (4, 9), (4, 10), (4, 11), (4, 12)];
    let feature =
        |(part, place)| (format!("base_network.feature{part}.{place}"), format!("backbone.features.{place}"));
    let mut pairs: Vec<_> = parts.map(feature).into();
    // Place 0 of a bin is its pooling.
    pairs.extend((0..4).map(|bin| (format!("psp.pooling_layers.{bin}.1"), format!("pyramid.{bin}"))));
    pairs.extend(
        (0..3).flat_map(|step| conv_norm(&format!("up_{}.conv", step + 1), 0, &format!("up.{step}"))),
    );
    pairs.extend(owned([("final.0", "score")]));
    KeyMap::new("YBIGTA's hair network", pairs, &[])
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
