//! The networks that give out scores, and perhaps auxiliary ones, and nothing else.

use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;
use sconce_losses::{cross_entropy, weighted_bce};
use sconce_models::{DeepLabV3, DeepLabV3Plus, HairPspNet, PspNet, Unet};
use sconce_models::{Output, deeplab_v3, deeplab_v3_plus, hair_pspnet, pspnet, unet};
use sconce_tensors::Cost;

use crate::network::Network;

const IGNORED: u8 = 255;

/// Of one class: binary cross entropy against label 1, whose pixels weigh 3, with ignored pixels as
/// background. Of several: cross entropy, and 0.4 times that of the auxiliary scores.
fn loss(output: &Output, labels: &Tensor) -> Result<Tensor> {
    if output.logits.dim(1)? == 1 {
        return weighted_bce(&output.logits, &labels.eq(1u8)?, 3., IGNORED);
    }
    let loss = cross_entropy(&output.logits, labels, IGNORED)?;
    match &output.aux {
        Some(aux) => loss + (cross_entropy(aux, labels, IGNORED)? * 0.4)?,
        None => Ok(loss),
    }
}

macro_rules! networks {
    ($($network:ident of $module:ident),*) => { $(
        impl Network for $network {
            type Config = $module::Config;
            type Output = Output;

            fn build(config: &$module::Config, vb: VarBuilder) -> Result<Self> {
                $network::new(config, vb)
            }

            fn run(&self, image: &Tensor, train: bool) -> Result<Output> {
                self.forward_t(image, train)
            }

            fn cost(&self, size: (usize, usize)) -> Vec<(String, Cost)> {
                $network::cost(self, size)
            }

            fn outputs(output: &Output) -> Vec<(&'static str, &Tensor)> {
                let aux = output.aux.as_ref().map(|aux| ("aux", aux));
                [("logits", &output.logits)].into_iter().chain(aux).collect()
            }

            fn loss(output: &Output, labels: &Tensor, _edges: &Tensor) -> Result<Tensor> {
                loss(output, labels)
            }
        }
    )* };
}

networks!(
    Unet of unet,
    DeepLabV3Plus of deeplab_v3_plus,
    DeepLabV3 of deeplab_v3,
    PspNet of pspnet,
    HairPspNet of hair_pspnet
);
