use std::collections::HashMap;

use candle_core::{DType, Device, Result, Tensor};
use candle_nn::VarBuilder;
use sconce_backbones::resnet;
use sconce_losses::agrnet as loss;
use sconce_models::agrnet::{Agrnet, Config, Output};
use sconce_tensors::testing::{every_var_has_gradient, fill, hashed_signed, hashed_uniform};
use sconce_tensors::{Cost, backward};

use crate::network::{Network, check_golden, check_trajectory, filled, total_cost};

const WEIGHTS: loss::Config =
    loss::Config { parsing: 1., edge: 1., boundary: 1., distance: 0.5, all_vertices: true };

impl Network for Agrnet {
    type Config = Config;
    type Output = Output;

    fn build(config: &Config, vb: VarBuilder) -> Result<Self> {
        Agrnet::new(config, vb)
    }

    fn run(&self, image: &Tensor, train: bool) -> Result<Output> {
        self.forward_t(image, train)
    }

    fn cost(&self, size: (usize, usize)) -> Vec<(String, Cost)> {
        Agrnet::cost(self, size)
    }

    fn outputs(output: &Output) -> Vec<(&'static str, &Tensor)> {
        vec![
            ("logits", &output.logits),
            ("edge", &output.edge),
            ("initial", &output.initial),
            ("vertices", &output.vertices),
        ]
    }

    fn loss(output: &Output, labels: &Tensor, edges: &Tensor) -> Result<Tensor> {
        let Output { logits, edge, initial, vertices } = output;
        Ok(loss::agrnet(logits, initial, edge, vertices, labels, edges, &WEIGHTS)?.total)
    }
}

#[test]
fn depth_101_with_19_classes_equals_the_reference() -> Result<()> {
    let (network, parameters) = filled::<Agrnet>(&Config::resnet101(19))?;
    assert_eq!(parameters.count(), 66_540_303);
    check_cost(&network);
    check_golden("agrnet", &network, &parameters)
}

/// Parameters and multiply-adds at 512 x 512, known from the published code.
fn check_cost(network: &Agrnet) {
    let giga = |prefix: &str| total_cost(network, (512, 512), prefix).multiply_adds as f64 / 1e9;
    for (prefix, want) in [("backbone", 184.3), ("pyramid", 77.4), ("edge", 2.8), ("graph", 4.0), ("", 268.5)]
    {
        assert!((giga(prefix) - want).abs() < 0.05, "{prefix}: {} G instead of {want}", giga(prefix));
    }
    assert_eq!(total_cost(network, (512, 512), "").parameters, 66_540_303);
    assert_eq!(network.cost((512, 512)).last().unwrap().1.size, (512, 512));
}

#[test]
fn depth_50_equals_the_reference_and_its_training() -> Result<()> {
    let (network, parameters) = filled::<Agrnet>(&Config::resnet50(11))?;
    check_golden("agrnet_r50_c11", &network, &parameters)?;
    fill(&parameters)?; // the running statistics have moved
    check_trajectory("agrnet_r50_c11", &network, &parameters)
}

/// A network of a few thousand parameters.
fn small() -> Config {
    let small = resnet::SmallConfig {
        width: 4,
        blocks: [1, 2, 1, 1],
        stem_width: 4,
        stem_stride: 2,
        max_pool: false,
    };
    Config {
        classes: 5,
        vertices_per_class: 2,
        backbone: resnet::Config::Small(small),
        pyramid_width: 8,
        edge_width: 8,
        low_width: 6,
        state_width: 12,
        reduce_width: 6,
        memory: sconce_tensors::Memory::Plain,
    }
}

#[test]
fn every_parameter_receives_a_gradient() -> Result<()> {
    let (network, parameters) = filled::<Agrnet>(&small())?;
    let (height, width) = (33, 50);
    let output = network.forward_t(&hashed_signed("image", (2, 3, height, width), 2.), true)?;
    let labels = (hashed_uniform("labels", (2, height, width)) * 5.)?.to_dtype(DType::U8)?;
    let edges = labels.ge(3u8)?;
    every_var_has_gradient(&Agrnet::loss(&output, &labels, &edges)?, &parameters)
}

#[test]
fn shapes_follow_the_image() -> Result<()> {
    let (network, _) = filled::<Agrnet>(&small())?;
    for (height, width) in [(33, 50), (64, 64), (7, 9)] {
        let output = network.forward_t(&hashed_signed("image", (1, 3, height, width), 2.), false)?;
        let (h, w) = (height.div_ceil(2), width.div_ceil(2)); // the stem strides by 2 and has no pool
        assert_eq!(output.logits.dims(), [1, 5, height, width]);
        assert_eq!(output.edge.dims(), [1, 2, h, w]);
        assert_eq!(output.initial.dims(), [1, 5, h, w]);
        assert_eq!(output.vertices.dims(), [1, 10, 12]);
    }
    Ok(())
}

#[test]
fn a_network_of_plain_tensors_records_nothing() -> Result<()> {
    let (network, parameters) = filled::<Agrnet>(&small())?;
    let tensors: HashMap<_, _> = parameters.tensors().into_iter().collect();
    let plain = Agrnet::new(&small(), VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu))?;
    let image = hashed_signed("image", (1, 3, 24, 31), 2.);
    let (recorded, output) = (network.forward_t(&image, false)?, plain.forward_t(&image, false)?);
    for ((name, recorded), (_, plain)) in Agrnet::outputs(&recorded).into_iter().zip(Agrnet::outputs(&output))
    {
        assert!(recorded.track_op() && !plain.track_op(), "{name}");
        let (a, b) = (recorded.flatten_all()?.to_vec1::<f32>()?, plain.flatten_all()?.to_vec1::<f32>()?);
        assert_eq!(a, b, "{name}");
    }
    Ok(())
}

#[test]
fn the_edge_branch_learns_from_its_own_loss_alone() -> Result<()> {
    let (network, parameters) = filled::<Agrnet>(&small())?;
    let output = network.forward_t(&hashed_signed("image", (1, 3, 24, 31), 2.), false)?;
    let gradients = backward(&output.logits.sqr()?.sum_all()?)?;
    for (name, var) in parameters.trainable() {
        let alone = name.starts_with("edge_") || name.starts_with("initial_");
        assert_eq!(gradients.get(&var).is_none(), alone, "{name}");
    }
    Ok(())
}

#[test]
fn a_batch_of_one_in_training_is_refused_with_its_place() -> Result<()> {
    let (network, _) = filled::<Agrnet>(&small())?;
    let error = network.forward_t(&hashed_signed("image", (1, 3, 24, 31), 2.), true).unwrap_err().to_string();
    assert!(error.contains("pyramid pooling, stride 4") && error.contains("1x1 bins"), "{error}");
    Ok(())
}

#[test]
fn an_image_with_fewer_pixels_than_vertices_is_refused() -> Result<()> {
    let (network, _) = filled::<Agrnet>(&Config { vertices_per_class: 5, ..small() })?;
    let error = network.forward_t(&hashed_signed("image", (1, 3, 4, 4), 2.), false).unwrap_err().to_string();
    assert!(error.contains("graph, stride 2") && error.contains("5 vertices per class"), "{error}");
    Ok(())
}
