// Short names for what the server says. The types themselves are generated from its OpenAPI document
// (`npm run types`) and written nowhere else.

import type { components } from "./schema";

type Schemas = components["schemas"];

export type AttemptPoint = Schemas["AttemptPoint"];
export type BreakerState = Schemas["BreakerState"];
export type Bye = Schemas["Bye"];
export type Curve = Schemas["Curve"];
export type CurveBin = Schemas["CurveBin"];
export type Decision = Schemas["Decision"];
export type DecisionPage = Schemas["DecisionPage"];
export type Gain = Schemas["Gain"];
export type Gap = Schemas["Gap"];
export type History = Schemas["History"];
export type LaneFacts = Schemas["LaneFacts"];
export type LaneState = Schemas["LaneState"];
export type LaneTick = Schemas["LaneTick"];
export type Letter = Schemas["Letter"];
export type LetterGroup = Schemas["LetterGroup"];
export type LetterPage = Schemas["LetterPage"];
export type LetterSummary = Schemas["LetterSummary"];
export type LoadScore = Schemas["LoadScore"];
export type Plan = Schemas["Plan"];
export type Purged = Schemas["Purged"];
export type RaceResult = Schemas["RaceResult"];
export type RaceRunner = Schemas["RaceRunner"];
export type RaceRequest = Schemas["RaceRequest"];
export type RetryReport = Schemas["RetryReport"];
export type Setting = Schemas["Setting"];
export type Settings = Schemas["Settings"];
export type SimulatorCatalogue = Schemas["SimulatorCatalogue"];
export type SimulatorRun = Schemas["SimulatorRun"];
export type SimulatorScenario = Schemas["SimulatorScenario"];
export type SinkFacts = Schemas["SinkFacts"];
export type SinkTick = Schemas["SinkTick"];
export type Snapshot = Schemas["Snapshot"];
export type Tick = Schemas["Tick"];
export type Transition = Schemas["Transition"];
export type Usage = Schemas["Usage"];
