// What is around every view? The bar, what is wrong with the connection, and the view itself.

import { useEffect, useRef } from "react";
import { count, text } from "../format/number";
import { useConnection, useLive, useSnapshot, useTick } from "../live/hooks";
import { Empty, Loading } from "../ui/Blank";
import { Link } from "../ui/Link";
import { DeadLetters } from "../views/dead-letters/DeadLetters";
import { LaneView } from "../views/lane/LaneView";
import { Overview } from "../views/overview/Overview";
import { Resources } from "../views/resources/Resources";
import { SettingsView } from "../views/settings/SettingsView";
import { Simulator } from "../views/simulator/Simulator";
import { Announcer, ConnectionBanner, ConnectionState } from "./Connection";
import { type Route, useRoute } from "./router";
import { TokenGate } from "./TokenGate";
import { useTheme } from "./theme";

export function App() {
  const route = useRoute();
  const { state } = useConnection();
  const aged = state === "stale" || state === "disconnected";
  useTitle(route);
  const page = useRef<HTMLElement>(null);
  const view = route.view === "lane" ? `${route.sink}/${route.lane}` : route.view;
  const shown = useRef(view);
  useEffect(() => {
    // Who moved by the keyboard goes on from the top of the new view.
    if (shown.current !== view) page.current?.focus();
    shown.current = view;
  }, [view]);
  return (
    <div className={aged ? "aged" : ""}>
      <a className="skip" href="#page">
        To the figures
      </a>
      <Bar route={route} />
      <ConnectionBanner />
      <Announcer />
      <main className="page" id="page" ref={page} tabIndex={-1}>
        {state === "unauthorized" ? <TokenGate /> : <View route={route} />}
      </main>
    </div>
  );
}

function View({ route }: { route: Route }) {
  const snapshot = useSnapshot();
  if (!snapshot) return <Starting />;
  switch (route.view) {
    case "overview":
      return <Overview />;
    case "lane":
      return <LaneView key={`${route.sink}/${route.lane}`} sink={route.sink} lane={route.lane} />;
    case "dead-letters":
      return <DeadLetters />;
    case "resources":
      return <Resources />;
    case "settings":
      return <SettingsView />;
    case "simulator":
      return <Simulator />;
    case "unknown":
      return (
        <div className="panel">
          <h1 className="visually-hidden">No such page</h1>
          <Empty title="There is no such page">
            Nothing is at <code>{route.path}</code>. <Link href="/">Go to the overview.</Link>
          </Empty>
        </div>
      );
  }
}

/** Nothing has come yet: either it is about to, or the banner says why not. */
function Starting() {
  const { state } = useConnection();
  return (
    <div className="panel">
      {state === "disconnected" ? (
        <Empty title="No figures yet">
          This page shows what the server says, and the server does not answer. It goes on by itself
          as soon as there is one.
        </Empty>
      ) : (
        <Loading what="the figures" />
      )}
    </div>
  );
}

const VIEWS = [
  ["/", "overview", "Overview"],
  ["/dead-letters", "dead-letters", "Dead letters"],
  ["/resources", "resources", "Resources"],
  ["/settings", "settings", "Settings"],
  ["/simulator", "simulator", "Simulator"],
] as const;

function Bar({ route }: { route: Route }) {
  const [theme, nextTheme] = useTheme();
  const nav = useRef<HTMLElement>(null);
  // On a phone the views do not fit beside each other: the one that is shown is in sight.
  // biome-ignore lint/correctness/useExhaustiveDependencies: each view has its place
  useEffect(() => {
    const here = nav.current?.querySelector<HTMLElement>("[aria-current]");
    // Not scrollIntoView: from there on the Tab key would go, past the link that skips all this.
    if (nav.current && here) {
      nav.current.scrollLeft = here.offsetLeft - (nav.current.clientWidth - here.clientWidth) / 2;
    }
  }, [route.view]);
  return (
    <header className="bar">
      <Link className="brand" href="/">
        <Mark />
        tidegate
      </Link>
      <nav className="nav" aria-label="Views" ref={nav}>
        {VIEWS.map(([href, view, label]) => {
          const isHere = route.view === view || (view === "overview" && route.view === "lane");
          return (
            <Link key={view} href={href} aria-current={isHere ? "page" : undefined}>
              {label}
              {view === "dead-letters" ? <LetterCount /> : null}
            </Link>
          );
        })}
      </nav>
      <div className="bar-end">
        <ConnectionState />
        <button
          type="button"
          className="button icon plain"
          aria-label={`Theme: ${theme}. Change it.`}
          title={`Theme: ${theme}`}
          onClick={nextTheme}
        >
          <ThemeGlyph theme={theme} />
        </button>
      </div>
    </header>
  );
}

function LetterCount() {
  const items = useTick()?.dead_letters.items ?? 0;
  return items > 0 ? <span className="badge bad">{text(count(items))}</span> : null;
}

function Mark() {
  return (
    <svg viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="7" fill="#0b5c68" />
      <path
        d="M5 21c3.7 0 3.7-3 7.4-3s3.6 3 7.3 3 3.6-3 7.3-3"
        fill="none"
        stroke="#fff"
        strokeWidth="2.6"
        strokeLinecap="round"
      />
      <path d="M9 7v7M16 7v7M23 7v7" stroke="#7fe0ea" strokeWidth="2.6" strokeLinecap="round" />
    </svg>
  );
}

function ThemeGlyph({ theme }: { theme: "auto" | "light" | "dark" }) {
  return (
    <svg width="16" height="16" viewBox="0 0 16 16" aria-hidden="true">
      <circle cx="8" cy="8" r="6" fill="none" stroke="currentColor" strokeWidth="1.5" />
      {theme === "auto" ? <path d="M8 2a6 6 0 0 1 0 12Z" fill="currentColor" /> : null}
      {theme === "dark" ? <circle cx="8" cy="8" r="6" fill="currentColor" /> : null}
    </svg>
  );
}

const TITLES: Record<Route["view"], string> = {
  overview: "Overview",
  lane: "Lane",
  "dead-letters": "Dead letters",
  resources: "Resources",
  settings: "Settings",
  simulator: "Simulator",
  unknown: "No such page",
};

/** The tab says what is shown, and that something is wrong, also while it is in the background. */
function useTitle(route: Route): void {
  const live = useLive();
  const name = route.view === "lane" ? `${route.sink}/${route.lane}` : TITLES[route.view];
  useEffect(() => {
    const write = () => {
      const troubles = live.tick?.troubles.length ?? 0;
      const isLive = live.connection.state === "live" || live.connection.state === "connecting";
      const sign = !isLive ? "○ " : troubles > 0 ? "▲ " : "";
      const title = `${sign}${name} · tidegate`;
      if (document.title !== title) document.title = title;
    };
    write();
    return live.subscribe(write);
  }, [live, name]);
}
