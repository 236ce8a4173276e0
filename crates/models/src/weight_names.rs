//! What weight files of other programs call the parameters of the networks here.

mod deeplab;
mod resnet;
mod segmentation;
mod squeezenet;

use crate::{Agrnet, DeepLabV3, DeepLabV3Plus, HairPspNet, KeyMap, PspNet, Unet};

/// What a network knows of weights from elsewhere. Our own names always fit.
#[derive(Debug, Clone)]
pub struct WeightNames {
    /// Names of other programs, those of a whole network first.
    pub key_maps: Vec<KeyMap>,
    /// Starts of the names of exactly those parameters whose shapes follow the number of classes: what a new classifier replaces. All
    /// other layers of a head keep the weights of a file.
    pub classifier: &'static [&'static str],
    /// Files that look right and are of another network.
    pub misfits: Vec<Misfit>,
}

/// A tensor that tells a file of a similar network apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// The parameter's name here.
    pub parameter: &'static str,
    /// Its shape in the other network.
    pub shape: &'static [usize],
    /// Which network that is, and which weights to take instead.
    pub advice: &'static str,
}

impl WeightNames {
    /// Whether the shape of the parameter follows the number of classes.
    pub fn is_classifier(&self, parameter: &str) -> bool {
        let starts = |start: &&str| parameter.strip_prefix(*start).is_some_and(|rest| rest.starts_with('.'));
        self.classifier.iter().any(starts)
    }

    /// Which network a tensor of `shape` in the place of `parameter` comes from, if that is known.
    pub fn advice(&self, parameter: &str, shape: &[usize]) -> Option<&'static str> {
        let misfit = self.misfits.iter().find(|m| m.parameter == parameter && m.shape == shape)?;
        Some(misfit.advice)
    }
}

impl Agrnet {
    /// The published network, of tegusi's EAGRNet, and ImageNet weights of a ResNet with a deep stem.
    pub fn weight_names() -> WeightNames {
        WeightNames {
            key_maps: vec![segmentation::tegusi_agrnet(), resnet::deep()],
            classifier: &["score", "initial_score", "vertex_mix"],
            misfits: vec![resnet::PLAIN_STEM],
        }
    }
}

impl DeepLabV3 {
    /// torchvision's network, that of VainF's repository, and torchvision's ImageNet weights of a ResNet.
    pub fn weight_names() -> WeightNames {
        WeightNames {
            key_maps: vec![deeplab::torchvision_v3(), deeplab::vainf_v3(), resnet::plain()],
            classifier: &["score", "aux_score"],
            misfits: vec![resnet::DEEP_STEM],
        }
    }
}

impl DeepLabV3Plus {
    /// The network of VainF's repository and those that took its names, and torchvision's ImageNet weights of a ResNet.
    pub fn weight_names() -> WeightNames {
        WeightNames {
            key_maps: vec![deeplab::vainf_v3_plus(), resnet::plain()],
            classifier: &["score"],
            misfits: vec![resnet::DEEP_STEM],
        }
    }
}

impl HairPspNet {
    /// The network of YBIGTA's pytorch-hair-segmentation, and torchvision's ImageNet weights of the SqueezeNet of the same version.
    pub fn weight_names() -> WeightNames {
        WeightNames {
            key_maps: vec![segmentation::ybigta_hair(), squeezenet::torchvision()],
            classifier: &["score"],
            misfits: vec![squeezenet::VERSION_1_0, squeezenet::VERSION_1_1],
        }
    }
}

impl PspNet {
    /// The network of hszhao's semseg, and ImageNet weights of a ResNet with a deep stem.
    pub fn weight_names() -> WeightNames {
        WeightNames {
            key_maps: vec![segmentation::semseg_pspnet(), resnet::deep()],
            classifier: &["score", "aux_score"],
            misfits: vec![resnet::PLAIN_STEM],
        }
    }
}

impl Unet {
    /// The network of milesial's Pytorch-UNet in its present form, whose convolutions have no bias.
    pub fn weight_names() -> WeightNames {
        WeightNames {
            key_maps: vec![segmentation::milesial_unet()],
            classifier: &["score"],
            misfits: Vec::new(),
        }
    }
}

/// Pairs of names as a map takes them.
fn owned<const N: usize>(pairs: [(&str, &str); N]) -> Vec<(String, String)> {
    pairs.map(|(theirs, ours)| (theirs.to_owned(), ours.to_owned())).into()
}

/// A convolution and its norm, two neighbours of a `Sequential` there and one layer here: `theirs` with the place of the convolution.
fn conv_norm(theirs: &str, place: usize, ours: &str) -> [(String, String); 2] {
    [
        (format!("{theirs}.{place}"), format!("{ours}.conv")),
        (format!("{theirs}.{}", place + 1), format!("{ours}.norm")),
    ]
}
