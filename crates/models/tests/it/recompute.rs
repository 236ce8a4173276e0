//! Networks that recompute: the same training as without, bit for bit.

use candle_core::{DType, Result, Tensor};
use candle_nn::VarBuilder;
use sconce_backbones::resnet;
use sconce_losses::weighted_bce;
use sconce_models::{DeepLabV3Plus, Unet, deeplab_v3_plus, unet};
use sconce_tensors::testing::{fill, hashed_signed, hashed_uniform};
use sconce_tensors::{Memory, Parameters, backward};

type Found = Vec<(String, Vec<f32>)>;

/// Logits, all gradients and all buffers of two training passes on images of a size.
fn training<N>(
    size: [usize; 3],
    build: impl Fn(VarBuilder) -> Result<N>,
    logits: impl Fn(&N, &Tensor) -> Result<Tensor>,
) -> Result<Found> {
    let parameters = Parameters::new(0, &candle_core::Device::Cpu);
    let network = build(parameters.builder())?;
    fill(&parameters)?;
    let [n, height, width] = size;
    let labels = (hashed_uniform("labels", (n, height, width)) * 2.)?.to_dtype(DType::U8)?;
    let mut found = Vec::new();
    for pass in 0..2 {
        let image = hashed_signed(&format!("image {pass}"), (n, 3, height, width), 2.);
        let logits = logits(&network, &image)?;
        let gradients = backward(&weighted_bce(&logits, &labels, 3., 255)?)?;
        found.push((format!("logits {pass}"), values(&logits)?));
        for (name, variable) in parameters.trainable() {
            found.push((
                format!("gradient of {name} {pass}"),
                values(gradients.get(&variable).expect("a gradient"))?,
            ));
        }
    }
    for (name, tensor) in parameters.all() {
        found.push((name, values(&tensor)?));
    }
    Ok(found)
}

fn values(tensor: &Tensor) -> Result<Vec<f32>> {
    tensor.flatten_all()?.to_vec1()
}

fn assert_same(of: impl Fn(Memory) -> Result<Found>) -> Result<()> {
    let (found, want) = (of(Memory::Recompute)?, of(Memory::Plain)?);
    assert_eq!(found.len(), want.len());
    for ((name, found), (_, want)) in found.iter().zip(&want) {
        let differing = found.iter().zip(want).filter(|(a, b)| a.to_bits() != b.to_bits()).count();
        assert_eq!((differing, found.len()), (0, want.len()), "{name}");
    }
    Ok(())
}

#[test]
fn unet_trains_the_same() -> Result<()> {
    for (config, size) in [
        (unet::Config::bilinear(1), [1, 33, 50]),
        (unet::Config::bilinear(1), [2, 32, 48]),
        (unet::Config::deconv(1), [2, 39, 41]),
    ] {
        assert_same(|memory| {
            let config = unet::Config { base_width: 4, memory, ..config.clone() };
            training(
                size,
                |vb| Unet::new(&config, vb),
                |network, image| Ok(network.forward_t(image, true)?.logits),
            )
        })?;
    }
    Ok(())
}

#[test]
fn deeplab_with_its_residual_network_and_dropout_trains_the_same() -> Result<()> {
    let small =
        resnet::SmallConfig { width: 4, blocks: [1, 2, 1, 2], stem_width: 4, stem_stride: 2, max_pool: true };
    assert_same(|memory| {
        let config = deeplab_v3_plus::Config {
            backbone: resnet::Config::Small(small),
            width: 8,
            low_width: 4,
            dropout: 0.3,
            memory,
            ..deeplab_v3_plus::Config::resnet50(1)
        };
        training(
            [2, 65, 49],
            |vb| DeepLabV3Plus::new(&config, vb),
            |network, image| Ok(network.forward_t(image, true)?.logits),
        )
    })
}
