use super::*;
use candle_core::{DType, Device};
use sconce_tensors::Parameters;
use sconce_tensors::testing::{every_var_has_gradient, hashed_signed};
use serde::Deserialize;

const TINY: SmallConfig =
    SmallConfig { width: 2, blocks: [2, 1, 2, 1], stem_width: 3, stem_stride: 2, max_pool: true };

fn total(architecture: &Architecture, size: (usize, usize)) -> Result<Cost> {
    // Zeros take no memory until they are touched.
    let network = Resnet::new(architecture, VarBuilder::zeros(DType::F32, &Device::Cpu))?;
    Ok(chain(&network.cost(size), |(_, cost), _| *cost, size))
}

/// torchvision's own counts, less the classifier's 2,049,000 parameters and 2,048,000 multiply-adds.
#[test]
fn published_depths_cost_what_is_published() -> Result<()> {
    for (config, parameters, giga) in [
        (Config::Resnet50, 23_508_032, 4.087),
        (Config::Resnet101, 42_500_160, 7.799),
        (Config::Resnet152, 58_143_808, 11.512),
    ] {
        let cost = total(&config.dilated(OutputStride::ThirtyTwo), (224, 224))?;
        assert_eq!((cost.parameters, cost.size), (parameters, (7, 7)), "{config:?}");
        let found = cost.multiply_adds as f64 / 1e9;
        assert!((found - giga).abs() < 2e-3, "{config:?}: {found} G");
    }
    for architecture in [Config::Resnet101.leaky(), Config::Resnet101.deep()] {
        assert_eq!(total(&architecture, (512, 512))?.parameters, 42_623_936);
    }
    Ok(())
}

#[test]
fn a_cost_counts_the_parameters_there_are() -> Result<()> {
    for architecture in [Config::Small(TINY).leaky(), Config::Small(TINY).dilated(OutputStride::Eight)] {
        let parameters = Parameters::new(0, &Device::Cpu);
        Resnet::new(&architecture, parameters.builder())?;
        assert_eq!(total(&architecture, (32, 32))?.parameters, parameters.count() as u64);
    }
    Ok(())
}

#[test]
fn features_have_the_shapes_that_levels_announce() -> Result<()> {
    let without_pool = SmallConfig { max_pool: false, ..TINY };
    let full_size = SmallConfig { stem_stride: 1, ..without_pool };
    for (config, want) in [
        (Config::Small(TINY).leaky(), [4, 8, 8, 8]),
        (Config::Small(without_pool).leaky(), [2, 4, 4, 4]),
        (Config::Small(full_size).leaky(), [1, 2, 2, 2]),
        (Config::Small(TINY).deep(), [4, 8, 8, 8]),
        (Config::Small(TINY).dilated(OutputStride::Eight), [4, 8, 8, 8]),
        (Config::Small(TINY).dilated(OutputStride::Sixteen), [4, 8, 16, 16]),
        (Config::Small(TINY).dilated(OutputStride::ThirtyTwo), [4, 8, 16, 32]),
    ] {
        let network = Resnet::new(&config, Parameters::new(0, &Device::Cpu).builder())?;
        let (height, width) = (37, 66);
        let features = network.features(&hashed_signed("image", (1, 3, height, width), 2.), false)?;
        let costs = network.cost((height, width));
        assert_eq!(features.len(), 4);
        for (i, (feature, level)) in features.iter().zip(network.levels()).enumerate() {
            let size = (height.div_ceil(level.stride), width.div_ceil(level.stride));
            assert_eq!(*level, Level { channels: 8 << i, stride: want[i] });
            assert_eq!(feature.dims4()?, (1, level.channels, size.0, size.1));
            assert_eq!(costs[i + 1].1.size, size);
        }
    }
    Ok(())
}

#[test]
fn every_parameter_receives_a_gradient() -> Result<()> {
    for architecture in [Config::Small(TINY).leaky(), Config::Small(TINY).dilated(OutputStride::Sixteen)] {
        let parameters = Parameters::new(0, &Device::Cpu);
        let network = Resnet::new(&architecture, parameters.builder())?;
        let features = network.features(&hashed_signed("image", (2, 3, 41, 64), 2.), true)?;
        every_var_has_gradient(&features[3].sqr()?.sum_all()?, &parameters)?;
    }
    Ok(())
}

#[test]
fn an_output_stride_is_a_number_of_three() {
    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Model {
        stride: OutputStride,
    }
    let read = |text| toml::from_str::<Model>(text).map(|model| model.stride);
    assert_eq!(read("stride = 16").unwrap(), OutputStride::Sixteen);
    let error = read("stride = 12").unwrap_err().to_string();
    assert!(error.contains("stride of 12, expected 8, 16 or 32") && error.contains("line 1"), "{error}");
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Model {
    backbone: Config,
}

#[test]
fn a_config_names_a_depth_or_gives_sizes() {
    let read = |text: &str| toml::from_str::<Model>(text).map(|model| model.backbone);
    assert_eq!(read("backbone = 'resnet152'").unwrap(), Config::Resnet152);
    let small = "[backbone.small]\nwidth = 2\nblocks = [2, 1, 2, 1]\nstem-width = 3\nstem-stride = 2\nmax-pool = true";
    assert_eq!(read(small).unwrap(), Config::Small(TINY));

    let error = read("backbone = 'resnet18'").unwrap_err().to_string();
    assert!(error.contains("`resnet50`") && error.contains("`small`"), "{error}");
    let error = read(&small.replace("stem-width", "stem")).unwrap_err().to_string();
    assert!(
        error.contains("`stem`") && error.contains("`stem-width`") && error.contains("line 4"),
        "{error}"
    );
    let error = read(&small.replace("max-pool = true", "")).unwrap_err().to_string();
    assert!(error.contains("max-pool"), "{error}");
}

#[test]
fn a_size_of_zero_is_refused() {
    for small in [
        SmallConfig { width: 0, ..TINY },
        SmallConfig { blocks: [1, 0, 1, 1], ..TINY },
        SmallConfig { stem_stride: 0, ..TINY },
    ] {
        let vb = VarBuilder::zeros(DType::F32, &Device::Cpu);
        let error = Resnet::new(&Config::Small(small).leaky(), vb).unwrap_err().to_string();
        assert!(error.contains("at least 1"), "{error}");
    }
}
