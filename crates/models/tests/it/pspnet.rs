use candle_core::Result;
use sconce_backbones::resnet;
use sconce_heads::Pooling;
use sconce_models::pspnet::{Config, PspNet};
use sconce_tensors::testing::hashed_signed;

use crate::network::{check_golden, check_wiring, filled};

fn without_dropout(config: Config) -> Config {
    Config { dropout: 0., ..config }
}

#[test]
fn depth_50_equals_the_reference() -> Result<()> {
    let (network, parameters) = filled::<PspNet>(&without_dropout(Config::resnet50(21)))?;
    assert_eq!(parameters.count(), 49_081_578);
    check_golden("pspnet_r50", &network, &parameters)
}

#[test]
fn depth_101_equals_the_reference() -> Result<()> {
    let (network, parameters) = filled::<PspNet>(&without_dropout(Config::resnet101(21)))?;
    assert_eq!(parameters.count(), 68_073_706);
    check_golden("pspnet_r101", &network, &parameters)
}

fn small(auxiliary: bool) -> Config {
    let backbone = resnet::SmallConfig {
        width: 4,
        blocks: [1, 2, 1, 1],
        stem_width: 4,
        stem_stride: 2,
        max_pool: false,
    };
    let backbone = resnet::Config::Small(backbone);
    Config { backbone, width: 8, auxiliary, auxiliary_width: 6, ..Config::resnet50(5) }
}

#[test]
fn small_networks_are_wired_alike() -> Result<()> {
    check_wiring::<PspNet>(&small(true), 5)?;
    check_wiring::<PspNet>(&small(false), 5)?;
    check_wiring::<PspNet>(&Config { bins: vec![2, 5], pooling: Pooling::Max, ..small(true) }, 5)
}

#[test]
fn a_batch_of_one_in_training_is_refused_with_its_place() -> Result<()> {
    let (network, _) = filled::<PspNet>(&small(true))?;
    let error = network.forward_t(&hashed_signed("image", (1, 3, 24, 31), 2.), true).unwrap_err().to_string();
    assert!(error.contains("pyramid pooling, stride 4") && error.contains("1x1 bins"), "{error}");
    Ok(())
}
