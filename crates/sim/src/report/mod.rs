//! Which controller is to be trusted? One HTML page for the person who decides, that needs nothing
//! else: no request leaves it, and it can be mailed or kept.
//!
//! It tells the verdict first, then who leads in which scenario, then each scenario over time: the
//! plans, the oracle's plan, goodput and latency of one typical seed, and the decisions with their
//! reasons. It is written from start to end by the simulator, charts and all; the script only adds
//! what a pointer asks for. The same study gives the same bytes.
//!
//! | question | module |
//! |---|---|
//! | what is drawn of a run? | `series` |
//! | how does a chart look? | `chart`, `scale` |
//! | who leads, and is it good enough? | `league` |
//! | what happened in a scenario? | `scene`, `facts` |
//! | how is text written safely, and numbers readably? | `words` |

mod chart;
mod facts;
mod league;
mod scale;
mod scene;
mod series;
mod words;

use std::fmt::Write;

use tidegate::SettingError;

use crate::contender::Contender;
use crate::league::places;
use crate::run::Run;
use crate::selection::Group;
use crate::spread::spread;
use crate::suite::{self, Options, Study, Yardstick};
pub use facts::told;
use scene::Scene;
use words::escaped;

/// Points of all curves together, and decisions listed in all: what keeps the page small.
const POINTS: usize = 140_000;
const DECISIONS: usize = 4_000;

/// The report on a study of these controllers.
///
/// # Errors
///
/// [`SettingError`] when a controller's settings are refused.
pub fn page(
    study: &Study,
    controllers: &[&str],
    options: &Options,
) -> Result<String, SettingError> {
    let scenes = scenes(study, controllers, options)?;
    let mut page = String::new();
    head(&mut page, study, controllers, options);
    league::verdicts(&mut page, study, controllers);
    league::claims(&mut page, study);
    for group in Group::ALL {
        league::table(&mut page, study, group);
    }
    legend(&mut page, study, controllers);
    for scene in &scenes {
        scene.write(&mut page, study);
    }
    page.push_str("</main>\n<script>\n");
    page.push_str(include_str!("script.js"));
    page.push_str("</script>\n</body>\n</html>\n");
    Ok(page)
}

/// The typical run of everyone in each scenario, as what is drawn of it.
fn scenes<'a>(
    study: &'a Study,
    controllers: &[&str],
    options: &Options,
) -> Result<Vec<Scene<'a>>, SettingError> {
    let mut questions: Vec<(usize, Contender)> = Vec::new();
    for (index, yardstick) in study.yardsticks.iter().enumerate() {
        let best = yardstick.hindsight;
        questions.push((index, Contender::fixed(best.batch_size, best.concurrency)));
        let all = suite::field(&yardstick.entry, controllers);
        questions.extend(all.into_iter().map(|contender| (index, contender)));
    }
    let many = questions.len().max(1);
    let points = (POINTS / many / 5).clamp(60, 240);
    let listed = (DECISIONS / many).clamp(6, 60);
    let runs = spread(&questions, options.threads, &|_| {}, |(index, contender)| {
        let Some(yardstick) = study.yardsticks.get(*index) else { return Ok(None) };
        let run = suite::play(&yardstick.entry.scenario, contender, yardstick.typical_seed)?;
        Ok(Some((*index, drawn(yardstick, contender, controllers, &run, points, listed))))
    })?;
    let mut scenes: Vec<Scene> = study.yardsticks.iter().map(Scene::new).collect();
    for (index, curves) in runs.into_iter().flatten() {
        if let Some(scene) = scenes.get_mut(index) {
            scene.add(curves);
        }
    }
    Ok(scenes)
}

fn drawn(
    yardstick: &Yardstick,
    contender: &Contender,
    controllers: &[&str],
    run: &Run,
    points: usize,
    listed: usize,
) -> series::Curves {
    let color = controllers.iter().position(|name| *name == contender.name);
    let duration_s = yardstick.entry.scenario.duration_s;
    series::Curves::of(&contender.name, color, run, duration_s, points, listed)
}

fn head(page: &mut String, study: &Study, controllers: &[&str], options: &Options) {
    page.push_str(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>Controllers compared · tidegate simulate</title>\n<style>\n",
    );
    page.push_str(include_str!("style.css"));
    page.push_str("</style>\n</head>\n<body>\n<main>\n<h1>Controllers compared</h1>\n");
    let seeds = options.seeds;
    let _ = writeln!(
        page,
        "<p class=\"lead\">{} in {}, {}, in virtual time. Ratios are of <em>timely goodput</em> (items \
         delivered within the target, a second) over that of an <em>oracle</em>: the best plan of each \
         phase, known beforehand. 1 is as good as it gets; <em>steady</em> is the second half of a run. \
         A simulator is as good as its backends: figures count only beside those of real ones.</p>",
        words::counted(controllers.len(), "controller"),
        words::counted(study.yardsticks.len(), "scenario"),
        words::counted(usize::try_from(seeds).unwrap_or(usize::MAX), "seed"),
    );
}

/// Colours that there are; a later controller shares one, and its name tells it apart.
const COLORS: usize = 16;
/// Controllers whose curves are shown before anybody asks: more are a tangle.
const SHOWN: usize = 4;

/// Who is shown at first: all if they are few, else the leaders over all groups.
fn shown(study: &Study, controllers: &[&str]) -> Vec<bool> {
    let points = |name: &&str| -> f64 {
        let places = Group::ALL.map(|group| places(study, group));
        let of_name = places.iter().flatten().filter(|place| place.name == *name);
        of_name.map(|place| place.mean).sum()
    };
    let mut order: Vec<(usize, f64)> = controllers.iter().map(points).enumerate().collect();
    order.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    let few = controllers.len() <= SHOWN + 2;
    let is_shown = |index| few || order.iter().take(SHOWN).any(|(leader, _)| *leader == index);
    (0..controllers.len()).map(is_shown).collect()
}

/// Boxes that show and hide a controller everywhere, and name its colour.
fn legend(page: &mut String, study: &Study, controllers: &[&str]) {
    page.push_str(
        "<h2 id=\"scenarios\">Each scenario over time</h2>\n\
         <p>One seed that is typical for all controllers. Point at a chart to read it; the dots are \
         decisions, with their reasons. Where several lanes or instances share a backend, plans are \
         those of the first, goodput and latency those of all.</p>\n\
         <fieldset class=\"legend\"><legend>Shown in the charts</legend>\n",
    );
    for ((index, name), shown) in controllers.iter().enumerate().zip(shown(study, controllers)) {
        let (checked, color) = (if shown { " checked" } else { "" }, index % COLORS);
        let _ = writeln!(
            page,
            "<label><input type=\"checkbox\"{checked} data-controller=\"{index}\"><svg class=\"key\" \
             viewBox=\"0 0 24 8\" aria-hidden=\"true\"><path class=\"c{color}\" d=\"M0 4H24\"/></svg>{}</label>",
            escaped(name)
        );
    }
    page.push_str(
        "<span class=\"still\"><svg class=\"key\" viewBox=\"0 0 24 8\" aria-hidden=\"true\"><path \
         class=\"oracle\" d=\"M0 4H24\"/></svg>oracle</span>\n</fieldset>\n",
    );
}
