use std::path::Path;

use candle_core::DType;
use sconce_models::{DeepLabV3, HairPspNet, deeplab_v3, hair_pspnet};
use sconce_runs::{write_pytorch, write_safetensors};
use sconce_tensors::testing::{Golden, fill, hashed_signed};

use super::*;

fn fitting() -> (Parameters, WeightNames) {
    let parameters = Parameters::new(0, &Device::Cpu);
    HairPspNet::new(&hair_pspnet::Config::fcn(), parameters.builder()).unwrap();
    (parameters, HairPspNet::weight_names())
}

/// Zeros in the shapes of the network under the names that `rename` gives; none for those it does not know.
fn zeros(parameters: &Parameters, rename: impl Fn(&str) -> Option<String>) -> BTreeMap<String, Tensor> {
    let zeros = |var: &candle_core::Var| Tensor::zeros(var.dims(), DType::F32, &Device::Cpu).unwrap();
    parameters.all().iter().filter_map(|(name, var)| Some((rename(name)?, zeros(var)))).collect()
}

fn sum(parameters: &Parameters, name: &str) -> f32 {
    parameters.tensors()[name].abs().unwrap().sum_all().unwrap().to_scalar().unwrap()
}

fn tensor(shape: &[usize]) -> Tensor {
    Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap()
}

fn error(
    parameters: &Parameters,
    tensors: BTreeMap<String, Tensor>,
    replace: bool,
    names: &WeightNames,
) -> String {
    let before = parameters.tensors();
    let error = put(parameters, tensors, replace, names).err().expect("a refusal").to_string();
    for (name, tensor) in parameters.tensors() {
        let same = tensor.eq(&before[&name]).unwrap().min_all().unwrap().to_scalar::<u8>().unwrap();
        assert_eq!(same, 1, "{name} has changed");
    }
    error
}

#[test]
fn a_backbone_of_torchvision_takes_its_place() {
    let (parameters, names) = fitting();
    let mut tensors = zeros(&parameters, |name| names.key_maps[0].theirs(name));
    assert_eq!(tensors.len(), 2 + 8 * 6);
    tensors.insert("classifier.1.weight".into(), tensor(&[1000, 512, 1, 1]));
    tensors.insert("other".into(), tensor(&[1]));
    let report = put(&parameters, tensors, false, &names).unwrap();
    assert_eq!(report.scheme, "torchvision's SqueezeNet");
    assert_eq!(
        (&report.unused[..], &report.not_needed[..]),
        (&["other".into()][..], &["classifier.1.weight".into()][..])
    );
    assert!(report.missing.contains(&"score.bias".to_owned()) && report.replaced.is_empty());
    assert_eq!(report.missing.len() + 50, report.parameters);
    assert_eq!(sum(&parameters, "backbone.features.0.weight"), 0.0);
    assert!(sum(&parameters, "up.0.conv.weight") > 0.0);
}

#[test]
fn another_version_is_told_apart() {
    let (parameters, names) = fitting();
    let (bias, weight) = (("features.0.bias", tensor(&[96])), ("features.0.weight", tensor(&[96, 3, 7, 7])));
    let tensors = BTreeMap::from([bias, weight].map(|(name, tensor)| (name.to_owned(), tensor)));
    let error = error(&parameters, tensors, false, &names);
    assert!(error.contains("[96, 3, 7, 7]") && error.contains("[64, 3, 3, 3]"), "{error}");
    assert!(error.contains("SqueezeNet 1.0"), "{error}");
}

#[test]
fn other_classes_need_a_new_classifier() {
    let (parameters, names) = fitting();
    let mut tensors = zeros(&parameters, |name| Some(name.to_owned()));
    tensors.insert("score.weight".into(), tensor(&[5, 64, 1, 1]));
    tensors.insert("score.bias".into(), tensor(&[5]));
    let refusal = error(&parameters, tensors.clone(), false, &names);
    assert!(refusal.contains("'score.bias' has the shape [5], the network's 'score.bias' [1]"), "{refusal}");
    assert!(refusal.contains("--replace-classifier"), "{refusal}");
    let report = put(&parameters, tensors.clone(), true, &names).unwrap();
    assert_eq!(
        (report.scheme, &report.replaced[..]),
        ("our own names", &["score.bias".into(), "score.weight".into()][..])
    );
    assert!(report.missing.is_empty() && report.unused.is_empty());
    assert!(sum(&parameters, "score.weight") > 0.0);
    tensors.insert("up.0.conv.weight".into(), tensor(&[2]));
    let (parameters, _) = fitting();
    let refusal = error(&parameters, tensors, true, &names);
    assert!(refusal.contains("'up.0.conv.weight'") && refusal.contains("[model]"), "{refusal}");
}

#[test]
fn a_file_of_another_network_shows_names_of_both_sides() {
    let (parameters, names) = fitting();
    let tensors = BTreeMap::from([("encoder.0.weight".to_owned(), tensor(&[1]))]);
    let error = error(&parameters, tensors, true, &names);
    for part in ["encoder.0.weight", "backbone.features.0.bias", "our own, torchvision's SqueezeNet"] {
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn a_stem_that_does_not_fit_is_explained() {
    let parameters = Parameters::new(0, &Device::Cpu);
    let vb: VarBuilder = parameters.builder();
    vb.pp("backbone.conv1").get((64, 3, 7, 7), "weight").unwrap();
    let tensors = BTreeMap::from([("conv1.weight".to_owned(), tensor(&[64, 3, 3, 3]))]);
    let error = error(&parameters, tensors, false, &DeepLabV3::weight_names());
    assert!(error.contains("three 3x3") && error.contains("torchvision's weights"), "{error}");
}

#[test]
fn every_parameter_of_torchvisions_network_has_its_name() {
    let small = sconce_backbones::resnet::SmallConfig {
        width: 2,
        blocks: [1, 1, 1, 1],
        stem_width: 2,
        stem_stride: 2,
        max_pool: true,
    };
    let backbone = sconce_backbones::resnet::Config::Small(small);
    let config = deeplab_v3::Config { backbone, width: 4, ..deeplab_v3::Config::resnet50(3) };
    let parameters = Parameters::new(0, &Device::Cpu);
    DeepLabV3::new(&config, parameters.builder()).unwrap();
    let names = DeepLabV3::weight_names();
    let tensors = zeros(&parameters, |name| names.key_maps[0].theirs(name));
    for name in
        ["backbone.layer1.0.downsample.1.running_var", "classifier.0.convs.4.2.bias", "aux_classifier.4.bias"]
    {
        assert!(tensors.contains_key(name), "{name}");
    }
    let report = put(&parameters, tensors, false, &names).unwrap();
    assert_eq!((report.scheme, report.missing.len(), report.unused.len()), ("torchvision's DeepLabV3", 0, 0));
}

#[test]
fn the_command_line_becomes_a_table() {
    let arguments = WeightsArguments { weights: Some("1.5".into()), replace_classifier: true };
    assert_eq!(arguments.changes(), ["weights.file=\"1.5\"", "weights.replace-classifier=true"]);
    assert!(WeightsArguments::default().changes().is_empty());
}

/// Writes the tensors that `map` knows to a file under its names, sets them to 0, loads the file and compares the logits of the
/// reference's first image.
fn check_golden(
    golden: &str,
    parameters: &Parameters,
    names: &WeightNames,
    map: usize,
    write: impl Fn(&Path, &[(String, Tensor)]),
    logits: impl Fn(&Tensor) -> candle_core::Result<Tensor>,
) {
    fill(parameters).unwrap();
    let theirs = |(name, tensor): (String, Tensor)| Some((names.key_maps[map].theirs(&name)?, tensor));
    let tensors: Vec<_> = parameters.tensors().into_iter().filter_map(theirs).collect();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights");
    write(&path, &tensors);
    for (_, var) in parameters.all().iter().filter(|(name, _)| names.key_maps[map].theirs(name).is_some()) {
        var.set(&var.zeros_like().unwrap()).unwrap();
    }
    let report = put(parameters, read_weights(&path).unwrap(), false, names).unwrap();
    assert_eq!((report.scheme, report.unused.len()), (names.key_maps[map].name, 0));
    assert_eq!(report.missing.len() + tensors.len(), report.parameters);

    let path = format!("../models/tests/golden/{golden}.safetensors");
    let golden = Golden::open(Path::new(&path)).unwrap();
    let side = |i: usize| golden.attrs()["size"][i].as_u64().unwrap() as usize;
    let image = hashed_signed("image", (2, 3, side(0), side(1)), 2.0).narrow(0, 0, 1).unwrap();
    let (got, want) = (logits(&image).unwrap(), golden.tensor("eval.logits").unwrap());
    let worst = |t: &Tensor| t.abs().unwrap().flatten_all().unwrap().max(0).unwrap();
    let number = |t: Tensor| t.to_dtype(DType::F64).unwrap().to_scalar::<f64>().unwrap();
    let double = |t: &Tensor| t.to_dtype(DType::F64).unwrap();
    let deviation = number(worst(&(double(&got) - double(&want)).unwrap())) / number(worst(&want));
    let allowed = 1e-4_f64.max(3.0 * golden.attrs()["float32_deviation"]["eval"].as_f64().unwrap());
    assert!(deviation <= allowed, "deviation {deviation:e}, allowed {allowed:e}");
}

#[test]
fn torchvisions_squeezenet_gives_the_reference_logits() {
    let parameters = Parameters::new(0, &Device::Cpu);
    let network = HairPspNet::new(&hair_pspnet::Config::pyramid(), parameters.builder()).unwrap();
    let write = |path: &Path, tensors: &[(String, Tensor)]| write_pytorch(path, tensors).unwrap();
    let names = HairPspNet::weight_names();
    check_golden("hair_pspnet", &parameters, &names, 0, write, |image| {
        Ok(network.forward_t(image, false)?.logits)
    });
}

#[test]
fn torchvisions_deeplab_gives_the_reference_logits() {
    let parameters = Parameters::new(0, &Device::Cpu);
    let network = DeepLabV3::new(&deeplab_v3::Config::resnet101(21), parameters.builder()).unwrap();
    let write = |path: &Path, tensors: &[(String, Tensor)]| write_safetensors(path, tensors).unwrap();
    let names = DeepLabV3::weight_names();
    check_golden("deeplabv3_r101", &parameters, &names, 0, write, |image| {
        Ok(network.forward_t(image, false)?.logits)
    });
}
