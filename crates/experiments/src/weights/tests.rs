use std::path::Path;

use candle_core::{DType, Device};
use sconce_backbones::resnet;
use sconce_models::{
    Agrnet, DeepLabV3, DeepLabV3Plus, HairPspNet, PspNet, Unet, agrnet, deeplab_v3, deeplab_v3_plus,
    hair_pspnet, pspnet, unet,
};
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
    let mut tensors = zeros(&parameters, |name| names.key_maps[1].theirs(name));
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
    for part in [
        "encoder.0.weight",
        "backbone.features.0.bias",
        "our own, YBIGTA's hair network, torchvision's SqueezeNet",
    ] {
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn a_stem_that_does_not_fit_is_explained() {
    let parameters = Parameters::new(0, &Device::Cpu);
    let vb: candle_nn::VarBuilder = parameters.builder();
    vb.pp("backbone.conv1").get((64, 3, 7, 7), "weight").unwrap();
    let tensors = BTreeMap::from([("conv1.weight".to_owned(), tensor(&[64, 3, 3, 3]))]);
    let error = error(&parameters, tensors, false, &DeepLabV3::weight_names());
    assert!(error.contains("three 3x3") && error.contains("torchvision's weights"), "{error}");
}

const SMALL: resnet::Config = resnet::Config::Small(resnet::SmallConfig {
    width: 2,
    blocks: [1, 1, 1, 1],
    stem_width: 2,
    stem_stride: 2,
    max_pool: true,
});

#[test]
fn every_parameter_of_torchvisions_network_has_its_name() {
    let config = deeplab_v3::Config { backbone: SMALL, width: 4, ..deeplab_v3::Config::resnet50(3) };
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

/// Two kinds of files.
type Write = fn(&Path, &[(String, Tensor)]);
const FORMATS: [(&str, Write); 2] = [
    ("weights.pth", |path, tensors| write_pytorch(path, tensors).unwrap()),
    ("weights.safetensors", |path, tensors| write_safetensors(path, tensors).unwrap()),
];

/// For each format writes the tensors that `map` knows to a file under its names, sets them to 0, loads the file as `--weights` does
/// and compares the logits of the reference's first image.
fn check_golden(
    golden: &str,
    parameters: &Parameters,
    names: &WeightNames,
    map: usize,
    logits: impl Fn(&Tensor) -> candle_core::Result<Tensor>,
) {
    let golden = Golden::open(Path::new(&format!("../models/tests/golden/{golden}.safetensors"))).unwrap();
    let side = |i: usize| golden.attrs()["size"][i].as_u64().unwrap() as usize;
    let image = hashed_signed("image", (2, 3, side(0), side(1)), 2.0).narrow(0, 0, 1).unwrap();
    let want = golden.tensor("eval.logits").unwrap();
    let allowed = 1e-4_f64.max(3.0 * golden.attrs()["float32_deviation"]["eval"].as_f64().unwrap());
    fill(parameters).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for (file, write) in FORMATS {
        let file = folder.path().join(file);
        let theirs = |(name, tensor): (String, Tensor)| Some((names.key_maps[map].theirs(&name)?, tensor));
        let tensors: Vec<_> = parameters.tensors().into_iter().filter_map(theirs).collect();
        let written = tensors.len();
        write(&file, &tensors);
        drop(tensors);
        let known = |name: &str| names.key_maps[map].theirs(name).is_some();
        for (_, var) in parameters.all().iter().filter(|(name, _)| known(name)) {
            var.set(&var.zeros_like().unwrap()).unwrap();
        }
        let config = Config { file, replace_classifier: false };
        let report = config.put(parameters, names).unwrap();
        assert_eq!((report.scheme, report.unused.len()), (names.key_maps[map].name, 0));
        assert_eq!(report.missing.len() + written, report.parameters);
        let deviation = deviation(&logits(&image).unwrap(), &want);
        assert!(deviation <= allowed, "deviation {deviation:e}, allowed {allowed:e}");
    }
}

/// The greatest difference, relative to the greatest value wanted.
fn deviation(got: &Tensor, want: &Tensor) -> f64 {
    let double = |t: &Tensor| t.to_dtype(DType::F64).unwrap();
    let worst =
        |t: &Tensor| t.abs().unwrap().flatten_all().unwrap().max(0).unwrap().to_scalar::<f64>().unwrap();
    worst(&(double(got) - double(want)).unwrap()) / worst(&double(want))
}

#[test]
fn torchvisions_squeezenet_gives_the_reference_logits() {
    let parameters = Parameters::new(0, &Device::Cpu);
    let network = HairPspNet::new(&hair_pspnet::Config::pyramid(), parameters.builder()).unwrap();
    let logits = |image: &Tensor| Ok(network.forward_t(image, false)?.logits);
    check_golden("hair_pspnet", &parameters, &HairPspNet::weight_names(), 1, logits);
}

#[test]
fn the_published_hair_network_gives_the_reference_logits() {
    let parameters = Parameters::new(0, &Device::Cpu);
    let network = HairPspNet::new(&hair_pspnet::Config::pyramid(), parameters.builder()).unwrap();
    let names = HairPspNet::weight_names();
    for (theirs, ours) in [
        ("base_network.feature2.4.expand3x3.weight", "backbone.features.4.expand3x3.weight"),
        ("psp.pooling_layers.3.1.bias", "pyramid.3.bias"),
        ("up_2.conv.1.running_var", "up.1.norm.running_var"),
    ] {
        assert_eq!(names.key_maps[0].theirs(ours).as_deref(), Some(theirs));
    }
    let whole = |name: &String| names.key_maps[0].theirs(name).is_some();
    assert!(parameters.tensors().keys().all(whole), "an export has their names throughout");
    let logits = |image: &Tensor| Ok(network.forward_t(image, false)?.logits);
    check_golden("hair_pspnet", &parameters, &names, 0, logits);
}

#[test]
fn torchvisions_deeplab_gives_the_reference_logits() {
    let parameters = Parameters::new(0, &Device::Cpu);
    let network = DeepLabV3::new(&deeplab_v3::Config::resnet101(21), parameters.builder()).unwrap();
    let logits = |image: &Tensor| Ok(network.forward_t(image, false)?.logits);
    check_golden("deeplabv3_r101", &parameters, &DeepLabV3::weight_names(), 0, logits);
}

#[test]
fn vainfs_deeplab_v3_plus_gives_the_reference_logits() {
    let parameters = Parameters::new(0, &Device::Cpu);
    let config = deeplab_v3_plus::Config::resnet50(21);
    let network = DeepLabV3Plus::new(&config, parameters.builder()).unwrap();
    let logits = |image: &Tensor| Ok(network.forward_t(image, false)?.logits);
    check_golden("deeplabv3plus_r50", &parameters, &DeepLabV3Plus::weight_names(), 0, logits);
}

#[test]
fn semsegs_pspnet_gives_the_reference_logits() {
    let parameters = Parameters::new(0, &Device::Cpu);
    let network = PspNet::new(&pspnet::Config::resnet50(21), parameters.builder()).unwrap();
    let logits = |image: &Tensor| Ok(network.forward_t(image, false)?.logits);
    check_golden("pspnet_r50", &parameters, &PspNet::weight_names(), 0, logits);
}

#[test]
fn the_published_agrnet_gives_the_reference_logits() {
    let parameters = Parameters::new(0, &Device::Cpu);
    let network = Agrnet::new(&agrnet::Config::resnet50(11), parameters.builder()).unwrap();
    let names = Agrnet::weight_names();
    for (theirs, ours) in [
        ("layer3.5.bn2.running_mean", "backbone.layer3.5.bn2.running_mean"),
        ("layer5.stages.2.1.weight", "pyramid.2.conv.weight"),
        ("edge_layer.conv2.0.weight", "edge_lateral.1.conv.weight"),
        ("layer6.pred1.1.bias", "initial_reduce.norm.bias"),
        ("layer6.gcn.conv1.weight", "vertex_mix.weight"),
    ] {
        assert_eq!(names.key_maps[0].theirs(ours).as_deref(), Some(theirs));
    }
    assert_eq!(names.key_maps[0].ours("layer6.blocker.weight"), Key::NotNeeded);
    let logits = |image: &Tensor| Ok(network.forward_t(image, false)?.logits);
    check_golden("agrnet_r50_c11", &parameters, &names, 0, logits);
}

#[test]
fn a_resnet_alone_is_told_from_a_whole_network_that_begins_like_it() {
    let parameters = Parameters::new(0, &Device::Cpu);
    small_agrnet(3, parameters.builder()).unwrap();
    let names = Agrnet::weight_names();
    let mut tensors = zeros(&parameters, |name| names.key_maps[1].theirs(name));
    tensors.insert("fc.weight".into(), tensor(&[1000, 16]));
    let report = put(&parameters, tensors, false, &names).unwrap();
    assert_eq!((report.scheme, report.unused.len()), ("the ResNet with a deep stem", 0));
    assert_eq!(report.not_needed, ["fc.weight"]);
}

fn small_agrnet(classes: usize, vb: candle_nn::VarBuilder) -> candle_core::Result<()> {
    let widths = agrnet::Config {
        backbone: SMALL,
        pyramid_width: 4,
        edge_width: 4,
        low_width: 4,
        state_width: 4,
        reduce_width: 4,
        ..agrnet::Config::resnet50(classes)
    };
    Agrnet::new(&widths, vb).map(drop)
}

/// What makes a network of so many classes.
type Build = fn(usize, candle_nn::VarBuilder) -> candle_core::Result<()>;

/// Small networks, and the layers of their classifiers.
fn networks() -> [(WeightNames, Build, &'static [&'static str]); 6] {
    [
        (Agrnet::weight_names(), small_agrnet, &["initial_score", "score", "vertex_mix"]),
        (
            DeepLabV3::weight_names(),
            |classes, vb| {
                let config =
                    deeplab_v3::Config { backbone: SMALL, width: 4, ..deeplab_v3::Config::resnet50(classes) };
                DeepLabV3::new(&config, vb).map(drop)
            },
            &["aux_score", "score"],
        ),
        (
            DeepLabV3Plus::weight_names(),
            |classes, vb| {
                let published = deeplab_v3_plus::Config::resnet50(classes);
                let config = deeplab_v3_plus::Config { backbone: SMALL, width: 4, low_width: 2, ..published };
                DeepLabV3Plus::new(&config, vb).map(drop)
            },
            &["score"],
        ),
        (
            PspNet::weight_names(),
            |classes, vb| {
                let published = pspnet::Config::resnet50(classes);
                let config = pspnet::Config { backbone: SMALL, width: 4, auxiliary_width: 4, ..published };
                PspNet::new(&config, vb).map(drop)
            },
            &["aux_score", "score"],
        ),
        (
            HairPspNet::weight_names(),
            |classes, vb| {
                HairPspNet::new(&hair_pspnet::Config { classes, ..hair_pspnet::Config::fcn() }, vb).map(drop)
            },
            &["score"],
        ),
        (
            Unet::weight_names(),
            |classes, vb| {
                Unet::new(&unet::Config { base_width: 2, ..unet::Config::bilinear(classes) }, vb).map(drop)
            },
            &["score"],
        ),
    ]
}

#[test]
fn a_new_classifier_is_what_follows_the_number_of_classes_and_all_else_is_loaded() {
    for (names, build, classifier) in networks() {
        let of_classes = |classes: usize| {
            let parameters = Parameters::new(0, &Device::Cpu);
            build(classes, parameters.builder()).unwrap();
            parameters
        };
        let (five, seven) = (of_classes(5), of_classes(7));
        let shapes: BTreeMap<String, Vec<usize>> =
            five.all().into_iter().map(|(name, var)| (name, var.dims().to_vec())).collect();
        let differing: Vec<String> = seven
            .all()
            .into_iter()
            .filter(|(name, var)| var.dims() != &shapes[name][..])
            .map(|(name, _)| name)
            .collect();
        assert!(!differing.is_empty());
        let layer = |name: &String| classifier.iter().any(|layer| name.starts_with(&format!("{layer}.")));
        assert!(differing.iter().all(layer), "{differing:?}");

        let report = put(&seven, zeros(&five, |name| Some(name.to_owned())), true, &names).unwrap();
        let mut replaced = report.replaced;
        replaced.sort();
        assert_eq!((replaced, report.missing), (differing.clone(), Vec::new()));
        let kept = seven.tensors().into_iter().filter(|(name, _)| !differing.contains(name));
        for (name, _) in kept {
            assert_eq!(sum(&seven, &name), 0.0, "{name} is not loaded");
        }
    }
}
