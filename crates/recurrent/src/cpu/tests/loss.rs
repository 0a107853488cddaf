use super::super::Precision;
use super::super::isa::Isa;
use super::super::loss::{Linear, Reduction, linear_cross_entropy, linear_scores, training_on};
use super::{Numbers, assert_close, with_threads};

struct Problem {
    rows: usize,
    h: usize,
    v: usize,
    hidden: Vec<f32>,
    weight: Vec<f32>,
    bias: Vec<f32>,
    targets: Vec<i32>,
}

impl Problem {
    fn new(rows: usize, h: usize, v: usize) -> Self {
        let mut numbers = Numbers((rows * h + v) as u64);
        Problem {
            rows,
            h,
            v,
            hidden: numbers.many(rows * h, 2.0),
            weight: numbers.many(v * h, 1.0),
            bias: numbers.many(v, 1.0),
            targets: numbers.ids(rows, v),
        }
    }

    fn linear(&self) -> Linear<'_> {
        let Problem { h, v, weight, bias, .. } = self;
        Linear { h: *h, v: *v, weight, bias, precision: Precision::F32 }
    }

    /// The summed loss, its gradients and the hits, in f64.
    fn expected(&self) -> (f64, [Vec<f64>; 3], usize) {
        let Problem { h, v, .. } = *self;
        let mut grads = [vec![0.0; self.rows * h], vec![0.0; v * h], vec![0.0; v]];
        let (mut loss, mut hits) = (0.0, 0);
        for (row, &target) in self.targets.iter().enumerate() {
            let hidden = &self.hidden[row * h..][..h];
            let logits: Vec<f64> = (0..v)
                .map(|j| {
                    let weight = &self.weight[j * h..][..h];
                    let products =
                        hidden.iter().zip(weight).map(|(&a, &b)| f64::from(a) * f64::from(b));
                    products.sum::<f64>() + f64::from(self.bias[j])
                })
                .collect();
            let sum: f64 = logits.iter().map(|x| x.exp()).sum();
            loss += sum.ln() - logits[target as usize];
            hits += usize::from(logits.iter().all(|&x| x <= logits[target as usize]));
            for j in 0..v {
                let d = logits[j].exp() / sum - f64::from(u8::from(j == target as usize));
                grads[2][j] += d;
                for k in 0..h {
                    grads[0][row * h + k] += d * f64::from(self.weight[j * h + k]);
                    grads[1][j * h + k] += d * f64::from(hidden[k]);
                }
            }
        }
        (loss, grads, hits)
    }
}

#[test]
fn the_loss_and_its_gradients_equal_the_equations() {
    for isa in Isa::available() {
        for (rows, h, v) in [(1, 1, 2), (5, 6, 7), (37, 17, 83), (400, 5, 2000)] {
            let problem = Problem::new(rows, h, v);
            let (loss, mut expected, hits) = problem.expected();
            let (got, grads) = training_on(
                isa,
                &problem.hidden,
                problem.linear(),
                &problem.targets,
                Reduction::Sum,
            );
            let what = format!("{isa:?} {rows} {h} {v}");
            assert!(
                (got - loss).abs() < 1e-6 * loss.abs().max(1.0),
                "{what}: {got}, expected {loss}"
            );
            assert_close(&format!("{what} hidden"), &grads.hidden, &expected[0], 1e-5);
            assert_close(&format!("{what} weight"), &grads.weight, &expected[1], 1e-5);
            assert_close(&format!("{what} bias"), &grads.bias, &expected[2], 1e-5);

            let (mean, grads) = training_on(
                isa,
                &problem.hidden,
                problem.linear(),
                &problem.targets,
                Reduction::Mean,
            );
            assert!((mean * rows as f64 - got).abs() < 1e-9 * got.abs().max(1.0), "{what}");
            expected[1].iter_mut().for_each(|x| *x /= rows as f64);
            assert_close(&format!("{what} mean"), &grads.weight, &expected[1], 1e-5);

            let scores = linear_scores(&problem.hidden, problem.linear(), &problem.targets);
            assert_eq!(scores.hits, hits, "{what}");
            let alone = linear_cross_entropy(
                &problem.hidden,
                problem.linear(),
                &problem.targets,
                Reduction::Sum,
            );
            assert_eq!(scores.nll, alone, "{what}");
        }
    }
}

#[test]
fn large_logits_don_t_overflow_and_nan_is_seen() {
    for isa in Isa::available() {
        let mut problem = Problem::new(9, 6, 19);
        problem.weight.iter_mut().for_each(|w| *w *= 1e4);
        let run = |problem: &Problem| {
            training_on(isa, &problem.hidden, problem.linear(), &problem.targets, Reduction::Mean)
        };
        let (loss, grads) = run(&problem);
        assert!(loss.is_finite() && grads.weight.iter().all(|x| x.is_finite()), "{isa:?}: {loss}");
        problem.hidden[7] = f32::NAN;
        let (loss, grads) = run(&problem);
        assert!(loss.is_nan() && grads.weight.iter().any(|x| x.is_nan()), "{isa:?}: {loss}");
    }
}

#[test]
fn what_follows_the_rows_is_not_read() {
    let mut problem = Problem::new(5, 6, 7);
    let run = |problem: &Problem| {
        training_on(
            Isa::best(),
            &problem.hidden,
            problem.linear(),
            &problem.targets,
            Reduction::Mean,
        )
    };
    let (loss, mut grads) = run(&problem);
    problem.hidden.extend([f32::NAN; 12]);
    grads.hidden.extend([0.0; 12]);
    let (longer_loss, longer) = run(&problem);
    assert_eq!((longer_loss, longer.hidden, longer.weight), (loss, grads.hidden, grads.weight));
}

#[test]
fn any_number_of_threads_gives_the_same_bytes() {
    let problem = Problem::new(3000, 20, 300);
    for isa in Isa::available() {
        let run = |threads| {
            with_threads(threads, || {
                let (loss, grads) = training_on(
                    isa,
                    &problem.hidden,
                    problem.linear(),
                    &problem.targets,
                    Reduction::Mean,
                );
                (loss, grads.hidden, grads.weight, grads.bias)
            })
        };
        let alone = run(1);
        for threads in [2, 3, 8] {
            assert_eq!(run(threads), alone, "{isa:?} {threads} threads");
        }
    }
}
