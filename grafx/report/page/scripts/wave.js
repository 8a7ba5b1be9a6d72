// A waveform with a playhead: click, drag and keys move it; with Shift, or while loops are marked, a drag marks a loop.
(() => {
  "use strict";
  const grafx = (globalThis.grafx ??= {});
  const { h, s, printable } = grafx.dom;
  const { format } = grafx;

  // page: of app.js. options: {label, thin}
  function create(page, options) {
    const shape = s("path", { class: "wave-shape" });
    const svg = s("svg", { viewBox: "0 -128 1000 256", preserveAspectRatio: "none", "aria-hidden": "true", focusable: "false" },
      s("line", { class: "wave-axis", x1: 0, x2: 1000, y1: 0, y2: 0 }), shape);
    const played = h("div", { class: "wave-loop", hidden: true });
    const head = h("div", { class: "wave-head" });
    const element = h("div", { class: `wave${options.thin ? " wave-thin" : ""}`, tabindex: 0, role: "slider", "aria-label": options.label, "aria-valuemin": 0 }, svg, played, head);
    const ruler = options.thin ? null : h("div", { class: "wave-ruler", "aria-hidden": "true" });
    let said = null;

    function show(sound) {
      const { seconds } = page.model;
      element.setAttribute("aria-valuemax", seconds);
      shape.setAttribute("d", sound?.peaks?.length ? outline(sound, seconds) : "");
      element.classList.toggle("silent", !sound);
      if (ruler) ruler.replaceChildren(...marks(seconds));
    }

    function follow(time) {
      const share = page.model.seconds ? Math.min(1, time / page.model.seconds) : 0;
      head.style.left = `${(100 * share).toFixed(3)}%`;
      const whole = Math.round(time * 2) / 2;
      if (whole === said) return;
      said = whole;
      element.setAttribute("aria-valuenow", whole);
      element.setAttribute("aria-valuetext", format.spoken(whole));
    }

    function loop(region) {
      const known = region && region.end !== null;
      played.hidden = !known;
      if (!known) return;
      played.style.left = `${(100 * region.start) / page.model.seconds}%`;
      played.style.width = `${(100 * (region.end - region.start)) / page.model.seconds}%`;
    }

    const under = (event) => {
      const box = element.getBoundingClientRect();
      return page.model.seconds * Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
    };
    let from = null; // where a drag began: {time, marks}
    element.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      element.setPointerCapture(event.pointerId);
      from = { time: under(event), marks: event.shiftKey || page.marking };
      if (!from.marks) page.seek(from.time);
    });
    element.addEventListener("pointermove", (event) => {
      if (!from) return;
      const time = under(event);
      if (!from.marks) head.style.left = `${(100 * time) / page.model.seconds}%`;
      else loop(span(from.time, time));
    });
    element.addEventListener("pointerup", (event) => {
      if (!from) return;
      const { time, marks } = from;
      from = null;
      if (!marks) return page.seek(under(event));
      const region = span(time, under(event));
      page.setLoop(region.end - region.start >= 0.05 ? region : null);
    });
    element.addEventListener("pointercancel", () => ((from = null), loop(page.loop)));
    element.addEventListener("keydown", (event) => {
      const place = { Home: 0, End: page.model.seconds, PageUp: page.time + 10, PageDown: page.time - 10, ArrowUp: page.time + 1, ArrowDown: page.time - 1 }[event.key];
      if (place === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      page.seek(place);
    });

    return { element: ruler ? h("div", { class: "wave-block" }, element, ruler) : element, show, follow: (time) => from === null && follow(time), loop, label: (text) => element.setAttribute("aria-label", printable(text)) };
  }

  const span = (a, b) => ({ start: Math.min(a, b), end: Math.max(a, b) });

  function outline({ peaks, start, seconds }, whole) {
    const x = (i) => (((start + (seconds * i) / peaks.length) / whole) * 1000).toFixed(2);
    const upper = peaks.map(([, high], i) => `${i ? "L" : "M"}${x(i + 0.5)} ${-Math.max(high, 0.6)}`);
    const lower = peaks.map(([low], i) => `L${x(i + 0.5)} ${-Math.min(low, -0.6)}`).reverse();
    return `${upper.join("")}${lower.join("")}Z`;
  }

  function marks(seconds) {
    if (!seconds) return [];
    return grafx.scale.create({ low: 0, high: seconds }).ticks(8).map(({ value }) => {
      const mark = h("span", null, seconds < 60 ? `${format.number(value)} s` : format.time(value, 0));
      mark.style.left = `${(100 * value) / seconds}%`;
      return mark;
    });
  }

  grafx.wave = { create };
})();
