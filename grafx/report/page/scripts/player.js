// Plays any of the sounds from one position: what is chosen anew takes over in the same instant.
(() => {
  "use strict";
  const grafx = (globalThis.grafx ??= {});
  const FADE = 0.01; // seconds
  const AHEAD = 0.02; // seconds in which what takes over is made ready
  const BUDGET = 450e6; // bytes of decoded sounds that are kept though unused

  const available = () => typeof AudioContext === "function" && typeof OfflineAudioContext === "function";

  // load(key) → Promise<ArrayBuffer> of the encoded bytes, which decoding takes away.
  function create(model, load) {
    const buffers = new Map(); // key → {promise, buffer, peak, source}
    const listeners = new Map();
    let { sounds } = model;
    let context = null;
    let list = []; // [{key, gain}] of what is chosen
    let deck = null; // what is sounding
    let wanted = false; // to play, as soon as all is decoded
    let position = 0; // where we are while nothing sounds
    let loop = null; // {start, end}; all of a sound where end is null
    let turn = 0; // a later choice overtakes one that waits for its sounds
    let pending = null; // the last that waits: {list, done}

    const emit = (event, detail) => listeners.get(event)?.forEach((fn) => fn(detail));

    function makeContext() {
      try {
        return new AudioContext({ sampleRate: model.sample_rate, latencyHint: "interactive" });
      } catch {
        return new AudioContext(); // a rate that the browser cannot have
      }
    }

    // Sounds are decoded without the context that plays, which exists only once somebody has asked for it.
    function decoder() {
      try {
        return new OfflineAudioContext(1, 1, context?.sampleRate ?? model.sample_rate);
      } catch {
        return new OfflineAudioContext(1, 1, 48000);
      }
    }

    const decoded = (key) => {
      const known = buffers.get(key);
      return known && known.source === sounds[key]?.src ? known.buffer : null;
    };

    function fetchBuffer(key) {
      const known = buffers.get(key);
      if (known && known.source === sounds[key]?.src) {
        buffers.delete(key); // the last used is the last in the map
        buffers.set(key, known);
        return known.promise;
      }
      const entry = { source: sounds[key]?.src, buffer: null, peak: null, promise: null };
      entry.promise = (async () => {
        const bytes = await load(key);
        const buffer = await decoder().decodeAudioData(bytes);
        entry.buffer = buffer;
        entry.peak = peakOf(buffer);
        trim();
        return buffer;
      })();
      entry.promise.catch(() => buffers.get(key) === entry && buffers.delete(key));
      buffers.set(key, entry);
      return entry.promise;
    }

    function trim() {
      const used = new Set([...list, ...(deck?.list ?? [])].map((one) => one.key));
      const size = ({ buffer }) => (buffer ? buffer.length * buffer.numberOfChannels * 4 : 0);
      let spare = BUDGET;
      for (const [key, entry] of [...buffers].reverse()) {
        spare -= size(entry);
        if (spare < 0 && entry.buffer && !used.has(key)) buffers.delete(key);
      }
    }

    // Where all of what is chosen can be heard.
    function extent(keys = list) {
      const known = keys.map(({ key }) => sounds[key]).filter(Boolean);
      const start = Math.max(0, ...known.map((sound) => sound.start));
      const end = Math.min(model.seconds, ...known.map((sound) => sound.start + sound.seconds));
      return end > start ? { start, end } : { start: 0, end: model.seconds };
    }

    function bounds() {
      const whole = extent();
      if (!loop) return { ...whole, turning: false };
      const start = Math.max(whole.start, loop.start ?? 0);
      const end = Math.min(whole.end, loop.end ?? Infinity);
      return end - start > 0.02 ? { start, end, turning: true } : { ...whole, turning: true };
    }

    function positionAt(moment) {
      const { start, end, turning } = deck;
      const there = deck.position + Math.max(0, moment - deck.when);
      if (there < end) return there;
      return turning ? start + ((there - start) % (end - start)) : end;
    }

    const now = () => (deck && context ? positionAt(context.currentTime) : position);

    function startDeck(ready, from, when) {
      const { start, end, turning } = bounds();
      const fader = context.createGain();
      fader.connect(context.destination);
      const parts = list.map(({ key, gain }, i) => {
        const source = context.createBufferSource();
        const level = context.createGain();
        source.buffer = ready[i];
        level.gain.value = gain;
        source.connect(level).connect(fader);
        const own = sounds[key]?.start ?? 0;
        if (turning) {
          source.loop = true;
          source.loopStart = Math.max(0, start - own);
          source.loopEnd = Math.min(ready[i].duration, end - own);
          source.start(when, Math.max(0, from - own));
        } else {
          source.start(when, Math.max(0, from - own), Math.max(0, end - from));
        }
        return { source, level };
      });
      const made = { list, parts, fader, when, position: from, start, end, turning };
      if (parts.length) parts[0].source.onended = () => deck === made && finish();
      return made;
    }

    function stopDeck(old, when) {
      if (!old) return;
      old.fader.gain.setValueAtTime(1, when);
      old.fader.gain.linearRampToValueAtTime(0, when + FADE);
      for (const { source } of old.parts) {
        source.onended = null;
        source.stop(when + FADE);
      }
      old.parts.at(-1)?.source.addEventListener("ended", () => old.fader.disconnect(), { once: true });
      if (!old.parts.length) old.fader.disconnect();
    }

    function finish() {
      position = deck.start;
      deck.fader.disconnect();
      deck = null;
      wanted = false;
      emit("state");
    }

    // What is chosen begins, and what sounded until now ends, at one moment and one position; at once, if it is decoded.
    function begin() {
      overtake();
      if (list.every(({ key }) => decoded(key))) return Promise.resolve(takeOver());
      const waiting = { list, done: null };
      pending = waiting;
      waiting.done = whenDecoded(turn).finally(() => pending === waiting && (pending = null));
      return waiting.done;
    }

    async function whenDecoded(mine) {
      try {
        emit("waiting", true);
        await Promise.all(list.map(({ key }) => fetchBuffer(key)));
      } catch (error) {
        if (mine === turn) {
          stop();
          emit("error", error);
        }
        return false;
      } finally {
        if (mine === turn) emit("waiting", false);
      }
      return mine === turn && wanted && takeOver();
    }

    function takeOver() {
      const when = context.currentTime + AHEAD;
      change(when, enter(deck ? positionAt(when) : position));
      trim();
      emit("state");
      return true;
    }

    function change(when, from) {
      const next = startDeck(list.map(({ key }) => decoded(key)), from, when);
      if (deck) {
        next.fader.gain.setValueAtTime(0, when);
        next.fader.gain.linearRampToValueAtTime(1, when + FADE);
      }
      stopDeck(deck, when);
      deck = next;
    }

    // The position itself, or the start of what can be heard where it lies outside.
    function enter(place) {
      const { start, end, turning } = bounds();
      if (place >= start && place < end - (turning ? 0 : 1e-3)) return place;
      if (place < start || place > end || turning) emit("moved", { start, end });
      return start;
    }

    function stop() {
      position = now();
      if (deck) stopDeck(deck, context.currentTime);
      deck = null;
      wanted = false;
      emit("state");
    }

    async function play() {
      if (!list.length) return false;
      context ??= makeContext();
      wanted = true;
      emit("state");
      if (context.state !== "running") await context.resume();
      return begin();
    }

    function pause() {
      overtake();
      stop();
    }

    function seek(seconds) {
      const place = Math.min(model.seconds, Math.max(0, seconds));
      if (deck && !pending) {
        change(context.currentTime + AHEAD, enter(place));
      } else {
        if (deck) stopDeck(deck, context.currentTime); // what waits for its sounds begins there
        deck = null;
        position = place;
      }
      emit("time");
    }

    // keys: [{key, gain}], all heard at once. The same keys with other gains only change their levels.
    function choose(keys) {
      list = keys.map(({ key, gain = 1 }) => ({ key, gain }));
      if (!wanted) {
        position = enter(position);
        emit("time");
        return Promise.resolve(false);
      }
      if (deck && !deck.stale && same(list, deck.list)) {
        overtake();
        const moment = context.currentTime;
        deck.parts.forEach(({ level }, i) => {
          level.gain.cancelScheduledValues(moment);
          level.gain.setValueAtTime(level.gain.value, moment);
          level.gain.linearRampToValueAtTime(list[i].gain, moment + FADE);
        });
        deck.list = list;
        return Promise.resolve(true);
      }
      if (pending && same(list, pending.list)) return pending.done;
      return list.length ? begin() : (stop(), Promise.resolve(false));
    }

    // What waits for its sounds is no longer wanted.
    function overtake() {
      turn += 1;
      if (pending) emit("waiting", false);
      pending = null;
    }

    function setLoop(region) {
      loop = region;
      const when = deck ? context.currentTime + AHEAD : 0;
      if (deck && !pending) change(when, enter(positionAt(when)));
      else if (!deck && loop) position = enter(position);
      emit("loop");
    }

    // Another model of the same song: what sounds goes on where it is, with the new sounds.
    function update(other) {
      const changed = list.some(({ key }) => other.sounds[key]?.src !== sounds[key]?.src);
      if (changed && deck) deck.stale = true;
      ({ sounds } = other);
      model = other;
      for (const key of buffers.keys()) if (!sounds[key]) buffers.delete(key);
      list = list.filter(({ key }) => sounds[key]);
      return changed && wanted ? begin() : Promise.resolve(false);
    }

    function reload(key) {
      buffers.delete(key);
      return wanted && list.some((one) => one.key === key) ? begin() : Promise.resolve(false);
    }

    return {
      play,
      pause,
      seek,
      choose,
      reload,
      update,
      setLoop,
      fetch: fetchBuffer,
      peak: (key) => buffers.get(key)?.peak ?? null,
      on: (event, fn) => listeners.set(event, [...(listeners.get(event) ?? []), fn]),
      get time() { return now(); },
      get playing() { return wanted; },
      get sounding() { return deck !== null; },
      get loop() { return loop; },
      get extent() { return extent(); },
      get chosen() { return list.map((one) => ({ ...one })); },
    };
  }

  const same = (a, b) => a.length === b.length && a.every(({ key }, i) => key === b[i].key);

  function peakOf(buffer) {
    let peak = 0;
    for (let c = 0; c < buffer.numberOfChannels; c += 1) {
      const samples = buffer.getChannelData(c);
      for (let i = 0; i < samples.length; i += 1) {
        const size = Math.abs(samples[i]);
        if (size > peak) peak = size;
      }
    }
    return peak;
  }

  grafx.player = { create, available };
})();
