use candle_core::Result;
use sconce_backbones::squeezenet::Version;
use sconce_models::hair_pspnet::{Config, HairPspNet};
use sconce_tensors::testing::{every_var_has_gradient, fill, hashed_signed};

use crate::network::{check_golden, check_trajectory, check_wiring, filled};

fn without_dropout(config: Config) -> Config {
    Config { context_dropout: 0., decoder_dropout: 0., ..config }
}

#[test]
fn the_pyramid_equals_the_reference_and_its_training() -> Result<()> {
    let (network, parameters) = filled::<HairPspNet>(&without_dropout(Config::pyramid()))?;
    assert_eq!(parameters.count(), 3_529_601);
    check_golden("hair_pspnet", &network, &parameters)?;
    fill(&parameters)?; // the running statistics have moved
    check_trajectory("hair_pspnet", &network, &parameters)
}

#[test]
fn the_network_without_pyramid_equals_the_reference() -> Result<()> {
    let (network, parameters) = filled::<HairPspNet>(&without_dropout(Config::fcn()))?;
    assert_eq!(parameters.count(), 2_087_297);
    check_golden("hair_fcn", &network, &parameters)
}

#[test]
fn both_networks_are_wired_for_any_classes_and_sizes() -> Result<()> {
    check_wiring::<HairPspNet>(&Config::pyramid(), 1)?;
    check_wiring::<HairPspNet>(&Config { classes: 3, ..Config::fcn() }, 3)
}

#[test]
fn squeezenet_1_0_has_its_own_parameters_under_the_same_decoder() -> Result<()> {
    let config = Config { version: Version::V1_0, ..without_dropout(Config::pyramid()) };
    let (network, parameters) = filled::<HairPspNet>(&config)?;
    assert_eq!(parameters.count(), 3_529_601 - 722_496 + 735_424);
    assert!(network.forward_t(&hashed_signed("image", (1, 3, 20, 40), 2.), false).is_err());
    assert_eq!(
        network.forward_t(&hashed_signed("image", (1, 3, 21, 40), 2.), false)?.logits.dims(),
        [1, 1, 21, 40]
    );
    let output = network.forward_t(&hashed_signed("image", (2, 3, 39, 50), 2.), true)?;
    every_var_has_gradient(&output.logits.sqr()?.sum_all()?, &parameters)
}

#[test]
fn dropout_repeats_after_a_restart_and_only_in_training() -> Result<()> {
    let (network, _) = filled::<HairPspNet>(&Config::pyramid())?;
    let image = hashed_signed("image", (1, 3, 33, 40), 2.);
    let run = |train| network.forward_t(&image, train)?.logits.flatten_all()?.to_vec1::<f32>();
    assert_eq!(run(false)?, run(false)?);
    network.restart_dropout(5, 0);
    let (first, second) = (run(true)?, run(true)?);
    assert_ne!(first, second);
    network.restart_dropout(5, 1);
    assert_eq!(run(true)?, second);
    Ok(())
}

#[test]
fn an_image_that_is_too_small_is_refused_with_its_place() -> Result<()> {
    let (network, _) = filled::<HairPspNet>(&Config::fcn())?;
    let error =
        network.forward_t(&hashed_signed("image", (1, 3, 16, 64), 2.), false).unwrap_err().to_string();
    assert!(error.contains("backbone, pool before stage3"), "{error}");
    Ok(())
}
