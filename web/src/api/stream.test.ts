import { expect, it } from "vitest";
import { wait } from "./stream";

it("waits longer after each failure, within bounds, and never not at all", () => {
  for (let attempt = 0; attempt < 20; attempt += 1) {
    expect(wait(attempt, 0)).toBeGreaterThanOrEqual(150);
    expect(wait(attempt, 1)).toBeLessThanOrEqual(5_000);
    expect(wait(attempt + 1, 0.5)).toBeGreaterThanOrEqual(wait(attempt, 0.5));
  }
});
