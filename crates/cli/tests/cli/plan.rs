//! What a training takes, before it is started.

use crate::world::{World, names};

#[test]
fn a_plan_says_what_a_training_takes_and_writes_nothing() {
    let world = World::with_text();
    let flags = "--text text.txt --batch 3 --seq 7 --hidden 8 --layers 1 --epochs 2 --threads 1";
    for command in ["plan", "train --dry-run"] {
        let out = world.run(&format!("{command} {flags}")).succeeds().out;
        for printed in [
            "memory      about 30.",
            " available\n",
            "            weights ",
            "            optimizer ",
            "            activations ",
            "model       lstm, 1 layer of 8, ",
            " an epoch of 85 steps, ",
            "(170 steps), without evaluations\n",
            "files       model ",
        ] {
            assert!(out.contains(printed), "`{printed}` is not in\n{out}");
        }
        assert!(!out.contains("average"), "{out}");
    }
    assert!(!world.exists("runs"));
}

#[test]
fn a_plan_without_sizes_is_that_of_the_recipe() {
    let world = World::with_text();
    let ran = world.run("plan --text text.txt --minutes 0.05 --threads 1").succeeds();
    assert!(ran.err.starts_with("recipe lstm 1 x "), "{}", ran.err);
    assert!(ran.out.contains("model       lstm, 1 layer of "), "{}", ran.out);
}

#[test]
fn a_training_that_cannot_fit_is_refused_with_sizes_that_do() {
    let world = World::with_text();
    for command in ["train", "plan", "train --dry-run"] {
        for sizes in
            ["--hidden-size 65536 --layers 64", "--minutes 1 --hidden-size 65536 --layers 64"]
        {
            let ran = world.run(&format!("{command} --text text.txt {sizes}"));
            assert_eq!(ran.code, Some(2), "{}", ran.err);
            let needs = "error: this training needs about ";
            assert!(ran.err.contains(needs), "{}", ran.err);
            assert!(ran.err.contains(" of memory, and ") && ran.err.contains(" are available\n"));
            assert!(ran.err.contains("\n\nhint: "), "{}", ran.err);
            assert!(ran.err.contains("`--hidden-size "), "{}", ran.err);
        }
    }
    assert_eq!(names(&world.path("runs")), [""; 0]);
}
