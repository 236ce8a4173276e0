use candle_core::Result;
use sconce_models::unet::{Config, Unet};
use sconce_tensors::testing::{fill, hashed_signed};

use crate::network::{check_golden, check_trajectory, check_wiring, filled};

#[test]
fn bilinear_upsampling_equals_the_reference_and_its_training() -> Result<()> {
    let (network, parameters) = filled::<Unet>(&Config::bilinear(1))?;
    assert_eq!(parameters.count(), 17_262_977);
    check_golden("unet_bilinear", &network, &parameters)?;
    fill(&parameters)?; // the running statistics have moved
    check_trajectory("unet_bilinear", &network, &parameters)
}

/// On an image of odd size, where doubled maps are padded.
#[test]
fn transposed_convolutions_equal_the_reference() -> Result<()> {
    let (network, parameters) = filled::<Unet>(&Config::deconv(1))?;
    assert_eq!(parameters.count(), 31_037_633);
    check_golden("unet_deconv", &network, &parameters)
}

#[test]
fn small_networks_are_wired_alike() -> Result<()> {
    check_wiring::<Unet>(&Config { base_width: 2, ..Config::bilinear(1) }, 1)?;
    check_wiring::<Unet>(&Config { base_width: 1, ..Config::bilinear(4) }, 4)?;
    check_wiring::<Unet>(&Config { base_width: 2, ..Config::deconv(1) }, 1)
}

#[test]
fn the_image_may_have_any_number_of_channels() -> Result<()> {
    let (network, _) = filled::<Unet>(&Config { channels: 4, base_width: 2, ..Config::bilinear(1) })?;
    let output = network.forward_t(&hashed_signed("image", (1, 4, 16, 20), 2.), false)?;
    assert_eq!(output.logits.dims(), [1, 1, 16, 20]);
    Ok(())
}

#[test]
fn an_image_that_is_too_small_is_refused() -> Result<()> {
    let (network, _) = filled::<Unet>(&Config { base_width: 2, ..Config::bilinear(1) })?;
    let error =
        network.forward_t(&hashed_signed("image", (1, 3, 40, 15), 2.), false).unwrap_err().to_string();
    assert!(error.contains("40 x 15") && error.contains("16 x 16"), "{error}");
    Ok(())
}
