//! DeepLabV3 and V3+ of torchvision and of VainF's DeepLabV3Plus-Pytorch.

use super::conv_norm;
use crate::KeyMap;

/// torchvision's `deeplabv3_resnet50` and `deeplabv3_resnet101`.
pub(super) fn torchvision_v3() -> KeyMap {
    let auxiliary = conv_norm("aux_classifier", 0, "aux_fuse").into_iter();
    let auxiliary = auxiliary.chain([pair("aux_classifier.4", "aux_score")]);
    KeyMap::new("torchvision's DeepLabV3", v3_head("classifier").into_iter().chain(auxiliary), &[])
}

/// VainF's `deeplabv3_resnet50` and `deeplabv3_resnet101`, which have no auxiliary head.
pub(super) fn vainf_v3() -> KeyMap {
    KeyMap::new("VainF's DeepLabV3", v3_head("classifier.classifier"), &[])
}

/// VainF's `deeplabv3plus_resnet50` and `deeplabv3plus_resnet101`.
pub(super) fn vainf_v3_plus() -> KeyMap {
    let mut pairs = aspp("classifier.aspp");
    pairs.extend(conv_norm("classifier.project", 0, "low"));
    pairs.extend(conv_norm("classifier.classifier", 0, "fuse"));
    pairs.extend([pair("classifier.classifier.3", "score"), pair("backbone", "backbone")]);
    KeyMap::new("VainF's DeepLabV3+", pairs, &[])
}

/// The backbone, and a head whose place 0 is the pyramid.
fn v3_head(head: &str) -> Vec<(String, String)> {
    let mut pairs = aspp(&format!("{head}.0"));
    pairs.extend(conv_norm(head, 1, "fuse"));
    pairs.extend([pair(&format!("{head}.4"), "score"), pair("backbone", "backbone")]);
    pairs
}

/// Four convolutions, the image's average (place 0 of which is the pooling) and the projection.
fn aspp(theirs: &str) -> Vec<(String, String)> {
    let branch = |i: usize| conv_norm(&format!("{theirs}.convs.{i}"), 0, &format!("aspp.branch.{i}"));
    let mut pairs: Vec<_> = (0..4).flat_map(branch).collect();
    pairs.extend(conv_norm(&format!("{theirs}.convs.4"), 1, "aspp.image"));
    pairs.extend(conv_norm(&format!("{theirs}.project"), 0, "aspp.project"));
    pairs
}

fn pair(theirs: &str, ours: &str) -> (String, String) {
    (theirs.to_owned(), ours.to_owned())
}
