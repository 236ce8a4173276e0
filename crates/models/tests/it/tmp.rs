use crate::network;
use candle_core::{Device, Result, Tensor};
use sconce_models::agrnet::{Agrnet, Config};
use sconce_tensors::Parameters;
use sconce_tensors::testing::{fill, hashed_signed};

#[test]
fn tmp_noise() -> Result<()> {
    let golden = network::open("agrnet_r50_c11")?;
    for k in [0, 1, 2, 3] {
        let parameters = Parameters::new(0, &Device::Cpu);
        let net = Agrnet::new(&Config::resnet50(11), parameters.builder())?;
        fill(&parameters)?;
        let image = hashed_signed("image", (2, 3, 57, 73), 2.);
        let image = (image * (1. + k as f64 * 1e-6))?;
        let output = net.forward_t(&image, true)?;
        let loss = crate::agrnet::total_loss(&output, &golden.tensor("in.labels")?, &golden.tensor("in.edges")?)?;
        println!("== {k}");
        let g = loss.backward()?;
        let r = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| network::check_gradients(&golden, &g, &parameters)));
        let _ = r;
        let _: Option<Tensor> = None;
    }
    Ok(())
}
