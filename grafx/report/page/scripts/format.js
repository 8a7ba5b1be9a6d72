// Numbers as people read them.
(() => {
  "use strict";
  const grafx = (globalThis.grafx ??= {});
  const MINUS = "−";

  function number(value, digits = 3) {
    if (value === null || value === undefined || !Number.isFinite(value)) return "–";
    const size = Math.abs(value);
    const text = size !== 0 && (size >= 1e6 || size < 1e-4) ? value.toExponential(2) : String(Number(value.toPrecision(digits)));
    return text.replace(/-/g, MINUS);
  }

  function fixed(value, places) {
    const text = value.toFixed(places);
    return Number(text) === 0 ? (0).toFixed(places) : text.replace("-", MINUS);
  }

  const signed = (value, places = 1) => (Number(value.toFixed(places)) > 0 ? "+" : "") + fixed(value, places);

  // 1:04.5
  function time(seconds, places = 1) {
    const scale = 10 ** places;
    const all = Math.floor(Math.max(0, seconds) * scale + 1e-6);
    const minutes = Math.floor(all / (60 * scale));
    const rest = ((all - minutes * 60 * scale) / scale).toFixed(places);
    return `${minutes}:${rest.padStart(places ? places + 3 : 2, "0")}`;
  }

  function spoken(seconds) {
    const minutes = Math.floor(seconds / 60);
    const rest = `${Number((seconds - 60 * minutes).toFixed(1))} seconds`;
    return minutes ? `${minutes} minutes ${rest}` : rest;
  }

  // 1500 → 1.5k, as on the scales of equalizers
  function short(value, digits = 3) {
    const size = Math.abs(value);
    if (size >= 1e6) return `${number(value / 1e6, digits)}M`;
    return size >= 1000 ? `${number(value / 1000, digits)}k` : number(value, digits);
  }

  function measured(value, unit) {
    const text = unit === "Hz" && Math.abs(value) >= 1000 ? `${number(value / 1000)} k` : `${number(value)} `;
    return unit ? text + unit : text.trim();
  }

  const decibel = (gain) => 20 * Math.log10(gain);
  const gain = (db) => 10 ** (db / 20);

  grafx.format = { number, fixed, signed, time, spoken, short, measured, decibel, gain };
})();
