//! `model.readout`, from training to generation.

use crate::world::World;

#[test]
fn a_network_of_summed_outputs_trains_generates_evaluates_and_continues() {
    let world = World::with_text();
    let printed = world.train("--run a --layers 2 --readout sum --epochs 2").succeeds().err;
    let trained = printed.lines().rfind(|line| line.starts_with("epoch 2/2 ")).unwrap().to_owned();
    let evaluated = world.run("eval --run a --split valid").succeeds().out;
    let loss = evaluated.lines().find(|line| line.starts_with("loss")).unwrap();
    let loss = loss.split_whitespace().nth(1).unwrap();
    assert!(trained.contains(&format!("validation {loss} ")), "{trained}, evaluated {loss}");

    let shown = world.run("inspect runs/a/model.safetensors").succeeds().out;
    assert!(shown.contains("lstm, 2 layers of 8 with summed outputs, "), "{shown}");
    let generated =
        |run: &str| world.run(&format!("generate {run} --seed 3 --length 60")).succeeds();
    assert_eq!(generated("--run a").out.chars().count(), 60);

    // The weights alone don't tell.
    let import = "import runs/a/model.safetensors --output copy.safetensors";
    world.run(import).succeeds();
    assert_eq!(generated("--model copy.safetensors").out, generated("--run a").out);
    world.run(&format!("{import} --readout last --force")).succeeds();
    assert_ne!(generated("--model copy.safetensors").out, generated("--run a").out);

    let start =
        "train --text text.txt --batch-size 3 --seq-length 7 --max-steps 1 --threads 1 --init-from";
    let model = "runs/a/model.safetensors";
    world.run(&format!("{start} {model} --run b")).succeeds();
    assert!(world.read("runs/b/config.toml").contains("readout = \"sum\""));
    let refused = world.run(&format!("{start} {model} --run c --readout last")).fails(2);
    let message = "has `readout = \"sum\"`, but the settings ask for `readout = \"last\"`";
    assert!(refused.contains(message), "{refused}");
}
