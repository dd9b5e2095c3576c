// What a pointer asks for: values under it, and controllers shown or hidden. Without it the page is
// complete. Values are read back from the lines themselves.
(() => {
  const show = (box) => {
    for (const drawn of document.querySelectorAll(".k" + box.dataset.controller)) {
      drawn.classList.toggle("off", !box.checked);
    }
  };
  const boxes = [...document.querySelectorAll("[data-controller]")];
  for (const box of boxes) {
    box.addEventListener("change", () => show(box));
    show(box);
  }

  const number = (value) => Number(value.toPrecision(3)).toLocaleString("en");
  const points = (path) =>
    [...path.getAttribute("d").matchAll(/[ML]([\d.]+) ([\d.]+)/g)].map((m) => [+m[1], +m[2]]);
  const nearest = (all, x) =>
    all.reduce((best, p) => (best && Math.abs(best[0] - x) <= Math.abs(p[0] - x) ? best : p), null);

  for (const svg of document.querySelectorAll(".chart svg")) {
    const [left, right, top, bottom] = svg.dataset.box.split(" ").map(Number);
    const { low, high, log, seconds, unit } = svg.dataset;
    const value = (y) => {
      const share = (bottom - y) / (bottom - top);
      return log === "1" ? low * (high / low) ** share : +low + (high - low) * share;
    };
    let lines = null, tip = null, cursor = null;
    const leave = () => { tip?.remove(); cursor?.remove(); tip = cursor = null; };
    svg.addEventListener("pointerleave", leave);
    svg.addEventListener("pointermove", (event) => {
      const frame = svg.getBoundingClientRect();
      const x = ((event.clientX - frame.left) / frame.width) * svg.viewBox.baseVal.width;
      if (x < left || x > right) return leave();
      lines ??= [...svg.querySelectorAll("path[data-name]")].map((path) => [path, points(path)]);
      if (!tip) {
        tip = document.createElement("div");
        tip.className = "tip";
        svg.parentNode.append(tip);
        cursor = document.createElementNS("http://www.w3.org/2000/svg", "path");
        cursor.setAttribute("class", "cursor");
        svg.append(cursor);
      }
      cursor.setAttribute("d", `M${x} ${top}V${bottom}`);
      tip.replaceChildren();
      const title = document.createElement("b");
      title.textContent = `${number(((x - left) / (right - left)) * seconds)} s`;
      tip.append(title);
      for (const [path, all] of lines) {
        const found = path.classList.contains("off") ? null : nearest(all, x);
        if (!found || Math.abs(found[0] - x) > 12) continue;
        const line = document.createElement("div"), color = document.createElement("i");
        color.style.background = getComputedStyle(path).stroke;
        line.append(color, `${path.dataset.name}: ${number(value(found[1]))} ${unit}`);
        tip.append(line);
      }
      const past = event.clientX - frame.left > frame.width / 2;
      tip.style.left = past ? "" : `${event.clientX - frame.left + 14}px`;
      tip.style.right = past ? `${frame.right - event.clientX + 14}px` : "";
      tip.style.top = "2rem";
    });
  }
})();
