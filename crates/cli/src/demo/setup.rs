//! How is the server of the demo configured? As anybody's: by a file, checked by the server's own
//! rules before anything starts.
//!
//! What the rules refuse is said in the words of the flags, since nobody wrote that file.

use std::time::Duration;

use tidegate_server::config::{Config, ConfigError, Overrides, ProblemKind, Source, Span};

use super::args::{Controller, DemoArgs};

/// Events that may wait in the lane, unless the largest batch needs more.
const QUEUE_ITEMS: u32 = 200_000;

/// When an attempt is given up, unless the target is longer.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Who chooses the batch size of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Contender {
    /// Somebody did: always this many.
    Fixed(u32),
    /// The controller that was asked for, and what its runs are called.
    Chosen(&'static str),
}

impl Contender {
    /// The plan that was asked for.
    pub(super) const fn asked(args: &DemoArgs) -> Self {
        match args.controller {
            Controller::Joint | Controller::Aimd | Controller::LoadScore => {
                Self::Chosen("adaptive")
            }
            Controller::Fixed => Self::Chosen("yours"),
        }
    }

    /// Whether its size was fixed to be compared with.
    pub(super) const fn is_fixed(self) -> bool {
        matches!(self, Self::Fixed(_))
    }
}

/// The text of a configuration.
pub(super) fn yaml(args: &DemoArgs, contender: Contender) -> String {
    let (initial, min, max, controller) = match contender {
        Contender::Fixed(size) => (size, size, size, "{ name: fixed }".to_owned()),
        Contender::Chosen(_) => {
            (args.initial_batch, args.min_batch, args.max_batch, controller(args))
        }
    };
    format!(
        "# Everything else has its default.\n\
         drain_timeout: 30 s\n\
         sinks:\n  \
           sqlite:\n    \
             type: sqlite\n    \
             batch_size: {{ initial: {initial}, min: {min}, max: {max} }}\n    \
             queue_items: {queue}\n    \
             linger: {linger}\n    \
             target: {target}\n    \
             timeout: {timeout}\n    \
             controller: {controller}\n",
        queue = QUEUE_ITEMS.max(max),
        linger = Span::from(args.linger),
        target = Span::from(args.target),
        timeout = Span::from(args.target.max(TIMEOUT)),
    )
}

fn controller(args: &DemoArgs) -> String {
    let interval = args.adjust_interval.map(|time| format!(", interval: {}", Span::from(time)));
    let factor = args.adjust_factor.map(|factor| format!(", factor: {factor}"));
    let name = args.controller.name();
    format!("{{ name: {name}{}{} }}", interval.unwrap_or_default(), factor.unwrap_or_default())
}

/// Settings of the file and the flags that they come from.
const FLAGS: [(&str, &str); 7] = [
    ("batch_size.initial", "--initial-batch"),
    ("batch_size.min", "--min-batch"),
    ("batch_size.max", "--max-batch"),
    ("linger", "--linger"),
    ("target", "--target"),
    ("controller.interval", "--adjust-interval"),
    ("controller.factor", "--adjust-factor"),
];

/// Checks what was asked for by the server's own rules: a sentence for each flag that is refused.
pub(super) fn refused(args: &DemoArgs) -> Vec<String> {
    let mut refused = Vec::new();
    for (flag, given) in [
        ("--adjust-interval", args.adjust_interval.is_some()),
        ("--adjust-factor", args.adjust_factor.is_some()),
    ] {
        if given && args.controller != Controller::LoadScore {
            let name = args.controller.name();
            refused.push(format!(
                "{flag} is of the controller load_score, but --controller is {name}: leave it out, \
                 or add --controller load_score"
            ));
        }
    }
    if !refused.is_empty() {
        return refused;
    }
    let text = yaml(args, Contender::asked(args));
    let source = Source::Text { name: "the demo's configuration", text: &text };
    match Config::load(source, &Overrides::default(), &|_| None) {
        Ok(_) => Vec::new(),
        Err(ConfigError::Refused { problems, .. }) => {
            let sentence = |problem: &tidegate_server::config::Problem| {
                let below = problem.path.strip_prefix("sinks.sqlite.").unwrap_or(&problem.path);
                let flag = FLAGS.iter().find(|(setting, _)| *setting == below);
                match (flag, &problem.kind) {
                    (Some((_, flag)), ProblemKind::Invalid { value, bound }) => {
                        format!("{flag} is {value}, but must be {bound}")
                    }
                    _ => problem.to_string(),
                }
            };
            problems.iter().map(sentence).collect()
        }
        Err(other) => vec![other.to_string()],
    }
}

#[cfg(test)]
mod tests {
    use super::super::plan::tests::args;
    use super::*;

    #[test]
    fn every_contender_is_a_configuration_that_the_server_takes() {
        let line = "--controller load_score --adjust-interval 500ms --adjust-factor 0.5 \
                    --linger 3ms --max-batch 1000000";
        for args in [args(""), args("--controller fixed --min-batch 50"), args(line)] {
            assert_eq!(refused(&args), Vec::<String>::new());
            for contender in
                [Contender::asked(&args), Contender::Fixed(10), Contender::Fixed(5_000)]
            {
                let text = yaml(&args, contender);
                let source = Source::Text { name: "test", text: &text };
                let loaded = Config::load(source, &Overrides::default(), &|_| None).unwrap();
                let lane = &loaded.config.sinks["sqlite"].lane;
                let expected = match contender {
                    Contender::Fixed(size) => (size, "fixed"),
                    Contender::Chosen(_) => (args.initial_batch, args.controller.name()),
                };
                assert_eq!((lane.batch_size.initial, lane.controller.name()), expected);
            }
        }
    }

    #[test]
    fn refusals_speak_of_flags() {
        let refused = |line| refused(&args(line)).join("\n");
        let text = refused("--initial-batch 5 --min-batch 10 --target 2h");
        assert!(text.contains("--initial-batch is 5, but must be"), "{text}");
        assert!(text.contains("--target is 2 h, but must be"), "{text}");
        assert!(refused("--min-batch 0").contains("--min-batch is 0, but must be"));
        assert!(refused("--adjust-factor 0.5").contains("add --controller load_score"));
        let text = refused("--controller load_score --adjust-factor 2");
        assert!(text.contains("--adjust-factor is 2, but must be"), "{text}");
        let text = refused("--controller load_score --adjust-interval 2h");
        assert!(text.contains("--adjust-interval is 7200000 ms, but must be"), "{text}");
    }
}
