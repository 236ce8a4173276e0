//! What is timed: the names and sizes of the peer's script, and networks at growing sizes.

use anyhow::{Result, bail};
use candle_core::Device;

use super::convolution::{self, Convolution};
use super::dense_crf;
use super::network::{self, Job, Network};
use super::profile::Profile;
use super::timing::{Measurement, Plan, measure};

/// One timed piece of work.
#[derive(Debug, Clone)]
pub(super) struct Case {
    pub(super) name: String,
    work: Work,
}

#[derive(Debug, Clone, Copy)]
enum Work {
    Train(Network, [usize; 3]),
    Infer(Network, [usize; 3]),
    Forward(Convolution),
    Backward(Convolution),
    Matmul,
    /// Width, height and classes.
    DenseCrf([usize; 3]),
}

/// Batch, height and width of a training step's images.
const TRAIN: [(Network, [usize; 3]); 6] = [
    (Network::Agrnet, [2, 256, 256]),
    (Network::AgrnetR50C11, [2, 128, 128]),
    (Network::UnetBilinear, [1, 256, 256]),
    (Network::HairPspnet, [4, 256, 256]),
    (Network::DeeplabV3PlusR50, [2, 224, 224]),
    (Network::PspnetR50, [2, 225, 225]),
];

/// Batch, height and width of a prediction's images.
const INFER: [(Network, [usize; 3]); 5] = [
    (Network::Agrnet, [1, 512, 512]),
    (Network::UnetBilinear, [1, 512, 512]),
    (Network::HairPspnet, [1, 512, 512]),
    (Network::DeeplabV3PlusR101, [1, 513, 513]),
    (Network::DeeplabV3R101, [1, 520, 520]),
];

/// The size in pixels of the photographs that the U-Net was made for.
const FULL: [usize; 2] = [1248, 1344];

/// Networks whose growth is looked at, and images in a batch of their training: AGRNet's normalisation of a pyramid level
/// of one pixel needs two.
const GROWING: [(Network, usize); 2] = [(Network::Agrnet, 2), (Network::UnetBilinear, 1)];

/// Height and width of the growing images.
const SIZES: [usize; 4] = [128, 256, 512, 1024];

/// The end of the name of a case that recomputes.
const RECOMPUTE: &str = "_recompute";

impl Case {
    /// What the peer's script times too.
    pub(super) fn published() -> Vec<Self> {
        let train =
            TRAIN.map(|(network, size)| (format!("train/{}", network.name()), Work::Train(network, size)));
        let infer =
            INFER.map(|(network, size)| (format!("infer/{}", network.name()), Work::Infer(network, size)));
        let networks = train.into_iter().chain(infer).map(|(name, work)| Self { name, work });
        networks.chain(Self::operations()).collect()
    }

    /// Single operations.
    pub(super) fn operations() -> Vec<Self> {
        let case = |name: String, work| Self { name, work };
        let mut cases = Vec::new();
        for (name, convolution) in convolution::ALL {
            cases.push(case(format!("op/{name}/forward"), Work::Forward(convolution)));
            cases.push(case(format!("op/{name}/backward"), Work::Backward(convolution)));
        }
        cases.push(case("op/matmul_2048".to_owned(), Work::Matmul));
        cases
    }

    /// What the peer's script times too, if it is asked for by name: U-Net on whole photographs, which takes minutes and
    /// gigabytes.
    pub(super) fn full() -> Vec<Self> {
        let [height, width] = FULL;
        let mut cases = Vec::new();
        for batch in [1, 2] {
            for (network, mode) in [(Network::UnetBilinear, ""), (Network::UnetBilinearRecompute, RECOMPUTE)]
            {
                cases.push(Self {
                    name: format!("full/train/unet_bilinear_{batch}x{height}x{width}{mode}"),
                    work: Work::Train(network, [batch, height, width]),
                });
            }
        }
        cases.push(Self {
            name: format!("full/infer/unet_bilinear_1x{height}x{width}"),
            work: Work::Infer(Network::UnetBilinear, [1, height, width]),
        });
        cases
    }

    /// What the peer's other script times, if it is asked for by name: it needs pydensecrf.
    pub(super) fn crf() -> Vec<Self> {
        let case = |size: [usize; 3]| {
            let [width, height, classes] = size;
            Self { name: format!("crf/{width}x{height}x{classes}"), work: Work::DenseCrf(size) }
        };
        dense_crf::ALL.map(case).into()
    }

    /// The peer's script that times the case.
    pub(super) fn peer_script(&self) -> &'static str {
        match self.work {
            Work::DenseCrf(_) => "bench_crf.py",
            _ => "bench_torch.py",
        }
    }

    /// The peer's name of the case: it has no mode to recompute.
    pub(super) fn peer_name(&self) -> &str {
        self.name.strip_suffix(RECOMPUTE).unwrap_or(&self.name)
    }

    /// Training steps and predictions of one image at growing sizes, series after series.
    pub(super) fn growing() -> Vec<Self> {
        let mut cases = Vec::new();
        for (network, batch) in GROWING {
            cases.extend(SIZES.map(|size| Self {
                name: format!("train/{}@{size}", network.name()),
                work: Work::Train(network, [batch, size, size]),
            }));
            cases.extend(SIZES.map(|size| Self {
                name: format!("infer/{}@{size}", network.name()),
                work: Work::Infer(network, [1, size, size]),
            }));
        }
        cases
    }

    /// Pixels of all images of a network's batch; 0 for an operation.
    pub(super) fn pixels(&self) -> f64 {
        match self.work {
            Work::Train(_, size) | Work::Infer(_, size) => size.iter().product::<usize>() as f64,
            Work::Forward(_) | Work::Backward(_) | Work::Matmul | Work::DenseCrf(_) => 0.0,
        }
    }

    /// Times the case in this process.
    pub(super) fn measure(&self, plan: Plan, device: &Device) -> Result<Measurement> {
        match self.work {
            Work::Train(network, size) => self.time(network::train(network, size, device)?, plan),
            Work::Infer(network, size) => self.time(network::infer(network, size, device)?, plan),
            Work::Forward(convolution) => convolution.forward(&self.name, plan, device),
            Work::Backward(convolution) => convolution.backward(&self.name, plan, device),
            Work::Matmul => convolution::matmul(&self.name, plan, device),
            Work::DenseCrf(size) => dense_crf::time(&self.name, size, plan, device),
        }
    }
}

impl Case {
    fn time(&self, job: Job<impl FnMut() -> candle_core::Result<()>>, plan: Plan) -> Result<Measurement> {
        measure(&self.name, &job.shape, Some(job.needs), plan, job.work)
    }

    /// The operations of a training step or a prediction, for about `seconds`.
    pub(super) fn profile(&self, seconds: f64, device: &Device) -> Result<Profile> {
        match self.work {
            Work::Train(network, size) => {
                Profile::take(network::train(network, size, device)?, seconds, device)
            }
            Work::Infer(network, size) => {
                Profile::take(network::infer(network, size, device)?, seconds, device)
            }
            _ => bail!("{}: a profile is of a training step or a prediction: train/… or infer/…", self.name),
        }
    }
}

/// Those of `all` that have these names, all if there are no names; a name may end in `*`.
pub(super) fn matching(names: &[String], all: Vec<Case>) -> Result<Vec<Case>> {
    let matches = |name: &str, case: &Case| match name.strip_suffix('*') {
        Some(start) => case.name.starts_with(start),
        None => case.name == name,
    };
    for name in names {
        if !all.iter().any(|case| matches(name, case)) {
            let known: Vec<_> = all.iter().map(|case| case.name.as_str()).collect();
            bail!("there is no case '{name}'; the cases are:\n  {}", known.join("\n  "));
        }
    }
    let wanted = |case: &Case| names.is_empty() || names.iter().any(|name| matches(name, case));
    Ok(all.into_iter().filter(wanted).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_choose_cases() {
        let count = |names: &[&str]| {
            let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
            matching(&names, Case::published()).map(|cases| cases.len())
        };
        assert_eq!(count(&[]).unwrap(), 6 + 5 + 14 + 1);
        assert_eq!(count(&["train/*"]).unwrap(), 6);
        assert_eq!(count(&["op/matmul_2048", "infer/agrnet"]).unwrap(), 2);
        let error = count(&["train/resnet"]).unwrap_err().to_string();
        assert!(error.contains("train/resnet") && error.contains("train/agrnet_r50_c11"), "{error}");
    }

    #[test]
    fn whole_photographs_have_names_of_their_own() {
        let full = Case::full();
        assert_eq!(full[1].name, "full/train/unet_bilinear_1x1248x1344_recompute");
        assert_eq!(full[1].peer_name(), full[0].name);
        assert_eq!(full[4].peer_name(), "full/infer/unet_bilinear_1x1248x1344");
        let crf = Case::crf();
        assert_eq!((&*crf[0].name, crf[0].peer_script()), ("crf/500x375x21", "bench_crf.py"));
        assert_eq!(full[0].peer_script(), "bench_torch.py");
    }

    #[test]
    fn an_operation_is_measured() {
        let case = &matching(&["op/conv3x3_16_64@127/forward".to_owned()], Case::operations()).unwrap()[0];
        let measurement = case.measure(Plan { seconds: 0.0, limit: true }, &Device::Cpu).unwrap();
        assert_eq!(measurement.case, case.name);
        assert_eq!(measurement.runs, 3);
        assert!(measurement.median_ms >= measurement.min_ms && measurement.min_ms > 0.0);
        assert!(measurement.peak_mib > 0 && measurement.gflops.is_some() && measurement.gb_per_s.is_some());
        assert!(measurement.limit_gflops.unwrap() > 0.0);
    }

    #[test]
    fn growing_cases_have_their_pixels() {
        let cases = matching(&["train/agrnet*".to_owned()], Case::growing()).unwrap();
        let names: Vec<_> = cases.iter().map(|case| case.name.as_str()).collect();
        assert_eq!(names, ["train/agrnet@128", "train/agrnet@256", "train/agrnet@512", "train/agrnet@1024"]);
        assert_eq!(cases[1].pixels(), 2.0 * 65_536.0);
    }
}
