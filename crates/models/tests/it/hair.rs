use candle_core::Result;
use sconce_models::hair_pspnet::{Config, HairPspNet};
use sconce_tensors::testing::{fill, hashed_signed};

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
