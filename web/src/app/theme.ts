// Light or dark? As the system has it, unless somebody chose here.

import { useSyncExternalStore } from "react";
import { themeChanged } from "../chart/theme";

export type Choice = "auto" | "light" | "dark";

const KEY = "tidegate.theme";
const CHOICES: readonly Choice[] = ["auto", "light", "dark"];
const system = window.matchMedia("(prefers-color-scheme: dark)");
const listeners = new Set<() => void>();
let choice = stored();

function stored(): Choice {
  try {
    const text = window.localStorage.getItem(KEY);
    return CHOICES.find((known) => known === text) ?? "auto";
  } catch {
    return "auto";
  }
}

function apply(): void {
  const dark = choice === "dark" || (choice === "auto" && system.matches);
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  themeChanged();
}

/** Sets the theme, and keeps it in step with the system. */
export function startTheme(): void {
  apply();
  system.addEventListener("change", apply);
}

export function useTheme(): [Choice, () => void] {
  const now = useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => choice,
  );
  return [now, next];
}

function next(): void {
  choice = CHOICES[(CHOICES.indexOf(choice) + 1) % CHOICES.length] ?? "auto";
  try {
    window.localStorage.setItem(KEY, choice);
  } catch {
    // Then it holds for this page.
  }
  apply();
  for (const listener of listeners) listener();
}
