//! Which race is under way? One at a time, bounded, cancellable.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{RaceError, RaceWatch, Simulator};
use crate::clock::Clock;
use crate::live::contract::{
    RaceRequest, RaceState, SimulatorCatalogue, SimulatorLimits, SimulatorRun,
};

/// What a race may ask for.
const LIMITS: SimulatorLimits =
    SimulatorLimits { controllers_max: 8, seeds_max: 20, seconds_max: 60 };

/// The races of a server: the last one is remembered.
#[derive(Debug)]
pub(crate) struct Races {
    simulator: Option<Arc<dyn Simulator>>,
    clock: Clock,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    last: Option<SimulatorRun>,
    /// Told to the thread of the race under way; it is there until that thread has ended.
    stop: Option<Arc<AtomicBool>>,
}

/// Why no race was begun, or none was found.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RaceRefused {
    #[error("this server has no simulator: start it with the command `tidegate`")]
    NoSimulator,
    #[error("a race is under way: wait for its end, or cancel it")]
    UnderWay,
    #[error("there is no race {0}; only the last one is remembered")]
    NoSuchRace(u64),
    #[error("there is no {what} {name}; known are {known}")]
    Unknown { what: &'static str, name: String, known: String },
    #[error("{field} is {value}, but must be between 1 and {most}")]
    Bounds { field: &'static str, value: usize, most: u32 },
    #[error("controllers names {0} twice")]
    Twice(String),
    #[error("no thread for the race: {0}")]
    Thread(String),
}

impl Races {
    pub(crate) fn new(simulator: Option<Arc<dyn Simulator>>, clock: Clock) -> Self {
        Self { simulator, clock, held: Mutex::default() }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn simulator(&self) -> Result<&Arc<dyn Simulator>, RaceRefused> {
        self.simulator.as_ref().ok_or(RaceRefused::NoSimulator)
    }

    /// What can be raced, and the last race without its result.
    pub(crate) fn catalogue(&self) -> Result<SimulatorCatalogue, RaceRefused> {
        let simulator = self.simulator()?;
        let last = self.held().last.clone();
        Ok(SimulatorCatalogue {
            scenarios: simulator.scenarios(),
            controllers: simulator.controllers(),
            default_controller: simulator.default_controller(),
            limits: LIMITS,
            last: last.map(|run| SimulatorRun { result: None, ..run }),
        })
    }

    /// The race with this number.
    pub(crate) fn get(&self, id: u64) -> Result<SimulatorRun, RaceRefused> {
        self.simulator()?;
        let last = self.held().last.clone();
        last.filter(|run| run.id == id).ok_or(RaceRefused::NoSuchRace(id))
    }

    /// Begins a race.
    pub(crate) fn begin(
        self: &Arc<Self>,
        request: RaceRequest,
    ) -> Result<SimulatorRun, RaceRefused> {
        let simulator = Arc::clone(self.simulator()?);
        check(&*simulator, &request)?;
        let mut held = self.held();
        if held.stop.is_some() {
            return Err(RaceRefused::UnderWay);
        }
        let run = SimulatorRun {
            id: held.last.as_ref().map_or(1, |last| last.id + 1),
            request,
            state: RaceState::Running,
            progress: 0.0,
            stage: "beginning".to_owned(),
            error: None,
            result: None,
        };
        let stop = Arc::new(AtomicBool::new(false));
        let racing = Racing {
            races: Arc::clone(self),
            stop: Arc::clone(&stop),
            ends_at: self.clock.now() + Duration::from_secs(u64::from(LIMITS.seconds_max)),
        };
        let request = run.request.clone();
        let thread = std::thread::Builder::new().name("race".into());
        let spawned = thread.spawn(move || racing.run(&*simulator, &request));
        spawned.map_err(|error| RaceRefused::Thread(error.to_string()))?;
        (held.last, held.stop) = (Some(run.clone()), Some(stop));
        Ok(run)
    }

    /// Cancels a race. One that is over stays as it is.
    pub(crate) fn cancel(&self, id: u64) -> Result<SimulatorRun, RaceRefused> {
        self.simulator()?;
        let mut held = self.held();
        let Some(run) = held.last.as_mut().filter(|run| run.id == id) else {
            return Err(RaceRefused::NoSuchRace(id));
        };
        if run.state == RaceState::Running {
            run.state = RaceState::Cancelled;
        }
        let run = run.clone();
        if let Some(stop) = &held.stop {
            stop.store(true, Ordering::Relaxed);
        }
        Ok(run)
    }

    /// Tells a race under way to stop, as the server does.
    pub(crate) fn close(&self) {
        if let Some(stop) = &self.held().stop {
            stop.store(true, Ordering::Relaxed);
        }
    }
}

fn check(simulator: &dyn Simulator, request: &RaceRequest) -> Result<(), RaceRefused> {
    let controllers = simulator.controllers();
    let count = request.controllers.len();
    let bounds = |field, value, most| RaceRefused::Bounds { field, value, most };
    if !(1..=LIMITS.controllers_max as usize).contains(&count) {
        return Err(bounds("controllers", count, LIMITS.controllers_max));
    }
    if !(1..=LIMITS.seeds_max).contains(&request.seeds) {
        return Err(bounds("seeds", request.seeds as usize, LIMITS.seeds_max));
    }
    for (at, name) in request.controllers.iter().enumerate() {
        if !controllers.contains(name) {
            let (name, known) = (name.clone(), controllers.join(", "));
            return Err(RaceRefused::Unknown { what: "controller", name, known });
        }
        if request.controllers.iter().take(at).any(|other| other == name) {
            return Err(RaceRefused::Twice(name.clone()));
        }
    }
    let scenarios = simulator.scenarios();
    if !scenarios.iter().any(|scenario| scenario.name == request.scenario) {
        let known: Vec<_> = scenarios.into_iter().map(|scenario| scenario.name).collect();
        let (name, known) = (request.scenario.clone(), known.join(", "));
        return Err(RaceRefused::Unknown { what: "scenario", name, known });
    }
    Ok(())
}

/// The thread of a race.
struct Racing {
    races: Arc<Races>,
    stop: Arc<AtomicBool>,
    ends_at: tidegate::Moment,
}

impl Racing {
    fn run(&self, simulator: &dyn Simulator, request: &RaceRequest) {
        let came = simulator.race(request, self);
        let late = self.races.clock.now() >= self.ends_at;
        let mut held = self.races.held();
        held.stop = None;
        let Some(run) = &mut held.last else { return };
        if run.state != RaceState::Running {
            return;
        }
        match came {
            Ok(result) => {
                (run.state, run.progress, run.result) = (RaceState::Done, 1.0, Some(result));
            }
            Err(RaceError::Stopped) if late => {
                let most = LIMITS.seconds_max;
                let told =
                    format!("it took longer than {most} s: ask for fewer seeds or controllers");
                (run.state, run.error) = (RaceState::Failed, Some(told));
            }
            Err(RaceError::Stopped) => run.state = RaceState::Cancelled,
            Err(error) => (run.state, run.error) = (RaceState::Failed, Some(error.to_string())),
        }
    }
}

impl Drop for Racing {
    /// Also after a panic, so that there can be another race.
    fn drop(&mut self) {
        let mut held = self.races.held();
        held.stop = None;
        if let Some(run) = held.last.as_mut().filter(|run| run.state == RaceState::Running) {
            (run.state, run.error) = (RaceState::Failed, Some("a fault of the program".to_owned()));
        }
    }
}

impl RaceWatch for Racing {
    fn goes_on(&self, progress: f64, stage: &str) -> bool {
        if let Some(run) = &mut self.races.held().last {
            run.progress = progress.clamp(0.0, 1.0);
            stage.clone_into(&mut run.stage);
        }
        !self.stop.load(Ordering::Relaxed) && self.races.clock.now() < self.ends_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::contract::{RaceResult, RaceTimeline, SimulatorScenario};
    use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

    /// A simulator whose races end when the test says so.
    #[derive(Debug)]
    struct Held(Mutex<Receiver<Result<(), RaceError>>>);

    impl Simulator for Held {
        fn scenarios(&self) -> Vec<SimulatorScenario> {
            vec![SimulatorScenario {
                name: "pgA".into(),
                suite: "canonical".into(),
                about: String::new(),
                duration_s: 60.0,
                target_ms: 100.0,
                saturated: true,
                changes_s: Vec::new(),
            }]
        }

        fn controllers(&self) -> Vec<String> {
            ["aimd", "joint", "fixed"].map(str::to_owned).into()
        }

        fn default_controller(&self) -> String {
            "aimd".into()
        }

        fn race(&self, _: &RaceRequest, watch: &dyn RaceWatch) -> Result<RaceResult, RaceError> {
            let told = self.0.lock().unwrap().recv().unwrap();
            if !watch.goes_on(0.5, "racing") {
                return Err(RaceError::Stopped);
            }
            told.map(|()| RaceResult {
                seed: 1,
                oracle: RaceTimeline::default(),
                runners: Vec::new(),
                remarks: Vec::new(),
            })
        }
    }

    fn races() -> (Arc<Races>, SyncSender<Result<(), RaceError>>) {
        let (tell, told) = sync_channel(8);
        let simulator: Arc<dyn Simulator> = Arc::new(Held(Mutex::new(told)));
        (Arc::new(Races::new(Some(simulator), Clock::start())), tell)
    }

    fn request(controllers: &[&str]) -> RaceRequest {
        let controllers = controllers.iter().map(|name| (*name).to_owned()).collect();
        RaceRequest { scenario: "pgA".into(), controllers, seeds: 2 }
    }

    /// Waits until no race is under way.
    fn ended(races: &Races) -> SimulatorRun {
        while races.held().stop.is_some() {
            std::thread::yield_now();
        }
        races.held().last.clone().unwrap()
    }

    #[test]
    fn one_race_at_a_time_with_a_result_at_its_end() {
        let (races, tell) = races();
        let begun = races.begin(request(&["aimd", "joint"])).unwrap();
        assert_eq!((begun.id, begun.state), (1, RaceState::Running));
        let refused = races.begin(request(&["aimd"])).unwrap_err();
        assert!(matches!(refused, RaceRefused::UnderWay), "{refused}");
        tell.send(Ok(())).unwrap();
        let done = ended(&races);
        assert_eq!((done.state, done.result.is_some()), (RaceState::Done, true));
        assert!(races.catalogue().unwrap().last.unwrap().result.is_none());
        assert!(races.get(1).unwrap().result.is_some());
        tell.send(Err(RaceError::Failed("no".into()))).unwrap();
        assert_eq!(races.begin(request(&["aimd"])).unwrap().id, 2);
        let failed = ended(&races);
        assert_eq!(failed.error.as_deref(), Some("the race cannot be run: no"));
        assert!(matches!(races.get(1).unwrap_err(), RaceRefused::NoSuchRace(1)));
    }

    #[test]
    fn a_race_that_is_cancelled_is_over_once_its_thread_is() {
        let (races, tell) = races();
        races.begin(request(&["aimd"])).unwrap();
        assert_eq!(races.cancel(1).unwrap().state, RaceState::Cancelled);
        let refused = races.begin(request(&["aimd"])).unwrap_err();
        assert!(matches!(refused, RaceRefused::UnderWay), "its thread has not ended");
        tell.send(Ok(())).unwrap();
        assert_eq!(ended(&races).state, RaceState::Cancelled);
        races.begin(request(&["aimd"])).unwrap();
        tell.send(Ok(())).unwrap();
        assert_eq!(ended(&races).state, RaceState::Done);
        assert_eq!(races.cancel(2).unwrap().state, RaceState::Done, "it is over");
    }

    #[test]
    fn what_is_out_of_bounds_or_unknown_is_refused() {
        let (races, _tell) = races();
        let refused = |request| races.begin(request).unwrap_err().to_string();
        assert_eq!(refused(request(&[])), "controllers is 0, but must be between 1 and 8");
        assert_eq!(refused(request(&["aimd", "aimd"])), "controllers names aimd twice");
        assert!(refused(request(&["imd"])).contains("no controller imd; known are aimd"));
        let seeds = RaceRequest { seeds: 21, ..request(&["aimd"]) };
        assert_eq!(refused(seeds), "seeds is 21, but must be between 1 and 20");
        let scenario = RaceRequest { scenario: "x".into(), ..request(&["aimd"]) };
        assert!(refused(scenario).contains("no scenario x; known are pgA"));
        let none = Arc::new(Races::new(None, Clock::start()));
        assert!(matches!(none.catalogue().unwrap_err(), RaceRefused::NoSimulator));
    }
}
