// What can be done about letters? Each action says in a sentence what came of it.

import { ApiError, getJson, request, sendJson } from "../../api/client";
import type { LetterPage, Purged, RetryReport } from "../../api/types";
import { whole } from "../../format/number";
import { asQuery, type Filter } from "./filter";

const letters = (number: number) => `${whole(number)} ${number === 1 ? "letter" : "letters"}`;

export async function retryMatching(filter: Filter): Promise<string> {
  return told(await sendJson<RetryReport>("POST", `/api/dead-letters/retry${asQuery(filter)}`));
}

/** Sends one letter again; once it is delivered it is gone. */
export async function retryOne(id: number): Promise<{ note: string; isGone: boolean }> {
  const report = await sendJson<RetryReport>("POST", `/api/dead-letters/${id}/retry`);
  return { note: told(report), isGone: report.delivered > 0 };
}

/** What came of sending letters again. */
export function told({ tried, delivered, refused, skipped, stopped }: RetryReport): string {
  const parts = [
    `Tried ${letters(tried)}: ${whole(delivered)} delivered, ${whole(refused)} refused again`,
  ];
  for (const [why, number] of Object.entries(skipped))
    parts.push(`${whole(number)} not sent (${why.replaceAll("_", " ")})`);
  return `${parts.join(", ")}.${stopped ? ` It stopped: ${stopped}.` : ""}`;
}

/** Most groups that the server tells of. */
const GROUPS_MAX = 100;

/** How many letters a purge would remove. */
export async function countForPurge(filter: Filter): Promise<number> {
  const { groups } = await getJson<LetterPage>(`/api/dead-letters${asQuery(filter, { limit: 1 })}`);
  if (groups.length < GROUPS_MAX) return groups.reduce((sum, { count }) => sum + count, 0);
  return countByRefusal(filter);
}

/** There are more groups than are told: a purge that is not confirmed is refused with the number. */
async function countByRefusal(filter: Filter): Promise<number> {
  try {
    await sendJson("DELETE", `/api/dead-letters${asQuery(filter)}`);
  } catch (error) {
    const isUnconfirmed = error instanceof ApiError && error.code === "unconfirmed";
    const found = isUnconfirmed && /\((\d+) /.exec(error.message);
    if (found) return Number(found[1]);
    throw error;
  }
  throw new Error("The server purged without being asked to confirm.");
}

export async function purge(filter: Filter): Promise<string> {
  const { purged } = await sendJson<Purged>(
    "DELETE",
    `/api/dead-letters${asQuery(filter, { confirm: true })}`,
  );
  return `Removed ${letters(purged)} for good.`;
}

export async function purgeOne(id: number): Promise<string> {
  const { purged } = await sendJson<Purged>("DELETE", `/api/dead-letters?id=${id}&confirm=true`);
  return `Removed ${letters(purged)} for good.`;
}

export async function mend(id: number, event: string): Promise<string> {
  const headers = { "content-type": "application/json" };
  await request(`/api/dead-letters/${id}`, { method: "PUT", body: event, headers });
  return "The event is replaced. Send it again to see whether it is taken now.";
}

/** Letters that one file may have: a page in a browser is not the place for more. */
const EXPORT_MAX = 100_000;

/** Saves the letters, or only their events, as NDJSON: page by page, for a token goes in a header. */
export async function exportMatching(filter: Filter, eventsOnly: boolean): Promise<string> {
  const parts: BlobPart[] = [];
  let lines = 0;
  let after: string | null = "0";
  while (after !== null && lines < EXPORT_MAX) {
    const asked = asQuery(filter, { after, limit: 1000, events: eventsOnly });
    const response = await request(`/api/dead-letters/export${asked}`);
    const text = await response.text();
    lines += text.split("\n").filter(Boolean).length;
    parts.push(text);
    after = response.headers.get("tidegate-next");
  }
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob(parts, { type: "application/x-ndjson" }));
  link.download = eventsOnly ? "dead-letter-events.ndjson" : "dead-letters.ndjson";
  link.click();
  URL.revokeObjectURL(link.href);
  return `Saved ${letters(lines)}${after === null ? "" : ", and there are more: narrow the filter, or use the command line"}.`;
}
