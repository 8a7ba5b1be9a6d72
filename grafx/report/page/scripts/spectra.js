// Spectrograms of mix, target and difference, over one axis of time.
(() => {
  "use strict";
  const grafx = (globalThis.grafx ??= {});
  const { h } = grafx.dom;
  const { format } = grafx;
  const NAMES = { mix: "Mix", target: "Target", difference: "Difference: mix − target" };
  // Colours of the maps at even steps, for the key beside the picture.
  const MAPS = {
    magma: ["#000004", "#221150", "#5f187f", "#982d80", "#d3436e", "#f8765c", "#febb81", "#fcfdbf"],
    inferno: ["#000004", "#280b53", "#65156e", "#9f2a63", "#d44842", "#f57d15", "#fac127", "#fcffa4"],
    viridis: ["#440154", "#46327e", "#365c8d", "#277f8e", "#1fa187", "#4ac16d", "#a0da39", "#fde725"],
    cividis: ["#00224e", "#123570", "#3b496c", "#575d6d", "#707173", "#8a8678", "#a59c74", "#fee838"],
    RdBu: ["#67001f", "#c94741", "#f7b799", "#f7f7f7", "#a7d0e4", "#3783bb", "#053061"],
    RdBu_r: ["#053061", "#3783bb", "#a7d0e4", "#f7f7f7", "#f7b799", "#c94741", "#67001f"],
    coolwarm: ["#3b4cc0", "#7b9ff9", "#c0d4f5", "#dddcdc", "#f2cbb7", "#ee8468", "#b40426"],
  };

  function create(page) {
    const place = document.querySelector("#spectra .part-body");
    if (!place) return { update() {} };
    let heads = [];
    const build = () => {
      const drawn = Object.keys(NAMES).filter((name) => page.model.spectrograms?.[name]).map((name) => one(page, name, page.model.spectrograms[name]));
      heads = drawn.map(({ head }) => head);
      place.replaceChildren(...drawn.map(({ element }) => element));
    };
    page.follow((time) => heads.forEach((head) => head(time)));
    build();
    return { update: build };
  }

  function one(page, name, what) {
    const y = grafx.scale.create({ low: what.low_hz, high: what.high_hz, scale: what.scale });
    const whole = what.seconds || page.model.seconds;
    const image = h("img", { alt: `Spectrogram of the ${name}, ${format.measured(what.low_hz, "Hz")} to ${format.measured(what.high_hz, "Hz")}`, src: safe(what.src), draggable: "false" });
    const line = h("div", { class: "wave-head" });
    const readout = h("output", { class: "plot-readout", "aria-live": "off" });
    const field = h("div", { class: "spectrum-field" }, image, line);
    const under = (event) => {
      const box = field.getBoundingClientRect();
      return [(whole * (event.clientX - box.left)) / box.width, y.value(1 - (event.clientY - box.top) / box.height)];
    };
    field.addEventListener("pointermove", (event) => {
      const [time, hertz] = under(event);
      readout.textContent = `${format.time(time)}, ${format.measured(hertz, "Hz")}`;
    });
    field.addEventListener("pointerleave", () => (readout.textContent = ""));
    if (page.player) {
      field.classList.add("seekable");
      field.addEventListener("click", (event) => page.seek(under(event)[0]));
    }
    const marks = [...y.ticks(6).filter(({ named }) => named), ...(what.scale === "mel" ? melMarks(what) : [])];
    const scale = h("div", { class: "spectrum-scale", "aria-hidden": "true" }, marks.map(({ value }) => {
      const mark = h("span", null, format.short(value));
      mark.style.bottom = `${100 * y.place(value)}%`;
      return mark;
    }));
    const element = h("figure", { class: "spectrum", "data-spectrum": name },
      h("figcaption", null, NAMES[name], key(what)), h("div", { class: "spectrum-frame" }, scale, field), readout);
    return { element, head: (time) => (line.style.left = `${(100 * Math.min(1, time / whole)).toFixed(3)}%`) };
  }

  const melMarks = ({ low_hz, high_hz }) => [100, 500, 1000, 2000, 5000, 10000].filter((v) => v > low_hz && v < high_hz * 0.95).map((value) => ({ value }));

  // Pictures come from the page itself, never from an address.
  const safe = (src) => (/^data:image\/(png|webp|jpeg);base64,/.test(src) ? src : null);

  function key(what) {
    const colours = MAPS[what.map];
    if (!colours || what.low_db === undefined) return null;
    const bar = h("span", { class: "spectrum-bar" });
    bar.style.background = `linear-gradient(to right, ${colours.join(", ")})`;
    return h("span", { class: "spectrum-key" }, `${format.number(what.low_db)} dB`, bar, `${format.number(what.high_db)} dB`);
  }

  grafx.spectra = { create };
})();
