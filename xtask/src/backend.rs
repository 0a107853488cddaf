//! The backends that a build can have.

use crate::failure::{Failure, Result};

/// A backend, named as in `--backend` and as the cargo feature that builds it in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backend {
    pub name: &'static str,
    about: &'static str,
    /// Requirements of a build besides Rust.
    needs: Option<&'static str>,
}

/// The first is the default, which every build has.
const BACKENDS: [Backend; 8] = [
    Backend { name: "flex", about: "CPU, pure Rust: the default", needs: None },
    Backend { name: "ndarray", about: "CPU, Burn's older backend", needs: None },
    Backend { name: "wgpu", about: "GPU, the graphics API of the machine", needs: None },
    Backend { name: "vulkan", about: "GPU through Vulkan, SPIR-V kernels", needs: None },
    Backend { name: "metal", about: "GPU through Metal", needs: Some("macOS") },
    Backend { name: "webgpu", about: "GPU through WebGPU, WGSL kernels", needs: None },
    Backend { name: "cuda", about: "NVIDIA GPU", needs: Some(LLVM) },
    Backend { name: "rocm", about: "AMD GPU", needs: Some(LLVM) },
];

/// CubeCL compiles kernels for these GPUs with an LLVM that its build script downloads and links.
const LLVM: &str =
    "a C++ compiler, and internet access once, to download CubeCL's LLVM from github.com";

impl Backend {
    pub fn parse(name: &str) -> Result<Self> {
        BACKENDS.into_iter().find(|backend| backend.name == name).ok_or_else(|| {
            Failure::request(format!("unknown backend `{name}` (available: {})", Self::names()))
        })
    }

    /// The cargo arguments that build this backend in, next to the default one.
    pub fn features(self) -> Vec<&'static str> {
        if self.is_default() { Vec::new() } else { vec!["--features", self.name] }
    }

    pub fn is_default(self) -> bool {
        self == BACKENDS[0]
    }

    /// The failure of a build with this backend.
    pub fn build_failure(self, package: &str) -> Failure {
        let failure = Failure::work(format!("{package} did not build for backend `{}`", self.name));
        match self.needs {
            Some(needs) => failure.hint(format!("backend `{}` needs {needs}", self.name)),
            None => failure,
        }
    }

    /// All names, for messages.
    pub fn names() -> String {
        BACKENDS.map(|backend| format!("`{}`", backend.name)).join(", ")
    }

    /// All backends, for the help.
    pub fn list() -> String {
        BACKENDS.map(|backend| format!("  {:<9}{}\n", backend.name, backend.about)).concat()
    }
}

impl Default for Backend {
    fn default() -> Self {
        BACKENDS[0]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_backend_adds_no_feature() {
        assert_eq!(Backend::default(), Backend::parse("flex").unwrap());
        assert!(Backend::default().features().is_empty());
    }

    #[test]
    fn other_backends_add_a_feature_to_the_default_ones() {
        assert_eq!(Backend::parse("wgpu").unwrap().features(), ["--features", "wgpu"]);
    }

    #[test]
    fn every_backend_is_a_feature_of_the_binary() {
        let manifest = include_str!("../../crates/cli/Cargo.toml");
        for backend in BACKENDS {
            assert!(
                manifest.contains(&format!("\n{} = [", backend.name)),
                "{} is not a feature",
                backend.name
            );
        }
    }

    #[test]
    fn the_message_about_an_unknown_backend_lists_the_known_ones() {
        assert_eq!(
            Backend::parse("tpu").unwrap_err().to_string(),
            "error: unknown backend `tpu` (available: `flex`, `ndarray`, `wgpu`, `vulkan`, `metal`, `webgpu`, `cuda`, `rocm`)"
        );
    }

    #[test]
    fn a_failed_build_names_the_backends_requirements() {
        let message = Backend::parse("cuda").unwrap().build_failure("charloom").to_string();
        assert!(
            message.starts_with("error: charloom did not build for backend `cuda`\n\nhint: "),
            "{message}"
        );
        assert!(message.contains("download"), "{message}");
    }
}
