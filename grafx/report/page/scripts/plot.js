// One function for all plots: axes with units, lines that differ in colour and dash, a read-out, a playhead.
(() => {
  "use strict";
  const grafx = (globalThis.grafx ??= {});
  const { h, s, bdi, printable, unique } = grafx.dom;
  const { format } = grafx;
  const LINES = 6; // colours and dashes in plot.css
  const AREA = { left: 46, right: 12, top: 20, bottom: 34 };

  function view(what, options = {}) {
    if (what.kind === "pan") return pan(what);
    if (what.kind === "text") return note(what);
    return plot(what, options);
  }

  function note(what) {
    const element = h("figure", { class: "plot plot-text" }, h("figcaption", null, bdi(what.title)), h("p", null, bdi(what.text)));
    return { element, playhead() {}, mark() {} };
  }

  // options: {height, onSeek(x)}
  function plot(what, options = {}) {
    const height = options.height ?? 180;
    const x = grafx.scale.create(what.x);
    const y = grafx.scale.create(what.y);
    const readout = h("output", { class: "plot-readout", "aria-live": "off" });
    const picture = h("div", { class: "plot-picture", tabindex: 0, role: "img", "aria-label": summary(what) });
    picture.style.height = `${height}px`;
    const element = h("figure", { class: "plot" }, h("figcaption", null, bdi(what.title), what.series.length > 1 ? legend(what.series) : null), picture, readout);
    let drawn = null;
    let at = null; // of the playhead
    let marked = null; // a value of x that is pointed out

    function draw(width) {
      if (drawn?.width === width) return;
      drawn = drawing(what, x, y, width, height);
      picture.replaceChildren(drawn.svg);
      drawn.line("playhead", at);
      drawn.line("mark", marked);
    }

    function show(value) {
      if (value === null) {
        readout.textContent = "";
        return drawn?.point(null);
      }
      const values = what.series.map((series) => nearest(series, value, x));
      const best = values.find((v) => v)?.x ?? value;
      drawn?.point(best, values);
      const parts = what.series.map((series, i) => {
        const text = values[i] ? format.measured(values[i].y, what.y.unit) : "–";
        return what.series.length > 1 && series.label ? `${printable(series.label)} ${text}` : text;
      });
      readout.textContent = `${format.measured(best, what.x.unit)}: ${parts.join(", ")}`;
      return best;
    }

    const under = (event) => {
      const box = picture.getBoundingClientRect();
      const place = ((event.clientX - box.left) / box.width) * drawn.width;
      return x.value(Math.min(1, Math.max(0, (place - AREA.left) / (drawn.width - AREA.left - AREA.right))));
    };
    let cursor = null;
    picture.addEventListener("pointermove", (event) => drawn && show((cursor = under(event))));
    picture.addEventListener("pointerleave", () => show((cursor = null)));
    picture.addEventListener("blur", () => show((cursor = null)));
    if (options.onSeek) {
      picture.classList.add("seekable");
      picture.addEventListener("click", (event) => drawn && options.onSeek(under(event)));
    }
    picture.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (event.key === "Enter" && options.onSeek && cursor !== null) options.onSeek(cursor);
      if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      event.stopPropagation();
      const place = cursor === null ? 0.5 : x.place(cursor) + step / 100;
      cursor = x.value(Math.min(1, Math.max(0, place)));
      readout.setAttribute("aria-live", "polite");
      show(cursor);
    });

    watch(picture, draw);
    return {
      element,
      draw,
      playhead(value) {
        at = value;
        drawn?.line("playhead", at);
      },
      mark(value) {
        marked = value;
        drawn?.line("mark", marked);
      },
    };
  }

  const drawings = new WeakMap();
  const observer = new ResizeObserver((entries) => {
    for (const { target, contentRect } of entries) if (contentRect.width) drawings.get(target)?.(Math.round(contentRect.width));
  });

  // Draws once the width is known, and again whenever it changes.
  function watch(element, draw) {
    drawings.set(element, draw);
    observer.observe(element);
  }

  function drawing(what, x, y, width, height) {
    const inner = { width: Math.max(40, width - AREA.left - AREA.right), height: height - AREA.top - AREA.bottom };
    const left = (value) => AREA.left + inner.width * x.place(value);
    const top = (value) => AREA.top + inner.height * (1 - y.place(value));
    const clip = unique("clip");
    const svg = s("svg", { viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true", focusable: "false" },
      s("clipPath", { id: clip }, s("rect", { x: AREA.left, y: AREA.top, width: inner.width, height: inner.height })));
    axes(svg, what, x, y, left, top, inner, width, height);
    const lines = s("g", { "clip-path": `url(#${clip})` });
    const zero = y.low <= 0 && y.high >= 0 ? top(0) : AREA.top + inner.height;
    what.series.forEach((series, i) => lines.append(...shapes(series, i % LINES, left, top, zero, x)));
    const marks = { playhead: vertical("plot-playhead", inner), mark: vertical("plot-mark", inner), cross: vertical("plot-cross", inner) };
    const dots = what.series.map((_, i) => s("circle", { class: `plot-dot line-${i % LINES}`, r: 3.5, visibility: "hidden" }));
    svg.append(lines, ...Object.values(marks), ...dots);

    function line(name, value) {
      const hidden = value === null || value === undefined || value < x.low - 1e-9 || value > x.high + 1e-9;
      marks[name].setAttribute("visibility", hidden ? "hidden" : "visible");
      if (!hidden) marks[name].setAttribute("transform", `translate(${left(value).toFixed(2)} 0)`);
    }

    function point(value, values = []) {
      line("cross", value);
      dots.forEach((dot, i) => {
        const hit = value === null ? null : values[i];
        dot.setAttribute("visibility", hit && y.place(hit.y) >= -0.01 && y.place(hit.y) <= 1.01 ? "visible" : "hidden");
        if (hit) dot.setAttribute("cx", left(hit.x)), dot.setAttribute("cy", top(hit.y));
      });
    }
    return { svg, width, line, point };
  }

  const vertical = (name, inner) => s("line", { class: name, x1: 0, x2: 0, y1: AREA.top, y2: AREA.top + inner.height, visibility: "hidden" });

  function axes(svg, what, x, y, left, top, inner, width, height) {
    const grid = s("g", { class: "plot-grid" });
    const names = s("g", { class: "plot-ticks" });
    const bottom = AREA.top + inner.height;
    for (const { value, named, digits } of x.ticks(Math.max(2, Math.floor(inner.width / 64)))) {
      const at = left(value);
      grid.append(s("line", { x1: at, x2: at, y1: AREA.top, y2: bottom, class: named ? null : "faint" }));
      if (named) names.append(s("text", { x: at, y: bottom + 14, "text-anchor": "middle" }, what.x.unit === "s" && x.high >= 60 ? format.time(value, 0) : format.short(value, digits)));
    }
    for (const { value, named, digits } of y.ticks(Math.max(2, Math.floor(inner.height / 30)))) {
      const at = top(value);
      grid.append(s("line", { x1: AREA.left, x2: AREA.left + inner.width, y1: at, y2: at, class: value === 0 ? "zero" : named ? null : "faint" }));
      if (named) names.append(s("text", { x: AREA.left - 6, y: at + 3.5, "text-anchor": "end" }, format.short(value, digits)));
    }
    svg.append(grid, names,
      s("text", { class: "plot-axis", x: AREA.left + inner.width, y: height - 4, "text-anchor": "end" }, axisName(what.x)),
      s("text", { class: "plot-axis", x: 0, y: 10 }, axisName(what.y)));
  }

  const axisName = (axis) => printable(axis.unit ? `${axis.label ?? ""} (${axis.unit})`.trim() : (axis.label ?? ""));

  function shapes(series, i, left, top, zero, x) {
    const points = series.x.map((value, k) => [value, series.y[k]]).filter(([a, b]) => a !== null && b !== null && (a > 0 || x.low <= 0));
    const path = points.map(([a, b], k) => `${k ? "L" : "M"}${left(a).toFixed(2)} ${top(b).toFixed(2)}`).join("");
    const name = `line-${i}`;
    if (series.style === "stems") {
      return points.map(([a, b]) => s("g", { class: `plot-stem ${name}` }, s("line", { x1: left(a), x2: left(a), y1: zero, y2: top(b) }), s("circle", { cx: left(a), cy: top(b), r: 2.5 })));
    }
    const outline = s("path", { class: `plot-line ${name}`, d: path });
    if (series.style !== "area" || !points.length) return [outline];
    const ends = [points.at(-1), points[0]].map(([a]) => `L${left(a).toFixed(2)} ${zero.toFixed(2)}`).join("");
    return [s("path", { class: `plot-area ${name}`, d: `${path}${ends}Z` }), outline];
  }

  function nearest(series, value, x) {
    let best = null;
    const here = x.place(value);
    series.x.forEach((a, k) => {
      if (a === null || series.y[k] === null || (a <= 0 && x.low > 0)) return;
      const distance = Math.abs(x.place(a) - here);
      if (!best || distance < best.distance) best = { x: a, y: series.y[k], distance };
    });
    return best && best.distance < 0.05 ? best : null;
  }

  function legend(series) {
    return h("span", { class: "plot-legend" }, series.map((one, i) => h("span", null,
      s("svg", { viewBox: "0 0 22 8", "aria-hidden": "true" }, s("path", { class: `plot-line line-${i % LINES}`, d: "M1 4H21" })), bdi(one.label ?? ""))));
  }

  function summary(what) {
    const values = what.series.flatMap((series) => series.y).filter((v) => v !== null);
    const axis = (one) => `${one.label ?? ""} ${format.measured(one.low, one.unit)} to ${format.measured(one.high, one.unit)}`;
    if (!values.length) return printable(`${what.title}: no data`);
    const low = values.reduce((a, b) => Math.min(a, b));
    const high = values.reduce((a, b) => Math.max(a, b));
    const range = `${what.y.label ?? ""} from ${format.measured(low, what.y.unit)} to ${format.measured(high, what.y.unit)}`;
    return printable(`${what.title}: ${range} over ${axis(what.x)}. Left and right keys read values.`);
  }

  // The stereo field from above: where the sound lies between left and right, and how wide it is.
  function pan(what) {
    const width = Math.max(0, Math.min(2, what.width ?? 1));
    const angle = Math.max(-1, Math.min(1, (what.pan_db ?? 0) / 12)) * 45;
    const spread = Math.min(90, 45 * width);
    const ray = (degrees, radius) => [110 + radius * Math.sin((degrees * Math.PI) / 180), 100 - radius * Math.cos((degrees * Math.PI) / 180)].map((v) => v.toFixed(1));
    const [from, to] = [Math.max(-90, angle - spread), Math.min(90, angle + spread)];
    const svg = s("svg", { viewBox: "0 0 220 112", "aria-hidden": "true" },
      s("path", { class: "pan-field", d: "M20 100A90 90 0 0 1 200 100Z" }),
      s("path", { class: "pan-width", d: `M110 100L${ray(from, 80).join(" ")}A80 80 0 0 1 ${ray(to, 80).join(" ")}Z` }),
      s("path", { class: "pan-needle", d: `M110 100L${ray(angle, 86).join(" ")}` }),
      s("text", { x: 8, y: 104 }, "L"), s("text", { x: 205, y: 104 }, "R"));
    const facts = [
      what.pan_db !== undefined && what.pan_db !== null ? `right − left ${format.signed(what.pan_db)} dB` : null,
      what.left_db !== undefined && what.left_db !== null ? `left ${format.signed(what.left_db)} dB` : null,
      what.right_db !== undefined && what.right_db !== null ? `right ${format.signed(what.right_db)} dB` : null,
      what.width !== undefined && what.width !== null ? `width ${format.number(what.width)}` : null,
    ].filter(Boolean).join(", ");
    const picture = h("div", { class: "pan-picture", role: "img", "aria-label": printable(`${what.title}: ${facts}`) }, svg);
    return { element: h("figure", { class: "plot plot-pan" }, h("figcaption", null, bdi(what.title)), picture, h("p", { class: "plot-facts" }, facts)), playhead() {}, mark() {} };
  }

  grafx.plot = { view, plot, watch };
})();
