//! Where a network computes.

use std::fmt;
use std::str::FromStr;

use anyhow::{Result, anyhow, bail};
use candle_core::Device;
use clap::Args;
use sconce_tensors::keep_freed_memory_of;

/// Options of the verbs that run networks.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(crate) struct DeviceArguments {
    /// Build for NVIDIA GPUs, which needs a CUDA toolkit (see `cargo xtask cuda-toolchain`), and compute on cuda:0
    #[arg(long)]
    cuda: bool,
    /// Where the network computes: the processor, or the GPU of this number [default: cuda:0 with --cuda, cpu without]
    #[arg(long, value_name = "cpu|cuda:N")]
    device: Option<DeviceName>,
}

impl DeviceArguments {
    /// The device that was asked for.
    pub(crate) fn name(self) -> DeviceName {
        let default = if self.cuda { DeviceName::Cuda(0) } else { DeviceName::Cpu };
        self.device.unwrap_or(default)
    }

    /// Opens it.
    ///
    /// # Errors
    ///
    /// A GPU that this program, driver or machine does not have; the message names the remedy.
    pub(crate) fn open(self) -> Result<Device> {
        self.name().open()
    }
}

/// `cpu` or `cuda:N`; `cuda` is `cuda:0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeviceName {
    Cpu,
    Cuda(usize),
}

impl DeviceName {
    fn open(self) -> Result<Device> {
        match self {
            Self::Cpu => Ok(Device::Cpu),
            Self::Cuda(_) if !cfg!(feature = "cuda") => bail!(
                "{self} was asked for, but this program is built for the CPU: add --cuda, as in `cargo xtask train agrnet --cuda`, or take \
                 --device cpu"
            ),
            Self::Cuda(ordinal) => {
                let opened = Device::new_cuda(ordinal)
                    .and_then(|device| keep_freed_memory_of(&device).map(|()| device));
                opened.map_err(|error| {
                    anyhow!(
                        "{self} cannot be used: {}; nvidia-smi lists the GPUs and the driver's version, --device cpu computes without",
                        first_line(&error)
                    )
                })
            }
        }
    }
}

impl fmt::Display for DeviceName {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(ordinal) => write!(f, "cuda:{ordinal}"),
        }
    }
}

impl FromStr for DeviceName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let ordinal =
            |text: &str| text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
        let name = match text.strip_prefix("cuda") {
            None => (text == "cpu").then_some(Self::Cpu),
            Some("") => Some(Self::Cuda(0)),
            Some(rest) => rest.strip_prefix(':').and_then(ordinal).map(Self::Cuda),
        };
        name.ok_or_else(|| "expected cpu, or cuda:N with the number of a GPU, such as cuda:0".to_owned())
    }
}

/// The processor, where no argument says otherwise.
pub(crate) fn cpu() -> Device {
    Device::Cpu
}

/// Without the backtrace that may follow.
fn first_line(error: &candle_core::Error) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_have_names() {
        assert_eq!("cpu".parse(), Ok(DeviceName::Cpu));
        assert_eq!("cuda".parse(), Ok(DeviceName::Cuda(0)));
        assert_eq!("cuda:3".parse(), Ok(DeviceName::Cuda(3)));
        for wrong in ["", "gpu", "cuda:", "cuda:-1", "cuda:+1", "cuda1", "cuda:99999999999999999999"] {
            assert!(wrong.parse::<DeviceName>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_cpu_is_the_default_and_cuda_means_the_first_card() {
        let name = |cuda, device| DeviceArguments { cuda, device }.name();
        assert_eq!(name(false, None), DeviceName::Cpu);
        assert_eq!(name(true, None), DeviceName::Cuda(0));
        assert_eq!(name(true, Some(DeviceName::Cuda(1))), DeviceName::Cuda(1));
        assert_eq!(name(true, Some(DeviceName::Cpu)), DeviceName::Cpu);
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn a_program_for_the_cpu_says_how_to_build_for_cuda() {
        let error = DeviceName::Cuda(0).open().unwrap_err().to_string();
        assert!(
            error.contains("cuda:0") && error.contains("--cuda") && error.lines().count() == 1,
            "{error}"
        );
    }
}
