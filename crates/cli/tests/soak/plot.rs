//! How does something over time look? Panels below each other, from zero up, each with its unit.

use std::fmt::Write as _;

const WIDTH: f64 = 720.0;
const PANEL: f64 = 130.0;
const LEFT: f64 = 60.0;
const RIGHT: f64 = 90.0;
const TOP: f64 = 40.0;
/// Between a panel's title and its highest value.
const GAP: f64 = 22.0;
const COLOURS: [&str; 2] = ["#c2410c", "#1d4ed8"];

/// A line: seconds and values; what is no number is a gap.
pub struct Series {
    pub name: &'static str,
    pub points: Vec<(f64, f64)>,
}

pub struct Panel {
    pub title: &'static str,
    pub series: Vec<Series>,
}

/// The next number from here on of those with one digit that people like.
fn round_up(value: f64) -> f64 {
    let step = 10_f64.powf(value.max(1e-6).log10().floor());
    [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0]
        .into_iter()
        .map(|digit| digit * step)
        .find(|round| *round >= value)
        .unwrap_or(value)
}

/// The drawing of all panels over so many seconds.
pub fn svg(title: &str, seconds: f64, panels: &[Panel]) -> String {
    let height = TOP + PANEL * panels.len() as f64 + 20.0;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"sans-serif\" font-size=\"11\" fill=\"#334155\" role=\"img\">\n\
         <title>{title}</title>\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
         <text x=\"{LEFT}\" y=\"20\" font-size=\"14\">{title}</text>\n"
    );
    for (at, panel) in panels.iter().enumerate() {
        draw(&mut out, panel, seconds, TOP + PANEL * at as f64);
    }
    let below = height - 8.0;
    for minute in (0..=5).map(|fifth| seconds / 60.0 * f64::from(fifth) / 5.0) {
        let x = LEFT + (WIDTH - LEFT - RIGHT) * minute * 60.0 / seconds.max(1.0);
        writeln!(out, "<text x=\"{x:.1}\" y=\"{below}\">{minute:.0} min</text>").unwrap();
    }
    out + "</svg>\n"
}

fn draw(out: &mut String, panel: &Panel, seconds: f64, top: f64) {
    let values = panel.series.iter().flat_map(|series| &series.points).map(|point| point.1);
    let high = round_up(values.filter(|value| value.is_finite()).fold(0.0, f64::max));
    let (upper, lower) = (top + GAP, top + PANEL - 10.0);
    let y = |value: f64| lower - (lower - upper) * value / high;
    let x = |second: f64| LEFT + (WIDTH - LEFT - RIGHT) * second / seconds.max(1.0);
    writeln!(
        out,
        "<text x=\"{LEFT}\" y=\"{}\" font-weight=\"bold\">{}</text>",
        top + 12.0,
        panel.title
    )
    .unwrap();
    for value in [0.0, high / 2.0, high] {
        let (line, right) = (y(value), WIDTH - RIGHT);
        writeln!(
            out,
            "<path d=\"M{LEFT} {line:.1}H{right}\" stroke=\"#e2e8f0\"/>\
             <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{value}</text>",
            LEFT - 6.0,
            line + 4.0
        )
        .unwrap();
    }
    for (series, colour) in panel.series.iter().zip(COLOURS) {
        let (mut path, mut pen, mut last) = (String::new(), 'M', 0.0);
        for (second, value) in &series.points {
            if !value.is_finite() {
                pen = 'M';
                continue;
            }
            write!(path, "{pen}{:.1} {:.1}", x(*second), y(*value)).unwrap();
            (pen, last) = ('L', *value);
        }
        writeln!(
            out,
            "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"/>\
             <text x=\"{}\" y=\"{:.1}\" fill=\"{colour}\">{} {last:.1}</text>",
            WIDTH - RIGHT + 6.0,
            y(last) + 4.0,
            series.name
        )
        .unwrap();
    }
}
