//! Backends and devices: those of this binary, and how one is started without a panic.

use std::fmt;
use std::panic::{self, AssertUnwindSafe};
use std::str::FromStr;

use burn::tensor::{Device, Tensor};

use crate::ranks::local_rank;
use crate::report::{Failure, Result, command};

/// Which of a backend's devices computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceIndex {
    /// That of this index.
    Number(usize),
    /// That of the number of this process among those of its machine.
    LocalRank,
}

impl DeviceIndex {
    fn number(self) -> usize {
        match self {
            Self::Number(index) => index,
            Self::LocalRank => local_rank(),
        }
    }
}

impl FromStr for DeviceIndex {
    type Err = String;

    fn from_str(typed: &str) -> Result<Self, String> {
        match typed {
            "local-rank" => Ok(Self::LocalRank),
            _ => typed
                .parse()
                .map(Self::Number)
                .map_err(|_| "it must be an index from 0, or `local-rank`".to_owned()),
        }
    }
}

impl fmt::Display for DeviceIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(index) => index.fmt(f),
            Self::LocalRank => f.write_str("local-rank"),
        }
    }
}

/// A backend of Burn, whether or not it is built in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    Flex,
    NdArray,
    Wgpu,
    Vulkan,
    Metal,
    WebGpu,
    Cuda,
    Rocm,
}

impl Backend {
    pub const ALL: [Self; 8] = [
        Self::Flex,
        Self::NdArray,
        Self::Wgpu,
        Self::Vulkan,
        Self::Metal,
        Self::WebGpu,
        Self::Cuda,
        Self::Rocm,
    ];

    /// The name that `--backend` takes, and the cargo feature.
    pub fn name(self) -> &'static str {
        match self {
            Self::Flex => "flex",
            Self::NdArray => "ndarray",
            Self::Wgpu => "wgpu",
            Self::Vulkan => "vulkan",
            Self::Metal => "metal",
            Self::WebGpu => "webgpu",
            Self::Cuda => "cuda",
            Self::Rocm => "rocm",
        }
    }

    /// What it computes on.
    pub fn about(self) -> &'static str {
        match self {
            Self::Flex => "CPU, pure Rust, with charloom's own kernels",
            Self::NdArray => "CPU, Burn's older backend",
            Self::Wgpu => "GPU, through the graphics API of the machine",
            Self::Vulkan => "GPU, through Vulkan",
            Self::Metal => "GPU, through Metal",
            Self::WebGpu => "GPU, through WebGPU",
            Self::Cuda => "NVIDIA GPU",
            Self::Rocm => "AMD GPU",
        }
    }

    pub fn is_built_in(self) -> bool {
        match self {
            Self::Flex => cfg!(feature = "flex"),
            Self::NdArray => cfg!(feature = "ndarray"),
            Self::Wgpu => cfg!(feature = "wgpu"),
            Self::Vulkan => cfg!(feature = "vulkan"),
            Self::Metal => cfg!(feature = "metal"),
            Self::WebGpu => cfg!(feature = "webgpu"),
            Self::Cuda => cfg!(feature = "cuda"),
            Self::Rocm => cfg!(feature = "rocm"),
        }
    }

    fn built_in() -> String {
        let names = Self::ALL.into_iter().filter(|backend| backend.is_built_in());
        names.map(|backend| format!("`{backend}`")).collect::<Vec<_>>().join(", ")
    }

    /// Starts a device of the backend: the one of that index, or the best one.
    pub fn open(self, index: Option<DeviceIndex>) -> Result<Device> {
        let index = index.map(DeviceIndex::number);
        if !self.is_built_in() {
            return Err(Failure::request(format!(
                "backend `{self}` is not built into this binary (available: {})",
                Self::built_in()
            ))
            .hint(format!("to build it in: {}", build_command("train", self.name()))));
        }
        if let Some(device) = self.best(index)? {
            return Ok(device);
        }
        let index = index.unwrap_or(0);
        let devices = self.devices();
        let Some(device) = devices.get(index) else {
            return Err(match devices.len() {
                0 => self.cannot_start("no device or no driver was found on this machine"),
                1 => self.no_device(index, "0"),
                found => self.no_device(index, &format!("0 to {}", found - 1)),
            });
        };
        self.probe(device)?;
        Ok(device.clone())
    }

    fn no_device(self, index: usize, available: &str) -> Failure {
        Failure::request(format!("backend `{self}` has no device {index} (available: {available})"))
            .hint(format!("`{} devices` lists the devices", command()))
    }

    fn cannot_start(self, why: impl fmt::Display) -> Failure {
        // The messages of drivers can be paragraphs long.
        let why = why.to_string();
        let why = why.lines().next().unwrap_or_default();
        Failure::request(format!("backend `{self}` can't start: {why}")).hint(format!(
            "`{} devices` lists the available devices; `--backend flex` works on every machine",
            command()
        ))
    }

    /// The device that wgpu picks, unless an index is given. Only this way of starting wgpu returns errors.
    #[cfg(feature = "wgpu")]
    fn best(self, index: Option<usize>) -> Result<Option<Device>> {
        use burn::tensor::wgpu::WgpuBackend;

        let api = match self {
            Self::Wgpu => WgpuBackend::Auto,
            Self::Vulkan => WgpuBackend::Vulkan,
            Self::Metal => WgpuBackend::Metal,
            Self::WebGpu => WgpuBackend::WebGpu,
            Self::Flex | Self::NdArray | Self::Cuda | Self::Rocm => return Ok(None),
        };
        if index.is_some() {
            return Ok(None);
        }
        let options = Device::wgpu_options().graphics_api(api);
        quietly(|| options.init())
            .map_err(|why| self.cannot_start(why))?
            .map(Some)
            .map_err(|error| self.cannot_start(error))
    }

    #[cfg(not(feature = "wgpu"))]
    fn best(self, _index: Option<usize>) -> Result<Option<Device>> {
        Ok(None)
    }

    /// The backend's devices on this machine; none if there is no driver, or the backend isn't built in.
    pub fn devices(self) -> Vec<Device> {
        quietly(|| self.enumerate()).unwrap_or_default()
    }

    fn enumerate(self) -> Vec<Device> {
        #[allow(unused_imports, reason = "which are used depends on the features")]
        use burn::tensor::DeviceType;

        match self {
            #[cfg(feature = "flex")]
            Self::Flex => vec![Device::flex()],
            #[cfg(feature = "ndarray")]
            #[allow(deprecated, reason = "kept for as long as Burn ships it")]
            Self::NdArray => vec![Device::ndarray()],
            #[cfg(feature = "wgpu")]
            Self::Wgpu => Device::enumerate(DeviceType::Wgpu).into_vec(),
            #[cfg(feature = "vulkan")]
            Self::Vulkan => Device::enumerate(DeviceType::Vulkan).into_vec(),
            #[cfg(feature = "metal")]
            Self::Metal => Device::enumerate(DeviceType::Metal).into_vec(),
            #[cfg(feature = "webgpu")]
            Self::WebGpu => Device::enumerate(DeviceType::WebGpu).into_vec(),
            #[cfg(feature = "cuda")]
            Self::Cuda => Device::enumerate(DeviceType::Cuda).into_vec(),
            #[cfg(feature = "rocm")]
            Self::Rocm => Device::enumerate(DeviceType::Rocm).into_vec(),
            #[allow(unreachable_patterns, reason = "not reached where all are built in")]
            _ => Vec::new(),
        }
    }

    /// Computes something small: a device that Burn lists may still fail to start, with a panic.
    fn probe(self, device: &Device) -> Result<()> {
        quietly(|| Tensor::<1>::ones([1], device).try_into_data().map(drop))
            .map_err(|why| self.cannot_start(why))?
            .map_err(|error| self.cannot_start(error))
    }
}

/// The command that builds a backend in, in backticks: by `cargo xtask` if that started the program.
pub fn build_command(subcommand: &str, backend: &str) -> String {
    match command().as_str() {
        xtask @ "cargo xtask" => format!("`{xtask} {subcommand} --backend {backend}`"),
        _ => format!(
            "`cargo install --path crates/cli --features {backend}` in charloom's repository"
        ),
    }
}

/// The name of a device.
#[cfg(any(feature = "wgpu", feature = "cuda", feature = "rocm"))]
pub fn device_name(device: &Device) -> Option<String> {
    quietly(|| device.identity()).ok().flatten().map(|identity| identity.name)
}

/// The name of a device: CPUs have none.
#[cfg(not(any(feature = "wgpu", feature = "cuda", feature = "rocm")))]
pub fn device_name(_device: &Device) -> Option<String> {
    None
}

/// Does `work` and turns a panic into an error: Burn's GPU runtimes panic when a driver fails. They do so in threads of
/// their own too, so the panic hook is silenced.
fn quietly<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let done = panic::catch_unwind(AssertUnwindSafe(work));
    panic::set_hook(hook);
    done.map_err(|panic| match panic.downcast::<String>() {
        Ok(message) => *message,
        Err(panic) => panic
            .downcast::<&str>()
            .map_or_else(|_| "the driver failed".to_owned(), |message| (*message).to_owned()),
    })
}

/// The first backend that is built in: `flex`, if it is.
impl Default for Backend {
    fn default() -> Self {
        Self::ALL.into_iter().find(|backend| backend.is_built_in()).unwrap_or(Self::Flex)
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Backend {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|backend| backend.name() == name).ok_or_else(|| {
            let names = Self::ALL.map(|backend| format!("`{backend}`"));
            format!("it must be one of {}", names.join(", "))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_backend_is_parsed_from_its_name() {
        for backend in Backend::ALL {
            assert_eq!(backend.name().parse(), Ok(backend));
        }
        assert!("tpu".parse::<Backend>().is_err());
    }

    #[test]
    fn a_device_is_an_index_or_the_local_rank() {
        assert_eq!("2".parse(), Ok(DeviceIndex::Number(2)));
        assert_eq!("local-rank".parse(), Ok(DeviceIndex::LocalRank));
        assert!("-1".parse::<DeviceIndex>().is_err());
        assert_eq!(DeviceIndex::LocalRank.to_string(), "local-rank");
    }

    #[test]
    fn a_panic_becomes_an_error() {
        assert_eq!(quietly(|| 5), Ok(5));
        let panicked: Result<(), String> = quietly(|| panic!("no driver"));
        assert_eq!(panicked, Err("no driver".to_owned()));
    }
}
