//! How does a sweep look? A heat map of goodput over batch size and concurrency, as SVG.
//!
//! The darker, the closer to the best. Each cell says its goodput in thousands a second and, below
//! it, the share of items that missed the target. Plans that ran again for longer are framed: solid
//! if they survived, dashed if not.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::sweep::{Cell, Landscape};

const CELL: (u32, u32) = (74, 40);
const LEFT: u32 = 96;
const TOP: u32 = 64;

/// The picture.
pub(crate) fn svg(landscape: &Landscape) -> String {
    let sizes: BTreeSet<u32> = landscape.cells.iter().map(|cell| cell.size).collect();
    let concurrencies: BTreeSet<u32> =
        landscape.cells.iter().map(|cell| cell.concurrency).collect();
    let count = |all: &BTreeSet<u32>| u32::try_from(all.len()).unwrap_or(0);
    let width = LEFT + CELL.0 * count(&sizes) + 16;
    let height = TOP + CELL.1 * count(&concurrencies) + 48;
    let most = landscape.cells.iter().map(|cell| cell.figures.goodput).fold(1.0, f64::max);
    let mut out = String::new();
    // Writing to a String cannot fail, here and below.
    let _ = write!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"system-ui, sans-serif\" font-size=\"12\" text-anchor=\"middle\">\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#fff\"/>\n\
         <text x=\"16\" y=\"22\" font-size=\"15\" text-anchor=\"start\">{}: goodput of static plans, \
         k/s (share that missed {} ms)</text>\n\
         <text x=\"16\" y=\"42\" fill=\"#555\" text-anchor=\"start\">{}; {} s a cell; framed: ran \
         again for {} s, dashed if more than 3 % missed</text>\n",
        escaped(&landscape.case),
        landscape.target_ms,
        escaped(&landscape.backend),
        landscape.cell_s,
        landscape.again_s,
    );
    for (row, concurrency) in (0..).zip(&concurrencies) {
        let y = TOP + CELL.1 * row;
        let middle = y + CELL.1 / 2 + 4;
        let _ = writeln!(
            out,
            "<text x=\"{}\" y=\"{middle}\" text-anchor=\"end\">× {concurrency}</text>",
            LEFT - 8
        );
        for (column, size) in (0..).zip(&sizes) {
            let found = landscape
                .cells
                .iter()
                .find(|cell| (cell.size, cell.concurrency) == (*size, *concurrency));
            if let Some(cell) = found {
                put_cell(&mut out, landscape, cell, (LEFT + CELL.0 * column, y), most);
            }
        }
    }
    for (column, size) in (0..).zip(&sizes) {
        let (x, y) =
            (LEFT + CELL.0 * column + CELL.0 / 2, TOP + CELL.1 * count(&concurrencies) + 16);
        let _ = writeln!(out, "<text x=\"{x}\" y=\"{y}\">{size}</text>");
    }
    let _ = writeln!(
        out,
        "<text x=\"{}\" y=\"{}\" fill=\"#555\">items a batch (across), batches in flight (down)</text>\n</svg>",
        width / 2,
        height - 10
    );
    out
}

fn put_cell(out: &mut String, landscape: &Landscape, cell: &Cell, (x, y): (u32, u32), most: f64) {
    let share = (cell.figures.goodput / most).clamp(0.0, 1.0);
    // From almost white to a dark blue.
    let mix = |from: f64, to: f64| (from + (to - from) * share * share).round();
    let fill = format!("rgb({},{},{})", mix(246.0, 8.0), mix(249.0, 64.0), mix(252.0, 129.0));
    let ink = if share > 0.7 { "#fff" } else { "#222" };
    let again = landscape.again.iter().find(|one| one.plan() == cell.plan());
    let frame = match again {
        Some(one) if one.survives() => " stroke=\"#d9480f\" stroke-width=\"3\"",
        Some(_) => " stroke=\"#d9480f\" stroke-width=\"3\" stroke-dasharray=\"5 4\"",
        None => " stroke=\"#fff\"",
    };
    let inset = u32::from(again.is_some());
    let middle = x + CELL.0 / 2;
    let _ = writeln!(
        out,
        "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"{fill}\"{frame}/>\n\
         <text x=\"{middle}\" y=\"{}\" fill=\"{ink}\">{:.0}</text>\n\
         <text x=\"{middle}\" y=\"{}\" fill=\"{ink}\" font-size=\"10\">{:.1} %</text>",
        x + inset,
        y + inset,
        CELL.0 - 2 * inset,
        CELL.1 - 2 * inset,
        y + 18,
        cell.figures.goodput / 1e3,
        y + 32,
        cell.figures.miss_ratio * 100.0,
    );
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::Figures;

    #[test]
    fn every_plan_has_its_cell_and_those_that_ran_again_a_frame() {
        let cell = |size, goodput, miss_ratio| Cell {
            size,
            concurrency: 2,
            figures: Figures { goodput, miss_ratio, ..Figures::default() },
        };
        let landscape = Landscape {
            case: "a<b".to_owned(),
            backend: "SQLite & co".to_owned(),
            target_ms: 50.0,
            machine: String::new(),
            command: String::new(),
            cell_s: 1.0,
            cells: vec![cell(100, 50_000.0, 0.0), cell(200, 99_000.0, 0.2), cell(300, 7.0, 0.0)],
            again_s: 10.0,
            again: vec![cell(100, 50_000.0, 0.0), cell(200, 90_000.0, 0.2)],
        };
        let svg = svg(&landscape);
        assert_eq!(svg.matches("<rect").count(), 1 + 3);
        assert_eq!(svg.matches("#d9480f").count(), 2);
        assert_eq!(svg.matches("stroke-dasharray").count(), 1);
        assert!(svg.contains(">99</text>") && svg.contains(">20.0 %</text>"));
        assert!(svg.contains("a&lt;b") && svg.contains("SQLite &amp; co"));
    }
}
