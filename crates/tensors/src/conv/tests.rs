//! Convolutions against PyTorch's values, against plain nested loops, and against finite differences.

mod errors;
mod plain;
mod precision;
mod rounding;

use std::path::Path;

use candle_core::{Device, Result, Tensor, Var};
use proptest::prelude::*;

use crate::testing::{Golden, assert_close, assert_close_within, check_gradient, devices, hashed_signed};
use crate::vector_width::tests::with_lanes;
use crate::{Conv2dConfig, ConvTranspose2dConfig, conv_transpose2d, conv2d};
use plain::plain;

/// Output and the gradients of `sum(seed * output)` for the inputs.
fn run(
    f: impl Fn(&[Tensor]) -> Result<Tensor>,
    inputs: &[&Tensor],
    name: &str,
) -> Result<(Tensor, Tensor, Vec<Tensor>)> {
    let vars = inputs.iter().map(|input| Var::from_tensor(input)).collect::<Result<Vec<_>>>()?;
    let y = f(&vars.iter().map(|var| var.as_tensor().clone()).collect::<Vec<_>>())?;
    let seed = hashed_signed(name, y.shape(), 1.0);
    let gradients = (&y * &seed)?.sum_all()?.backward()?;
    let gradients = vars.iter().map(|var| gradients.get(var).cloned().expect("a gradient")).collect();
    Ok((y.detach(), seed, gradients))
}

// --- PyTorch's values ----------------------------------------------------------------------------------------------

fn attribute(golden: &Golden, name: &str) -> usize {
    golden.attrs()[name].as_u64().expect("an attribute") as usize
}

fn check_golden(golden: &Golden, f: impl Fn(&[Tensor]) -> Result<Tensor>, what: &str) -> Result<()> {
    let names: Vec<_> =
        ["x", "weight", "bias"].into_iter().filter(|name| golden.has(&format!("in.{name}"))).collect();
    for device in devices() {
        let input =
            |name: &&str| Var::from_tensor(&golden.tensor(&format!("in.{name}"))?.to_device(&device)?);
        let vars = names.iter().map(input).collect::<Result<Vec<_>>>()?;
        let y = f(&vars.iter().map(|var| var.as_tensor().clone()).collect::<Vec<_>>())?;
        assert_close(&y, &golden.tensor("out.y")?, what);
        let seed = golden.tensor("seed.y")?.to_device(&device)?;
        let gradients = (y * seed)?.sum_all()?.backward()?;
        for (name, var) in names.iter().zip(&vars) {
            let gradient = gradients.get(var).expect("a gradient");
            assert_close(
                gradient,
                &golden.tensor(&format!("grad.{name}"))?,
                &format!("{what}, gradient of {name}"),
            );
        }
    }
    Ok(())
}

#[test]
fn outputs_and_gradients_equal_those_of_pytorch() -> Result<()> {
    let mut files = 0;
    for entry in std::fs::read_dir(Path::new("tests/golden"))? {
        let path = entry?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if !name.starts_with("conv_") {
            continue;
        }
        let golden = Golden::open(&path)?;
        let get = |name: &str| attribute(&golden, name);
        let (stride, padding) = (get("stride"), get("padding"));
        if golden.attrs()["op"] == "conv2d" {
            let config = Conv2dConfig { stride, padding, dilation: get("dilation"), groups: get("groups") };
            check_golden(&golden, |x| conv2d(&x[0], &x[1], x.get(2), config), &name)?;
        } else {
            let config = ConvTranspose2dConfig { stride, padding, output_padding: get("output_padding") };
            check_golden(&golden, |x| conv_transpose2d(&x[0], &x[1], x.get(2), config), &name)?;
        }
        files += 1;
    }
    assert_eq!(files, 19);
    Ok(())
}

// --- random shapes -------------------------------------------------------------------------------------------------

#[derive(Debug, Clone)]
struct Case {
    x: [usize; 4],
    weight: [usize; 4],
    config: Conv2dConfig,
}

fn fits(case: &Case) -> bool {
    let fits =
        |size: usize, kernel: usize| size + 2 * case.config.padding > case.config.dilation * (kernel - 1);
    fits(case.x[2], case.weight[2]) && fits(case.x[3], case.weight[3])
}

fn cases() -> impl Strategy<Value = Case> {
    let channels = (1..4usize, prop_oneof![Just(1), 1..20usize], prop_oneof![Just(1), 1..40usize]);
    let sizes = (1..3usize, 1..24usize, 1..40usize, 1..5usize, 1..5usize);
    (channels, sizes, 1..4usize, 0..5usize, 1..4usize)
        .prop_map(|((groups, inputs, outputs), (n, h, w, kh, kw), stride, padding, dilation)| Case {
            x: [n, groups * inputs, h, w],
            weight: [groups * outputs, inputs, kh, kw],
            config: Conv2dConfig { stride, padding, dilation, groups },
        })
        .prop_filter("the kernel must fit", fits)
}

fn inputs(case: &Case) -> (Tensor, Tensor) {
    (hashed_signed("x", case.x.as_slice(), 1.0), hashed_signed("weight", case.weight.as_slice(), 0.5))
}

fn compare_with_plain(case: &Case) -> Result<()> {
    let (x, weight) = inputs(case);
    let (y, seed, gradients) = run(|x| conv2d(&x[0], &x[1], None, case.config), &[&x, &weight], "seed")?;
    let [plain_y, plain_dx, plain_dw] = plain(&x, &weight, &seed, case.config);
    assert_close_within(&y, &plain_y, 1e-4, 1e-4, "output");
    // Without gradients to come, larger tiles are allowed.
    assert_close_within(&conv2d(&x, &weight, None, case.config)?, &plain_y, 1e-4, 1e-4, "prediction");
    assert_close_within(&gradients[0], &plain_dx, 1e-4, 1e-4, "gradient of x");
    assert_close_within(&gradients[1], &plain_dw, 1e-4, 1e-4, "gradient of the weight");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn random_shapes_equal_plain_loops(case in cases()) {
        compare_with_plain(&case).unwrap();
    }
}

/// Shapes that go through minimal filtering: 3x3 with stride 1, many channels, at least 384 pixels.
fn wide_cases() -> impl Strategy<Value = Case> {
    (1..3usize, 28..150usize, 33..70usize, 20..34usize, 20..50usize, 1..3usize, 0..3usize).prop_map(
        |(n, inputs, outputs, h, w, dilation, padding)| Case {
            x: [n, inputs, h, w],
            weight: [outputs, inputs, 3, 3],
            config: Conv2dConfig { stride: 1, padding, dilation, groups: 1 },
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn minimal_filtering_equals_plain_loops(case in wide_cases(), lanes in prop_oneof![Just(4), Just(8), Just(16)]) {
        with_lanes(lanes, || compare_with_plain(&case)).unwrap();
    }
}

/// Shapes that are transformed at once: as above, but with small maps and more channels.
fn small_cases() -> impl Strategy<Value = Case> {
    (1..9usize, 64..110usize, 64..110usize, 7..30usize, 7..30usize, 1..5usize, 0..4usize)
        .prop_map(|(n, inputs, outputs, h, w, dilation, padding)| Case {
            x: [n, inputs, h, w],
            weight: [outputs, inputs, 3, 3],
            config: Conv2dConfig { stride: 1, padding, dilation, groups: 1 },
        })
        .prop_filter("the kernel must fit", fits)
        .prop_filter("enough pixels, but not too many", |case| {
            (40..2500).contains(&(case.x[0] * case.x[2] * case.x[3]))
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn small_maps_equal_plain_loops(case in small_cases(), lanes in prop_oneof![Just(4), Just(8), Just(16)]) {
        with_lanes(lanes, || compare_with_plain(&case)).unwrap();
    }
}

/// Shapes with a product of matrices for each tap: many channels, taps at least 3 pixels apart.
fn cases_far_apart() -> impl Strategy<Value = Case> {
    (
        1..3usize,
        1..3usize,
        64..90usize,
        64..90usize,
        (1..30usize, 1..30usize),
        (1..4usize, 1..4usize),
        3..20usize,
        0..24usize,
    )
        .prop_map(|(n, groups, inputs, outputs, (h, w), (kh, kw), dilation, padding)| Case {
            x: [n, groups * inputs, h, w],
            weight: [groups * outputs, inputs, kh, kw],
            config: Conv2dConfig { stride: 1, padding, dilation, groups },
        })
        .prop_filter("the kernel must fit", fits)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn taps_far_apart_equal_plain_loops(case in cases_far_apart()) {
        compare_with_plain(&case).unwrap();
        let (x, weight) = inputs(&case);
        let bias = hashed_signed("bias", case.weight[0], 1.0);
        let y = conv2d(&x, &weight, Some(&bias), case.config).unwrap();
        let plain = conv2d(&x, &weight, None, case.config).unwrap();
        let bias = bias.reshape((1, (), 1, 1)).unwrap();
        assert_close(&y, &plain.broadcast_add(&bias).unwrap(), "output with a bias");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn gradients_equal_finite_differences(case in cases()) {
        let (x, weight) = inputs(&case);
        let bias = hashed_signed("bias", case.weight[0], 1.0);
        check_gradient(|x| conv2d(&x[0], &x[1], Some(&x[2]), case.config), &[x, weight, bias], 7).unwrap();
    }

    #[test]
    fn gradients_of_transposed_equal_finite_differences(
        (n, inputs, outputs) in (1..3usize, 1..6usize, 1..6usize),
        (h, w, kernel) in (1..8usize, 1..8usize, 1..5usize),
        (stride, output_padding) in (1..4usize).prop_flat_map(|stride| (Just(stride), 0..stride)),
    ) {
        let config = ConvTranspose2dConfig { stride, padding: (kernel - 1) / 2, output_padding };
        let x = hashed_signed("x", (n, inputs, h, w), 1.0);
        let weight = hashed_signed("weight", (inputs, outputs, kernel, kernel), 0.5);
        let bias = hashed_signed("bias", outputs, 1.0);
        check_gradient(|x| conv_transpose2d(&x[0], &x[1], Some(&x[2]), config), &[x, weight, bias], 7).unwrap();
    }
}

/// Shapes of several tiles and channel blocks, which the small random ones do not reach.
fn large_cases() -> Vec<Case> {
    let config = Conv2dConfig::default();
    let padded = |dilation| Conv2dConfig { padding: dilation, dilation, ..config };
    vec![
        Case { x: [1, 70, 40, 41], weight: [19, 70, 3, 3], config: padded(1) },
        Case { x: [2, 64, 40, 41], weight: [48, 64, 3, 3], config: padded(1) },
        Case { x: [2, 40, 14, 15], weight: [36, 40, 3, 3], config: padded(6) },
        Case { x: [2, 64, 33, 35], weight: [40, 64, 3, 3], config: padded(2) },
        Case { x: [2, 70, 14, 15], weight: [90, 70, 3, 3], config: padded(2) },
        Case { x: [3, 64, 17, 31], weight: [130, 64, 3, 3], config },
        Case { x: [2, 64, 30, 31], weight: [300, 64, 3, 3], config: padded(6) },
        Case { x: [2, 66, 20, 22], weight: [70, 66, 3, 3], config: padded(6) },
        Case { x: [1, 64, 7, 50], weight: [64, 64, 3, 3], config: padded(9) },
        Case { x: [1, 64, 25, 30], weight: [80, 64, 3, 3], config: Conv2dConfig { padding: 3, ..padded(6) } },
        Case { x: [2, 64, 29, 29], weight: [64, 64, 3, 3], config: padded(4) },
        Case {
            x: [1, 128, 9, 14],
            weight: [130, 64, 3, 3],
            config: Conv2dConfig { groups: 2, ..padded(12) },
        },
        Case { x: [3, 16, 40, 33], weight: [16, 16, 3, 3], config: padded(1) },
        Case {
            x: [1, 3, 131, 130],
            weight: [20, 3, 7, 7],
            config: Conv2dConfig { stride: 2, padding: 3, ..config },
        },
        Case { x: [2, 96, 30, 31], weight: [70, 96, 1, 1], config },
        Case { x: [1, 96, 30, 31], weight: [70, 96, 1, 1], config: Conv2dConfig { stride: 2, ..config } },
        Case { x: [1, 400, 6, 7], weight: [90, 400, 3, 3], config: padded(1) },
        Case { x: [2, 200, 8, 8], weight: [300, 200, 3, 3], config: padded(1) },
        Case { x: [1, 140, 24, 40], weight: [270, 140, 3, 3], config: padded(1) },
        Case { x: [1, 70, 50, 61], weight: [66, 70, 3, 3], config: padded(1) },
        Case { x: [2, 66, 37, 30], weight: [70, 66, 3, 3], config: padded(2) },
        Case { x: [1, 64, 40, 40], weight: [48, 32, 3, 3], config: Conv2dConfig { groups: 2, ..padded(1) } },
        Case { x: [2, 24, 40, 70], weight: [24, 1, 3, 3], config: Conv2dConfig { groups: 24, ..padded(1) } },
        Case {
            x: [2, 9, 41, 70],
            weight: [9, 1, 5, 5],
            config: Conv2dConfig { groups: 9, stride: 2, padding: 2, ..config },
        },
        Case { x: [1, 1, 100, 90], weight: [1, 1, 3, 3], config: padded(1) },
        Case { x: [1, 40, 30, 64], weight: [11, 40, 1, 1], config },
        Case { x: [1, 600, 8, 8], weight: [300, 600, 1, 1], config },
        Case { x: [1, 600, 2, 2], weight: [520, 600, 1, 1], config },
        Case { x: [2, 600, 1, 1], weight: [300, 600, 1, 1], config },
        Case { x: [1, 3, 40, 40], weight: [9, 3, 3, 3], config: padded(36) },
        Case { x: [1, 20, 9, 9], weight: [30, 20, 3, 3], config: padded(18) },
        Case { x: [9, 20, 5, 4], weight: [21, 20, 3, 3], config: padded(1) },
        Case { x: [1, 3, 31, 29], weight: [5, 3, 2, 2], config: Conv2dConfig { stride: 3, ..config } },
        Case { x: [1, 30, 21, 29], weight: [40, 30, 3, 3], config: Conv2dConfig { stride: 2, ..padded(2) } },
        Case { x: [2, 70, 33, 30], weight: [80, 70, 3, 3], config: Conv2dConfig { stride: 2, ..padded(4) } },
        Case { x: [1, 64, 45, 46], weight: [70, 64, 3, 3], config: Conv2dConfig { stride: 3, ..padded(3) } },
    ]
}

#[test]
fn large_shapes_equal_plain_loops() -> Result<()> {
    large_cases().iter().try_for_each(compare_with_plain)
}

#[test]
fn narrower_vectors_equal_plain_loops() -> Result<()> {
    for lanes in [4, 8] {
        with_lanes(lanes, || large_cases().iter().try_for_each(compare_with_plain))?;
    }
    Ok(())
}

#[test]
fn any_number_of_threads_gives_the_same_bits() -> Result<()> {
    for case in large_cases() {
        let (x, weight) = inputs(&case);
        let bias = hashed_signed("bias", case.weight[0], 1.0);
        let bits = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
            let f = |x: &[Tensor]| conv2d(&x[0], &x[1], Some(&x[2]), case.config);
            let (y, _, gradients) = pool.install(|| run(f, &[&x, &weight, &bias], "seed"))?;
            let prediction = pool.install(|| conv2d(&x, &weight, Some(&bias), case.config))?;
            let tensors = [&y, &prediction].into_iter().chain(&gradients);
            tensors.map(|tensor| tensor.flatten_all()?.to_vec1::<f32>()).collect::<Result<Vec<_>>>()
        };
        let one = bits(1)?;
        assert!(one == bits(2)?, "2 threads: {case:?}");
        assert!(one == bits(5)?, "5 threads: {case:?}");
    }
    Ok(())
}

// --- layouts, tracking ---------------------------------------------------------------------------------------------

#[test]
fn views_and_strided_gradients_are_read_rightly() -> Result<()> {
    let case = Case {
        x: [2, 3, 9, 8],
        weight: [4, 3, 3, 3],
        config: Conv2dConfig { padding: 1, ..Default::default() },
    };
    let (x, weight) = inputs(&case);
    let (x, weight) = (x.transpose(2, 3)?, weight.transpose(2, 3)?);
    // The product with the transposed seed makes candle hand a transposed gradient back.
    let f = |x: &[Tensor]| conv2d(&x[0], &x[1], None, case.config)?.transpose(2, 3);
    let vars = [Var::from_tensor(&x.contiguous()?)?, Var::from_tensor(&weight.contiguous()?)?];
    let y = f(&[vars[0].as_tensor().clone(), vars[1].as_tensor().clone()])?;
    let seed = hashed_signed("seed", y.shape(), 1.0);
    let gradients = (&y * &seed)?.sum_all()?.backward()?;
    let [plain_y, plain_dx, plain_dw] = plain(&x, &weight, &seed.transpose(2, 3)?.contiguous()?, case.config);
    assert_close(&conv2d(&x, &weight, None, case.config)?, &plain_y, "output of views");
    assert_close(gradients.get(&vars[0]).expect("a gradient"), &plain_dx, "gradient of x");
    assert_close(gradients.get(&vars[1]).expect("a gradient"), &plain_dw, "gradient of the weight");
    Ok(())
}

#[test]
fn an_untracked_image_gets_no_gradient() -> Result<()> {
    let x = hashed_signed("x", (1, 3, 8, 8), 1.0);
    let weight = Var::from_tensor(&hashed_signed("weight", (4, 3, 3, 3), 1.0))?;
    let gradients = conv2d(&x, &weight, None, Conv2dConfig::default())?.sum_all()?.backward()?;
    assert!(gradients.get(&x).is_none() && gradients.get(&weight).is_some());
    // A frozen weight under an input with a history of its own.
    let x = Var::from_tensor(&x)?;
    let weight = weight.as_tensor().detach();
    let y = conv2d(&x.sqr()?, &weight, None, Conv2dConfig::default())?;
    let gradients = y.sum_all()?.backward()?;
    assert!(gradients.get(&x).is_some() && gradients.get(&weight).is_none());
    Ok(())
}

#[test]
fn no_images_give_no_output() -> Result<()> {
    let x = Tensor::zeros((0, 3, 8, 8), candle_core::DType::F32, &Device::Cpu)?;
    let weight = hashed_signed("weight", (4, 3, 3, 3), 1.0);
    assert_eq!(conv2d(&x, &weight, None, Conv2dConfig::default())?.dims(), [0, 4, 6, 6]);
    Ok(())
}
