use super::*;

fn curve(name: &str, values: &[f64]) -> Curve {
    let valid = values.iter().enumerate().map(|(n, value)| ((n + 1) as f64 * 238.0, *value));
    let valid: Vec<_> = valid.collect();
    let train = valid.iter().map(|(step, value)| (*step, value + 0.1)).collect();
    Curve { name: name.into(), valid, train }
}

fn chart(curves: Vec<Curve>) -> Chart {
    Chart { title: "Loss".into(), label: "loss (nats per character)".into(), curves }
}

fn svg(chart: &Chart) -> String {
    String::from_utf8(chart.draw(Format::Svg)).unwrap()
}

/// The coordinates in the picture, which all lie on the page.
fn check_coordinates(svg: &str) {
    for points in svg.split("points=\"").skip(1) {
        for pair in points.split('"').next().unwrap().split(' ') {
            let (x, y) = pair.split_once(',').unwrap();
            let (x, y): (f32, f32) = (x.parse().unwrap(), y.parse().unwrap());
            assert!((0.0..=WIDTH).contains(&x) && (TOP - 0.01..=HEIGHT).contains(&y), "{pair}");
        }
    }
}

#[test]
fn each_run_has_a_solid_and_a_dashed_line_of_its_colour() {
    let picture = svg(&chart(vec![curve("a", &[2.0, 1.5, 1.25]), curve("b", &[2.5, 2.25, 2.0])]));
    for color in ["#1f6fb4", "#d95f02"] {
        let lines: Vec<_> = picture
            .lines()
            .filter(|line| line.starts_with("<polyline") && line.contains(color))
            .collect();
        // Training, validation and the legend.
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert_eq!(lines.iter().filter(|line| line.contains("stroke-dasharray")).count(), 1);
    }
    for told in ["loss (nats per character)", "training steps", ">Loss<", ">1.250<", ">2.000<"] {
        assert!(picture.contains(told), "{told}");
    }
    check_coordinates(&picture);
}

#[test]
fn a_run_of_one_row_is_a_dot_and_a_ring() {
    let picture = svg(&chart(vec![curve("a", &[2.0])]));
    assert_eq!(picture.matches("<circle").count(), 3);
    check_coordinates(&picture);
}

#[test]
fn values_that_are_no_numbers_and_values_far_off_stay_out() {
    let curves = vec![
        curve("a", &[2.0, f64::NAN, 1.5, 1.25]),
        curve("b", &[2.5, 80.0, 2.0, f64::INFINITY]),
        curve("c", &[2.1, 2.0, 1.9, 1.8]),
    ];
    let picture = svg(&chart(curves));
    check_coordinates(&picture);
    assert!(picture.contains("higher values are not shown"));
    assert!(!picture.contains("NaN") && !picture.contains("inf"));
}

#[test]
fn nothing_but_what_is_no_number_draws_an_empty_chart() {
    let picture = svg(&chart(vec![curve("a", &[f64::NAN])]));
    check_coordinates(&picture);
    assert!(picture.ends_with("</svg>\n"));
}

#[test]
fn a_curve_is_cut_where_it_leaves() {
    let parts = below(&[(0.0, 4.0), (2.0, 2.0), (4.0, 6.0), (8.0, 2.0)], 3.0);
    assert_eq!(parts, [vec![(1.0, 3.0), (2.0, 2.0), (2.5, 3.0)], vec![(7.0, 3.0), (8.0, 2.0)]]);
    assert!(below(&[(0.0, 4.0), (2.0, 5.0)], 3.0).is_empty());
}

#[test]
fn long_names_and_many_runs_leave_room_for_the_curves() {
    let name = "hidden_size-512_lr-0.001_dropout-0.5_cell-lstm_seed-1";
    let curves = (0..40).map(|n| curve(&format!("{n} {name}"), &[2.5, 1.5 + f64::from(n) * 0.01]));
    let picture = svg(&chart(curves.collect()));
    assert!(picture.contains("and 22 more"));
    assert!(picture.contains('…'));
    check_coordinates(&picture);
}
