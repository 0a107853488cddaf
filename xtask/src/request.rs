//! What was typed after `cargo xtask`.

use std::ffi::{OsStr, OsString};

use crate::backend::Backend;
use crate::failure::{Failure, Result};

const FLAG: &str = "--backend";

/// The commands of charloom that take `--backend`; a test of charloom compares this with its command line.
const TAKE_BACKEND: [&str; 9] =
    ["train", "generate", "eval", "baseline", "predict", "score", "complete", "plan", "sweep"];

/// The command with its arguments, and the backend that they name.
#[derive(Debug)]
pub struct Request {
    /// The command and all its arguments, `--backend` included, as the binary gets them.
    pub args: Vec<OsString>,
    pub backend: Backend,
    /// Whether charloom is built with MPI.
    pub mpi: bool,
    /// The number of processes that it is started in by `mpirun`.
    pub ranks: Option<usize>,
}

impl Request {
    /// Reads arguments. A `--backend` in front of the command is moved to its end, where the binary looks for it.
    pub fn parse(mut args: Vec<OsString>) -> Result<Self> {
        let place = backend_range(&args);
        let backend = match &place {
            Some(place) => Backend::parse(&backend_name(&args, place.start)?)?,
            None => Backend::default(),
        };
        if let Some(place) = place.filter(|place| place.start == 0) {
            args.rotate_left(place.len());
            // After a `--` nothing is a flag.
            if let Some(end) = args.iter().position(|arg| arg == "--") {
                args[end..].rotate_right(place.len());
            }
        }
        let (mut mpi, mut ranks) = (false, None);
        // Tests get their arguments as they are.
        if args.first().is_none_or(|command| command != "test") {
            if let Some(features) = take(&mut args, "--features")? {
                if features != "mpi" {
                    let message = format!("unknown feature `{features}` (available: `mpi`)");
                    return Err(Failure::request(message));
                }
                mpi = true;
            }
            if let Some(number) = take(&mut args, "--ranks")? {
                let number = number.parse().ok().filter(|ranks| (1..=4096).contains(ranks));
                let wrong = || Failure::request("`--ranks` must be a number from 1 to 4096");
                (mpi, ranks) = (true, Some(number.ok_or_else(wrong)?));
            }
        }
        Ok(Self { args, backend, mpi, ranks })
    }

    /// The first argument, if there is one. An argument that isn't UTF-8 is left for the binary to refuse.
    pub fn command(&self) -> Option<&str> {
        self.args.first().map(|arg| arg.to_str().unwrap_or_default())
    }

    /// The arguments of the command without `--backend B`, for programs that don't know this flag.
    pub fn rest_without_backend(&self) -> Vec<OsString> {
        let mut rest = self.args.clone();
        if let Some(place) = backend_range(&rest) {
            rest.drain(place);
        }
        rest.drain(..1);
        rest
    }

    /// The command and all its arguments. `--backend` chose what was built; commands that compute nothing don't take it.
    pub fn args_for_charloom(&self) -> Vec<OsString> {
        match self.command() {
            Some(command) if !TAKE_BACKEND.contains(&command) => {
                std::iter::once(command.into()).chain(self.rest_without_backend()).collect()
            }
            _ => self.args.clone(),
        }
    }

    /// The value of `flag`, typed as `flag VALUE` or `flag=VALUE`.
    pub fn value_of(&self, flag: &str) -> Option<&OsStr> {
        let args = self.flags();
        args.iter().enumerate().find_map(|(place, arg)| {
            if arg == flag {
                return args.get(place + 1).map(OsString::as_os_str);
            }
            arg.to_str()?.strip_prefix(flag)?.strip_prefix('=').map(OsStr::new)
        })
    }

    /// Whether any argument contains `text`.
    pub fn mentions(&self, text: &str) -> bool {
        self.args.iter().any(|arg| arg.to_string_lossy().contains(text))
    }

    /// Whether the arguments ask for help only.
    pub fn asks_for_help(&self) -> bool {
        self.has("--help") || self.has("-h")
    }

    /// Whether `flag` was typed.
    pub fn has(&self, flag: &str) -> bool {
        self.flags().iter().any(|arg| arg == flag)
    }

    fn flags(&self) -> &[OsString] {
        flags(&self.args)
    }
}

/// Removes `flag VALUE` or `flag=VALUE` from the arguments.
fn take(args: &mut Vec<OsString>, flag: &str) -> Result<Option<String>> {
    let joined = |arg: &OsStr| {
        let value = arg.to_str()?.strip_prefix(flag)?.strip_prefix('=')?;
        Some(value.to_owned())
    };
    let Some(place) = flags(args).iter().position(|arg| arg == flag || joined(arg).is_some())
    else {
        return Ok(None);
    };
    let arg = args.remove(place);
    match joined(&arg) {
        Some(value) => Ok(Some(value)),
        None if place < flags(args).len() => {
            Ok(Some(args.remove(place).to_string_lossy().into_owned()))
        }
        None => Err(Failure::request(format!("`{flag}` needs a value"))),
    }
}

/// The arguments up to `--`.
fn flags(args: &[OsString]) -> &[OsString] {
    args.split(|arg| arg == "--").next().unwrap_or_default()
}

/// The range of `--backend B` or `--backend=B` in the arguments.
fn backend_range(args: &[OsString]) -> Option<std::ops::Range<usize>> {
    let args = flags(args);
    let start = args.iter().position(|arg| arg == FLAG || joined_value(arg).is_some())?;
    let end = if args[start] == FLAG { start + 2 } else { start + 1 };
    Some(start..end.min(args.len()))
}

fn joined_value(arg: &OsStr) -> Option<&str> {
    arg.to_str()?.strip_prefix(FLAG)?.strip_prefix('=')
}

fn backend_name(args: &[OsString], place: usize) -> Result<String> {
    if let Some(name) = joined_value(&args[place]) {
        return Ok(name.to_owned());
    }
    match flags(args).get(place + 1) {
        Some(name) => Ok(name.to_string_lossy().into_owned()),
        None => {
            Err(Failure::request(format!("`{FLAG}` needs a value, one of {}", Backend::names())))
        }
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub fn request(line: &str) -> Request {
        Request::parse(line.split_whitespace().map(OsString::from).collect()).unwrap()
    }

    fn failure(line: &str) -> String {
        Request::parse(line.split_whitespace().map(OsString::from).collect())
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn everything_goes_to_the_binary_as_it_was_typed() {
        let request = request("train --epochs 3 --backend wgpu --set model.layers=1");
        assert_eq!(
            request.args.join(OsStr::new(" ")),
            "train --epochs 3 --backend wgpu --set model.layers=1"
        );
        assert_eq!(request.backend.name, "wgpu");
        assert_eq!(request.command(), Some("train"));
    }

    #[test]
    fn no_backend_means_the_default_one() {
        assert!(request("generate --length 20").backend.is_default());
    }

    #[test]
    fn the_backend_may_follow_an_equals_sign() {
        assert_eq!(request("train --backend=ndarray").backend.name, "ndarray");
    }

    #[test]
    fn a_backend_before_the_command_is_moved_to_its_end() {
        let train = request("--backend wgpu train --epochs 2");
        assert_eq!(train.args.join(OsStr::new(" ")), "train --epochs 2 --backend wgpu");
        let test = request("--backend=wgpu test -- --nocapture");
        assert_eq!(test.args.join(OsStr::new(" ")), "test --backend=wgpu -- --nocapture");
        assert_eq!(test.backend.name, "wgpu");
    }

    #[test]
    fn arguments_after_two_dashes_are_not_flags() {
        assert!(request("test -- --backend wgpu").backend.is_default());
        assert_eq!(request("train -- --text a.txt").value_of("--text"), None);
    }

    #[test]
    fn cargo_test_does_not_see_the_backend() {
        let test = request("test --backend wgpu --test pytorch -- gru");
        assert_eq!(test.rest_without_backend().join(OsStr::new(" ")), "--test pytorch -- gru");
        assert_eq!(request("test").rest_without_backend().len(), 0);
    }

    #[test]
    fn only_commands_that_compute_get_the_backend() {
        let devices = request("devices --backend wgpu").args_for_charloom();
        assert_eq!(devices.join(OsStr::new(" ")), "devices");
        let plot = request("--backend wgpu plot anna-1").args_for_charloom();
        assert_eq!(plot.join(OsStr::new(" ")), "plot anna-1");
        let config = request("config show --backend=wgpu").args_for_charloom();
        assert_eq!(config.join(OsStr::new(" ")), "config show");
        let train = request("train --backend wgpu --epochs 2").args_for_charloom();
        assert_eq!(train.join(OsStr::new(" ")), "train --backend wgpu --epochs 2");
    }

    #[test]
    fn a_backend_without_its_name_is_refused() {
        assert!(failure("train --backend").contains("`--backend` needs a value, one of `flex`"));
        assert!(
            failure("train --backend -- wgpu").contains("`--backend` needs a value, one of `flex`")
        );
        assert!(failure("train --backend tpu").contains("unknown backend `tpu`"));
    }

    #[test]
    fn mpi_and_the_number_of_ranks_are_not_the_programs() {
        let train = request("train --features mpi --ranks 2 --epochs 3");
        assert_eq!((train.mpi, train.ranks), (true, Some(2)));
        assert_eq!(train.args.join(OsStr::new(" ")), "train --epochs 3");
        let train = request("train --ranks=4");
        assert_eq!((train.mpi, train.ranks, train.args.len()), (true, Some(4), 1));
        assert_eq!(request("train").ranks, None);
        assert!(failure("train --ranks").contains("`--ranks` needs a value"));
        assert!(failure("train --ranks 0").contains("must be a number from 1 to 4096"));
        assert!(failure("train --features cuda").contains("unknown feature `cuda`"));
        // Cargo's own.
        assert_eq!(request("test --features mpi").args.len(), 3);
    }

    #[test]
    fn values_are_found_in_both_spellings() {
        assert_eq!(request("train --text a.txt").value_of("--text"), Some(OsStr::new("a.txt")));
        assert_eq!(request("train --text=a=b.txt").value_of("--text"), Some(OsStr::new("a=b.txt")));
        assert_eq!(request("train --textual a").value_of("--text"), None);
    }
}
