//! The flags of the settings: one for each key, with the key's name and documentation.

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Args, Command, Error, FromArgMatches, value_parser};
use toml::Table;

use super::schema::{Key, OPTIMIZER, keys};
use super::show::inline;
use charloom_train::RunConfig;

/// A flag that was given.
#[derive(Clone, Debug)]
pub struct Flag {
    /// As in `--batch-size`.
    pub typed: String,
    /// The key, as in `data.batch_size`.
    pub path: String,
    pub value: String,
}

/// The flags of all keys, `--config` and `--set`.
#[derive(Clone, Debug, Default)]
pub struct SettingsFlags {
    pub config: Option<PathBuf>,
    pub set: Vec<String>,
    pub flags: Vec<Flag>,
}

/// The flags of the section `[sample]`.
#[derive(Clone, Debug, Default)]
pub struct SampleFlags(pub Vec<Flag>);

const LR: &str = "train.optimizer.lr";

/// The flags that stand for a key.
fn flags(command: Command, keys: impl Iterator<Item = &'static Key>) -> Command {
    let defaults = Table::try_from(RunConfig::default()).expect("the defaults become TOML");
    keys.fold(command, |command, key| {
        let default = inline(&defaults[&key.section][&key.name]);
        let mut arg = Arg::new(&*key.path)
            .long(&*key.flag)
            .value_name(value_name(key))
            .allow_hyphen_values(true)
            .help_heading(heading(&key.section))
            .help(key.summary())
            .long_help(format!("{}\n\n{} [default: {default}]", key.summary(), legal(key)));
        if let Some(alias) = key.alias {
            arg = arg.alias(alias);
        }
        if key.is_switch() {
            arg = arg.num_args(0..=1).default_missing_value("true");
        }
        let command = command.arg(arg);
        match key.path == OPTIMIZER {
            false => command,
            true => command.arg(
                Arg::new(LR)
                    .long("lr")
                    .value_name("RATE")
                    .allow_hyphen_values(true)
                    .help_heading(heading(&key.section))
                    .help("Learning rate of the optimizer, before the schedule")
                    .long_help(
                        "Learning rate of the optimizer, before the schedule: a number above 0, up to 10. The same as \
                         `--set train.optimizer.lr=RATE`.",
                    ),
            ),
        }
    })
}

fn heading(section: &str) -> &'static str {
    match section {
        "data" => "Data",
        "model" => "Model",
        "train" => "Training",
        _ => "Sampling",
    }
}

fn value_name(key: &Key) -> &'static str {
    match &*key.path {
        "data.text" => "FILE",
        "data.batch_size" => "N",
        "data.seq_length" => "T",
        "model.hidden_size" => "H",
        "model.layers" => "L",
        "sample.prompt" => "TEXT",
        "sample.top_k" => "K",
        "sample.top_p" => "P",
        _ => "VALUE",
    }
}

/// The legal values, as a sentence.
fn legal(key: &Key) -> String {
    let mut legal = key.legal().replace('`', "");
    if key.path == OPTIMIZER {
        legal = "A name, or a table such as { name = \"adam\", lr = 1e-3 }".to_owned();
    }
    let mut chars = legal.chars();
    let first = chars.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", chars.as_str())
}

/// The flags that were given, in the order of the keys.
fn given(matches: &mut ArgMatches, keys: impl Iterator<Item = &'static Key>) -> Vec<Flag> {
    let mut given = Vec::new();
    let mut take = |path: &str, flag: &str| {
        if let Ok(Some(value)) = matches.try_remove_one::<String>(path) {
            given.push(Flag { typed: format!("--{flag}"), path: path.to_owned(), value });
        }
    };
    for key in keys {
        take(&key.path, &key.flag);
        if key.path == OPTIMIZER {
            take(LR, "lr");
        }
    }
    given
}

fn sample_keys() -> impl Iterator<Item = &'static Key> {
    keys().iter().filter(|key| key.section == "sample")
}

impl Args for SettingsFlags {
    fn augment_args(command: Command) -> Command {
        let command = command
            .arg(
                Arg::new("config")
                    .long("config")
                    .value_name("FILE")
                    .value_parser(value_parser!(PathBuf))
                    .help_heading("Settings")
                    .help("Settings file (`charloom config show` prints all settings)")
                    .long_help(
                        "Settings file, in TOML. Keys that it leaves out have their defaults; `charloom config show` prints \
                         all of them. `--set` and the other flags override it.",
                    ),
            )
            .arg(
                Arg::new("set")
                    .long("set")
                    .value_name("KEY=VALUE")
                    .action(ArgAction::Append)
                    .help_heading("Settings")
                    .help("Set any key, as in `--set model.bias=single`; may be repeated")
                    .long_help(
                        "Set any key by its name, as in `--set model.bias=single` or `--set train.optimizer.beta2=0.99`. The \
                         value is TOML, or text if it isn't TOML. May be repeated.",
                    ),
            );
        flags(command, keys().iter())
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for SettingsFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        Self::from_arg_matches_mut(&mut matches.clone())
    }

    fn from_arg_matches_mut(matches: &mut ArgMatches) -> Result<Self, Error> {
        Ok(Self {
            config: matches.remove_one("config"),
            set: matches.remove_many("set").into_iter().flatten().collect(),
            flags: given(matches, keys().iter()),
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for SampleFlags {
    fn augment_args(command: Command) -> Command {
        flags(command, sample_keys())
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for SampleFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        Self::from_arg_matches_mut(&mut matches.clone())
    }

    fn from_arg_matches_mut(matches: &mut ArgMatches) -> Result<Self, Error> {
        Ok(Self(given(matches, sample_keys())))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
