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
    String::from_utf8(chart.draw(Format::Svg).unwrap()).unwrap()
}

/// Checks that all coordinates of lines lie on the page.
fn check_coordinates(svg: &str) {
    for points in svg.split("points=\"").skip(1) {
        for pair in points.split('"').next().unwrap().split_whitespace() {
            let (x, y) = pair.split_once(',').unwrap();
            let (x, y): (i32, i32) = (x.parse().unwrap(), y.parse().unwrap());
            assert!((0..=WIDTH).contains(&x) && (TOP - 8..=HEIGHT).contains(&y), "{pair}");
        }
    }
}

/// Whether a text is in the chart.
fn shows(svg: &str, text: &str) -> bool {
    svg.contains(&format!(">\n{text}\n</text>"))
}

#[test]
fn each_run_has_a_bold_and_a_light_line_of_its_colour() {
    let picture = svg(&chart(vec![curve("a", &[2.0, 1.5, 1.25]), curve("b", &[2.5, 2.25, 2.0])]));
    for color in ["#1F6FB4", "#D95F02"] {
        let lines: Vec<_> = picture
            .lines()
            .filter(|line| line.starts_with("<polyline") && line.contains(color))
            .collect();
        // Training, validation and the legend.
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert_eq!(lines.iter().filter(|line| line.contains("opacity=\"0.55\"")).count(), 1);
    }
    for text in ["loss (nats per character)", "training steps", "Loss", "1.250", "2.000"] {
        assert!(shows(&picture, text), "{text}");
    }
    check_coordinates(&picture);
}

#[test]
fn a_png_shows_the_same_at_twice_the_size() {
    let file = chart(vec![curve("a", &[2.0, 1.5, 1.25])]).draw(Format::Png).unwrap();
    let mut reader = png::Decoder::new(std::io::Cursor::new(file)).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    assert_eq!((info.width, info.height), (1920, 1120));
    let mut colors = pixels.chunks_exact(3);
    assert_eq!(colors.next(), Some(&[255; 3][..]));
    let blue = colors.filter(|color| color == &[0x1f, 0x6f, 0xb4]).count();
    // The line, four pixels wide, and its legend.
    assert!((1_000..20_000).contains(&blue), "{blue}");
}

#[test]
fn a_run_of_one_row_is_a_dot_and_a_ring() {
    let picture = svg(&chart(vec![curve("a", &[2.0])]));
    assert_eq!(picture.matches("<circle").count(), 2);
    check_coordinates(&picture);
}

#[test]
fn non_finite_values_and_outliers_are_left_out() {
    let curves = vec![
        curve("a", &[2.0, f64::NAN, 1.5, 1.25]),
        curve("b", &[2.5, 80.0, 2.0, f64::INFINITY]),
        curve("c", &[2.1, 2.0, 1.9, 1.8]),
    ];
    let picture = svg(&chart(curves));
    check_coordinates(&picture);
    assert!(shows(&picture, "higher values are not shown"));
    assert!(!picture.contains("NaN") && !picture.contains("inf"));
}

#[test]
fn extreme_values_can_be_drawn() {
    for values in [&[1e300, 2.0][..], &[f64::MAX, f64::MIN], &[0.0], &[1e-300], &[-5.0, 1e99]] {
        let chart = chart(vec![curve("\u{7}", values)]);
        check_coordinates(&svg(&chart));
        assert!(chart.draw(Format::Png).unwrap().starts_with(b"\x89PNG"));
    }
}

#[test]
fn a_curve_of_nan_draws_an_empty_chart() {
    let picture = svg(&chart(vec![curve("a", &[f64::NAN])]));
    check_coordinates(&picture);
    assert!(picture.trim_end().ends_with("</svg>"));
}

#[test]
fn long_names_and_many_runs_leave_room_for_the_curves() {
    let name = "hidden_size-512_lr-0.001_dropout-0.5_cell-lstm_seed-1";
    let curves = (0..40).map(|n| curve(&format!("{n} {name}"), &[2.5, 1.5 + f64::from(n) * 0.01]));
    let picture = svg(&chart(curves.collect()));
    assert!(shows(&picture, "and 22 more"));
    assert!(picture.contains('…'));
    check_coordinates(&picture);
}

#[test]
fn tick_marks_have_distinct_labels() {
    assert_eq!(
        [(2.0, 1), (70.0, 0), (5e9, 0)].map(|(v, d)| format_value(v, d)),
        ["2.0", "70", "5.0e9"]
    );
    assert_eq!([0.005, 0.7, 2.0, 70.0].map(digits), [4, 1, 1, 0]);
    assert_eq!(
        ["0", "1,500", ""].map(str::to_owned),
        [0.0, 1500.0, 0.5].map(|step| format_step(&step))
    );
}
