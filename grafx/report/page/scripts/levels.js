// What can be heard, and how loud: two sounds that are compared have one loudness, and neither clips.
(() => {
  "use strict";
  const grafx = (globalThis.grafx ??= {});
  const { format } = grafx;
  const TRACKS = [["mix", "Mix"], ["target", "Target"], ["difference", "Difference"]];
  const ENDS = { out: "output", in: "input", adds: "what it adds" };

  const endName = (end) => ENDS[end] ?? `outlet ${end}`;
  const nodeChoice = (id, end) => `node:${id}:${end}`;

  const tracks = (model) => TRACKS.filter(([id]) => has(model, model.tracks?.[id])).map(([id, label]) => ({ id, label }));
  const stems = (model) => (model.tracks?.stems ?? []).filter(({ solo }) => has(model, solo));
  const ends = (model, node) => Object.entries(node?.sounds ?? {}).filter(([, key]) => has(model, key)).map(([end]) => end);

  function has(model, key) {
    return key !== null && key !== undefined && Object.hasOwn(model.sounds, key);
  }

  // {id, label, keys, on, lufs, peak}, or null where the model has no such sound. `audible` says which stems are on.
  function choice(model, id, audible = []) {
    if (id === "stems") {
      const all = stems(model);
      if (!all.length) return null;
      const on = all.map((_, i) => audible[i] ?? true);
      const whole = on.every(Boolean);
      const names = all.filter((_, i) => on[i]).map(({ name }) => name);
      const label = whole ? "All stems" : names.length ? names.join(" + ") : "No stem";
      return { id, label, keys: all.map(({ solo }) => solo), on, lufs: null, whole };
    }
    const track = TRACKS.find(([name]) => name === id);
    if (track) return single(model, id, track[1], model.tracks?.[id]);
    const [, node, end] = /^node:([^:]*):(.*)$/s.exec(id) ?? [];
    const about = model.nodes[node];
    return about ? single(model, id, `${about.label}: ${endName(end)}`, about.sounds[end]) : null;
  }

  function single(model, id, label, key) {
    return has(model, key) ? { id, label, keys: [key], on: [true], lufs: model.sounds[key].lufs } : null;
  }

  // The gain of each of the compared, which are at most two. `peak(key)` is that of the decoded sound, where known.
  function gains(model, compared, match, peak) {
    const peaks = compared.map((one) => highest(model, one, peak));
    const mix = choice(model, "mix");
    // Stems play at the level that they have in the mix, so that one alone is as loud as it is among the others.
    const loud = compared.map((one) => (one.id === "stems" ? (mix?.lufs ?? null) : one.lufs));
    const known = loud.filter((lufs) => lufs !== null);
    if (!match || !known.length) return compared.map(() => Math.min(1, ...peaks.map((p) => 1 / p)));
    const ceiling = compared.map((_, i) => (loud[i] === null ? Infinity : loud[i] - format.decibel(peaks[i])));
    const level = Math.min(Math.max(...known), ...ceiling);
    return compared.map((_, i) => (loud[i] === null ? Math.min(1, 1 / peaks[i]) : format.gain(level - loud[i])));
  }

  function highest(model, one, peak) {
    const keys = one.keys.filter((_, i) => one.on[i]);
    if (one.whole && has(model, model.tracks.mix)) return highest(model, { keys: [model.tracks.mix], on: [true] }, peak);
    if (keys.length === 1) return Math.max(1e-4, peak(keys[0]) ?? model.sounds[keys[0]].peak ?? drawnPeak(model.sounds[keys[0]]));
    return Math.max(1e-4, sumPeak(keys.map((key) => model.sounds[key])));
  }

  const extreme = ([low, high]) => (Math.max(Math.abs(low), Math.abs(high)) + 0.5) / 127;
  const drawnPeak = (sound) => (sound.peaks ?? []).reduce((most, pair) => Math.max(most, extreme(pair)), 0);

  // No sum of sounds is higher than the sum of what each reaches meanwhile.
  function sumPeak(sounds) {
    const count = Math.min(...sounds.map((sound) => sound.peaks?.length ?? 0));
    if (!Number.isFinite(count) || !count) return sounds.length;
    let most = 0;
    for (let i = 0; i < count; i += 1) most = Math.max(most, sounds.reduce((sum, sound) => sum + extreme(sound.peaks[i]), 0));
    return most;
  }

  grafx.levels = { choice, gains, tracks, stems, ends, endName, nodeChoice };
})();
