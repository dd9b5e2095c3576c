// Where does the page begin?

import { createRoot } from "react-dom/client";
import "uplot/dist/uPlot.min.css";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/shell.css";
import "./styles/parts.css";
import "./styles/views.css";
import { App } from "./app/App";
import { startTheme } from "./app/theme";
import { LiveContext } from "./live/hooks";
import { Live } from "./live/live";

startTheme();
const live = new Live();
live.start();

const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <LiveContext value={live}>
      <App />
    </LiveContext>,
  );
}
