//! `charloom inspect`.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use charloom_data::{
    BatchConfig, Corpus, EscapedChar, Fractions, LastTarget, PartBatches, TextStats,
};
use charloom_model::{
    Bias, CharRnnConfig, InputEncoding, ParamSpec, Readout, TrainedModel, TrainingSummary,
};

use crate::args::InspectArgs;
use crate::char_list::char_list;
use crate::device::Backend;
use crate::loaded_model::load;
use crate::preflight;
use crate::read_text::read_corpus;
use crate::report::{Failure, Result, pluralize, print_output, with_thousands};
use crate::settings::{self, Layers};

/// Characters of a vocabulary that are listed at most.
const MOST_LISTED: usize = 40;

/// Shows what is in a file.
pub fn run(args: &InspectArgs) -> Result<()> {
    let InspectArgs { files, batch, format } = args;
    if let [file] = &files[..]
        && is_model(file)
    {
        let device = Backend::default().open(None)?;
        return model(file, &load(file, &device)?);
    }
    let mut config = settings::resolve(&Layers::new().over_flags(batch)?.over_flags(format)?)?;
    config.data.text = files.clone().into();
    let corpus = read_corpus(&config.data)?;
    print_files(&corpus)?;
    let fractions = config.data.fractions().map_err(|error| Failure::request_error(&error))?;
    preflight::print(&corpus, fractions);
    text(&corpus, fractions, config.data.batch())
}

/// Whether a file is a model. A safetensors file begins with the length of its header as eight bytes, of which the last
/// are always zero, and the header's brace: no text does.
fn is_model(path: &Path) -> bool {
    if path.extension().is_some_and(|extension| extension == "safetensors") {
        return true;
    }
    let mut start = [0; 9];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut start));
    read.is_ok() && start[5..] == [0, 0, 0, b'{']
}

fn model(path: &Path, model: &TrainedModel) -> Result<()> {
    let TrainedModel { network: _, config, vocab, summary } = model;
    let parameters = config.parameters(vocab.len());
    let count: usize = parameters.iter().map(ParamSpec::num_elements).sum();
    print_output!("{}: a charloom model", path.display())?;
    print_output!("network     {}", network_line(config, vocab.len()))?;
    print_output!("parameters  {}", with_thousands(count as u64))?;
    print_output!("characters  {}", vocab_line(vocab.chars()))?;

    let TrainingSummary { epoch, step, train_loss, valid_loss, text, text_sha256, run_config } =
        summary;
    if let Some(text) = text {
        let sum = text_sha256.as_deref().unwrap_or("unknown");
        print_output!("text        {text} (sha256 {sum})")?;
    }
    print_output!("trained     {}, {}", pluralize(*epoch, "epoch"), pluralize(*step, "step"))?;
    for (name, loss) in [("training", train_loss), ("validation", valid_loss)] {
        if let Some(loss) = loss {
            print_output!(
                "{name:<11} {loss:.4} nats per character, {:.4} bits, perplexity {:.3}",
                charloom_infer::bits_per_char(*loss),
                charloom_infer::perplexity(*loss)
            )?;
        }
    }
    print_output!("\ntensors")?;
    for ParamSpec { name, shape, .. } in &parameters {
        print_output!("  {name:<20} {shape:?}")?;
    }
    match run_config {
        Some(settings) => print_output!("\nsettings of the run\n\n{}", settings.trim_end()),
        None => Ok(()),
    }
}

/// The number of characters of a vocabulary, and the first of them.
pub fn vocab_line(chars: &[char]) -> String {
    format!("{}: {}", with_thousands(chars.len() as u64), char_list(chars, MOST_LISTED))
}

/// What a network is made of, in a line.
pub fn network_line(config: &CharRnnConfig, vocab_size: usize) -> String {
    // The initialisation of a trained network is not of interest.
    let CharRnnConfig { cell, input, hidden_size, layers, readout, dropout, bias, .. } = config;
    let input = match input {
        InputEncoding::OneHot => format!("one-hot input of {vocab_size}"),
        InputEncoding::Embedding(size) => format!("embeddings of {size}"),
    };
    let bias = match bias {
        Bias::Double => "two biases",
        Bias::Single => "one bias",
        Bias::Without => "no bias",
    };
    let layers = pluralize(*layers, "layer");
    let readout = match readout {
        Readout::Last => "",
        Readout::Sum => " with summed outputs",
    };
    format!("{cell}, {layers} of {hidden_size}{readout}, {input}, {bias}, dropout {dropout}")
}

/// What `--min-count` would fold.
fn print_rare(stats: &TextStats) -> Result<()> {
    for least in [2, 5, 10] {
        let rare = stats.counts.iter().filter(|(_, count)| *count < least);
        let (chars, times) =
            rare.fold((0, 0), |(chars, times), (_, count)| (chars + 1, times + count));
        if chars > 0 {
            print_output!(
                "rare        {} less than {least} times each, {} in all: `--min-count {least}` makes one of them",
                match chars {
                    1 => "1 character occurs".to_owned(),
                    chars => format!("{} characters occur", with_thousands(chars as u64)),
                },
                with_thousands(times)
            )?;
        }
    }
    Ok(())
}

/// The files in the order in which they were read.
fn print_files(corpus: &Corpus) -> Result<()> {
    const MOST_FILES: usize = 20;
    match corpus.files() {
        [file] => print_output!("{}: a text", file.display()),
        files => {
            print_output!("a text in {}", pluralize(files.len(), "file"))?;
            for file in files.iter().take(MOST_FILES) {
                print_output!("  {}", file.display())?;
            }
            match files.len().saturating_sub(MOST_FILES) {
                0 => Ok(()),
                more => print_output!("  and {more} more"),
            }
        }
    }
}

fn text(corpus: &Corpus, fractions: Fractions, config: BatchConfig) -> Result<()> {
    const MOST_COUNTED: usize = 12;
    let stats = TextStats::of(corpus);
    print_output!(
        "length      {}, {}, {}",
        pluralize(stats.chars as usize, "character"),
        pluralize(stats.bytes as usize, "byte"),
        pluralize(stats.lines as usize, "line")
    )?;
    print_output!("sha256      {}", corpus.sha256())?;
    let chars = corpus.vocab().chars();
    if chars.len() <= MOST_LISTED {
        print_output!("distinct    {} characters: {}", chars.len(), char_list(chars, MOST_LISTED))?;
    } else {
        let by_frequency: Vec<char> =
            stats.most_frequent(chars.len()).map(|(char, _)| char).collect();
        print_output!(
            "distinct    {} characters, the most frequent first: {}",
            with_thousands(chars.len() as u64),
            char_list(&by_frequency, MOST_LISTED)
        )?;
    }
    let listed = |counts: &mut dyn Iterator<Item = (char, u64)>| {
        let parts: Vec<_> = counts
            .map(|(char, count)| format!("`{}` {}", EscapedChar(char), with_thousands(count)))
            .collect();
        parts.join(", ")
    };
    print_output!("most frequent   {}", listed(&mut stats.most_frequent(MOST_COUNTED)))?;
    print_output!("least frequent  {}", listed(&mut stats.least_frequent(MOST_COUNTED)))?;

    print_rare(&stats)?;
    let PartBatches { train, valid, test } = PartBatches::of(&corpus.split(fractions), config);
    let BatchConfig { batch_size, seq_length, last_target } = config;
    let last_target = match last_target {
        LastTarget::Next => "next",
        LastTarget::Wrap => "wrap",
    };
    print_output!(
        "batches     {train} for training, {valid} for validation, with --batch-size {batch_size} --seq-length {seq_length} \
         (last_target \"{last_target}\", {} % for validation)",
        100.0 * fractions.valid()
    )?;
    if fractions.test() > 0.0 {
        print_output!("            {test} for testing")?;
    }
    if train == 0 || valid == 0 {
        print_output!(
            "            too few: one batch needs {} characters",
            with_thousands(config.chars_needed() as u64)
        )?;
    }
    Ok(())
}
