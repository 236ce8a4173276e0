use super::*;
use candle_core::Device;
use candle_nn::{Module, ModuleT};
use sconce_tensors::{Conv2d, Conv2dConfig, ConvNorm, ConvNormConfig, sum_all, testing::hashed_uniform};
use tempfile::TempDir;

/// A layer, a batch for it and a folder for the run.
struct Place {
    _guard: TempDir,
    run: Run,
    parameters: Parameters,
    layer: ConvNorm,
    batch: Batch<1>,
}

impl Place {
    fn new() -> Self {
        let guard = tempfile::tempdir().unwrap();
        let run = Run::create(guard.path(), "small", "").unwrap();
        let parameters = Parameters::new(0, &Device::Cpu);
        let layer =
            ConvNorm::new(3, 2, 3, ConvNormConfig::default(), parameters.builder().pp("stem")).unwrap();
        let batch = Batch {
            image: hashed_uniform("image", (2, 3, 4, 5)),
            targets: [Tensor::zeros((2, 4, 5), DType::U8, &Device::Cpu).unwrap()],
            ids: vec!["set/a".into(), "b".into()],
            epoch: 0,
            number: 0,
            waited: std::time::Duration::ZERO,
        };
        Self { _guard: guard, run, parameters, layer, batch }
    }

    /// The root of 0: finite, with a slope that is not.
    fn loss(&self) -> Result<Tensor> {
        let sum = sum_all(&self.layer.forward_t(&self.batch.image, true)?)?;
        Ok((&sum - sum.detach())?.sqrt()?)
    }

    /// What the watch makes of a step whose loss it is told to be 0.
    fn watch(&self, reaction: OnNan, again: impl FnOnce() -> Result<Tensor>) -> Result<Option<GradStore>> {
        let mut watch = NanWatch::new(&self.run, &self.parameters, reaction);
        watch.begin()?;
        let mut at = Position::default();
        at.step = 6;
        let zero = || Tensor::new(0f32, &Device::Cpu).unwrap();
        let terms = [("total", zero()), ("root", zero())];
        let step = Step { at, lr: 0.1, batch: &self.batch, targets: ["labels"], terms: &terms };
        Ok(watch.outcome(&step, self.loss()?, again, &ProgressLine::new(1, 1, 0))?.gradients)
    }

    fn statistics(&self) -> Vec<Vec<f32>> {
        let buffers = self.parameters.buffers().into_iter();
        buffers.map(|(_, var)| var.to_vec1().unwrap()).collect()
    }
}

#[test]
fn gradients_of_a_finite_loss_are_explained() {
    let place = Place::new();
    let message = place.watch(OnNan::Stop, || place.loss()).expect_err("an error").to_string();
    for part in
        ["gradients are not finite", "step 7 (epoch 1)", "set/a, b", "backward pass", "it is 1.000e-1"]
    {
        assert!(message.contains(part), "`{part}` is not in:\n{message}");
    }
    assert!(message.contains("gradient  of stem.norm.bias is the first"), "{message}");
    let folder = place.run.nan();
    let saved = Checkpoint::read(&folder.join("step-7.safetensors"), &Device::Cpu).unwrap();
    assert_eq!(saved.tensors["labels"].dims(), [2, 4, 5]);
    assert!(folder.join("step-7-1-set_a.png").is_file() && folder.join("step-7-2-b.png").is_file());
}

#[test]
fn an_operation_of_candle_is_found_where_it_makes_the_first_nan() {
    let place = Place::new();
    let conv = Conv2d::with_bias(2, 2, 1, Conv2dConfig::default(), place.parameters.builder().pp("last"));
    let conv = conv.unwrap();
    // The logarithm of -1 at one place, between two layers of ours; further on all is NaN.
    let forward = |log: bool| {
        let y = place.layer.forward_t(&place.batch.image, true)?;
        let mut shift = vec![1_f32; y.elem_count()];
        shift[7] = -1.0;
        let positive = (y.sqr()? + 1.0)?.mul(&Tensor::from_vec(shift, y.shape(), &Device::Cpu)?)?;
        let made = if log { positive.log()? } else { positive };
        Ok(sum_all(&conv.forward(&made.affine(2.0, 0.0)?)?)?)
    };
    let (loss, findings) = checked(|| -> Result<Tensor> {
        let loss = forward(true)?;
        look_at_graph(&loss)?;
        Ok(loss)
    });
    assert!(loss.unwrap().to_scalar::<f32>().unwrap().is_nan());
    let first = findings.operation.expect("an operation");
    assert_eq!((first.operation, first.index, first.shape), (OF_CANDLE, vec![0, 0, 1, 2], vec![2, 2, 4, 5]));
    let (_, findings) = checked(|| look_at_graph(&forward(false).unwrap()));
    assert_eq!(findings.operation, None);

    let terms = [("total", forward(true).unwrap().detach())];
    let step =
        Step { at: Position::default(), lr: 0.1, batch: &place.batch, targets: ["labels"], terms: &terms };
    let watch = NanWatch::new(&place.run, &place.parameters, OnNan::Stop);
    let told = watch.outcome(&step, forward(true).unwrap(), || forward(true), &ProgressLine::new(1, 1, 0));
    let message = told.expect_err("an error").to_string();
    let line = "`operation of candle` of the forward pass: NaN at [0, 0, 1, 2] of its result [2, 2, 4, 5], after stem.";
    assert!(message.contains(line) && message.contains("what it was made of was finite"), "{message}");
}

#[test]
fn a_step_that_is_finite_when_made_again_is_told() {
    let place = Place::new();
    let again = || Ok(sum_all(&place.layer.forward_t(&place.batch.image, true)?)?);
    let message = place.watch(OnNan::Stop, again).expect_err("an error").to_string();
    assert!(message.contains("made again is finite"), "{message}");
    let message = place.watch(OnNan::Stop, || bail!("no luck")).expect_err("an error").to_string();
    assert!(message.contains("could not be made again: no luck") && message.contains("step-7"), "{message}");
}

#[test]
fn a_skipped_step_leaves_running_statistics_as_they_were() {
    let place = Place::new();
    let before = place.statistics();
    place.loss().unwrap();
    assert_ne!(place.statistics(), before, "a forward pass moves them");
    let before = place.statistics();
    assert!(place.watch(OnNan::Skip, || bail!("not asked for")).unwrap().is_none());
    assert_eq!(place.statistics(), before);
    assert!(!place.run.nan().exists());
}

#[test]
fn a_picture_has_its_pixels_in_place() -> Result<()> {
    let values: Vec<f32> = (0..12).map(|value| value as f32 / 255.0).collect();
    let picture = picture(&Tensor::from_vec(values, (3, 2, 2), &Device::Cpu)?)?;
    assert_eq!(picture.get_pixel(1, 0).0, [1, 5, 9]);
    assert_eq!(picture.get_pixel(0, 1).0, [2, 6, 10]);
    Ok(())
}
