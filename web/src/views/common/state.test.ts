import { describe, expect, it } from "vitest";
import type { LaneTick, SinkTick } from "../../api/types";
import type { LaneNow } from "../../live/live";
import { standing, worst } from "./state";

/** A lane that runs, but for what is given. */
function lane(now: Partial<LaneTick>, sink: Partial<SinkTick> = {}): Pick<LaneNow, "now" | "sink"> {
  const running = { state: "running", backlog: 10, in_flight: 1, out_per_second: 100 };
  return {
    now: { ...running, oldest_seconds: 0.2, braking: false, ...now } as LaneTick,
    sink: { breaker: "closed", ...sink } as SinkTick,
  };
}

describe("standing", () => {
  it("says the worst of what is true", () => {
    expect(standing(lane({})).word).toBe("running");
    expect(standing(lane({ backlog: 0, in_flight: 0, out_per_second: 0 })).word).toBe("idle");
    expect(standing(lane({ oldest_seconds: 11 })).word).toBe("behind");
    expect(standing(lane({ oldest_seconds: 11, state: "retrying" })).word).toBe("retrying");
    expect(standing(lane({ state: "retrying" }, { breaker: "open" })).word).toBe("breaker open");
  });

  it("is that of the worst lane, and of one that works before one that is idle", () => {
    const idle = lane({ backlog: 0, in_flight: 0, out_per_second: 0 });
    expect(worst([idle, lane({})]).word).toBe("running");
    expect(worst([idle, lane({ oldest_seconds: 60 }), lane({})]).word).toBe("behind");
    expect(worst([]).word).toBe("idle");
  });
});
