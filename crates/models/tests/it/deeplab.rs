use candle_core::Result;
use sconce_backbones::resnet::{self, OutputStride};
use sconce_models::{DeepLabV3, DeepLabV3Plus, deeplab_v3, deeplab_v3_plus};
use sconce_tensors::testing::{fill, hashed_signed};

use crate::network::{check_golden, check_trajectory, check_wiring, filled};

fn plus_without_dropout(config: deeplab_v3_plus::Config) -> deeplab_v3_plus::Config {
    deeplab_v3_plus::Config { dropout: 0., ..config }
}

#[test]
fn v3_plus_of_depth_50_equals_the_reference_and_its_training() -> Result<()> {
    let config = plus_without_dropout(deeplab_v3_plus::Config::resnet50(21));
    let (network, parameters) = filled::<DeepLabV3Plus>(&config)?;
    assert_eq!(parameters.count(), 39_761_845);
    check_golden("deeplabv3plus_r50", &network, &parameters)?;
    fill(&parameters)?; // the running statistics have moved
    check_trajectory("deeplabv3plus_r50", &network, &parameters)
}

#[test]
fn v3_plus_of_depth_101_equals_the_reference() -> Result<()> {
    let config = plus_without_dropout(deeplab_v3_plus::Config::resnet101(21));
    let (network, parameters) = filled::<DeepLabV3Plus>(&config)?;
    assert_eq!(parameters.count(), 58_753_973);
    check_golden("deeplabv3plus_r101", &network, &parameters)
}

#[test]
fn v3_of_depth_101_equals_the_reference() -> Result<()> {
    let config = deeplab_v3::Config::resnet101(21);
    let config = deeplab_v3::Config { dropout: 0., auxiliary_dropout: 0., ..config };
    let (network, parameters) = filled::<DeepLabV3>(&config)?;
    assert_eq!(parameters.count(), 60_996_202);
    check_golden("deeplabv3_r101", &network, &parameters)
}

const SMALL: resnet::Config = resnet::Config::Small(resnet::SmallConfig {
    width: 4,
    blocks: [1, 2, 1, 1],
    stem_width: 4,
    stem_stride: 2,
    max_pool: true,
});

fn small_plus(output_stride: OutputStride) -> deeplab_v3_plus::Config {
    let published = deeplab_v3_plus::Config::resnet50(5);
    deeplab_v3_plus::Config { backbone: SMALL, output_stride, width: 8, low_width: 3, ..published }
}

fn small(auxiliary: bool) -> deeplab_v3::Config {
    let published = deeplab_v3::Config::resnet50(5);
    deeplab_v3::Config { backbone: SMALL, width: 8, auxiliary, ..published }
}

#[test]
fn small_networks_are_wired_alike() -> Result<()> {
    for output_stride in [OutputStride::Eight, OutputStride::Sixteen, OutputStride::ThirtyTwo] {
        check_wiring::<DeepLabV3Plus>(&small_plus(output_stride), 5)?;
    }
    check_wiring::<DeepLabV3>(&small(true), 5)?;
    check_wiring::<DeepLabV3>(&small(false), 5)
}

#[test]
fn dropout_repeats_after_a_restart() -> Result<()> {
    let (network, _) = filled::<DeepLabV3>(&small(true))?;
    let image = hashed_signed("image", (2, 3, 33, 40), 2.);
    let run = || {
        let output = network.forward_t(&image, true)?;
        let flat = |x: &candle_core::Tensor| x.flatten_all()?.to_vec1::<f32>();
        Ok::<_, candle_core::Error>([flat(&output.logits)?, flat(&output.aux.expect("an auxiliary head"))?])
    };
    network.restart_dropout(5, 0);
    let ([first, first_aux], [second, second_aux]) = (run()?, run()?);
    assert!(first != second && first_aux != second_aux);
    network.restart_dropout(5, 1);
    assert_eq!(run()?, [second, second_aux]);
    Ok(())
}

#[test]
fn a_batch_of_one_in_training_is_refused_with_its_place() -> Result<()> {
    let (network, _) = filled::<DeepLabV3Plus>(&small_plus(OutputStride::Sixteen))?;
    let error = network.forward_t(&hashed_signed("image", (1, 3, 33, 40), 2.), true).unwrap_err().to_string();
    assert!(error.contains("ASPP, stride 16") && error.contains("image average"), "{error}");
    Ok(())
}
