// The live page: what is chosen (kept in the address), what arrives, and one loop that draws.
//
// For tests and other readers, <html> carries data-state (connecting, waiting, live, stale, ended, failed, lost, absent),
// data-seq, data-windows (seen by this page), data-skipped, data-reconnects and data-fps.

import { Link } from "./socket.js";
import { Signals, clock } from "./signals.js";
import { HeadMap, plain } from "./headmap.js";
import { $, Channels, add, put, short, showAlarm, showDecision, showMarker, showState, showStatus, unitOf, when } from "./panels.js";

const root = document.documentElement, TEN_TWENTY = new Set("FP1 FP2 F7 F3 FZ F4 F8 T7 C3 CZ C4 T8 P7 P3 PZ P4 P8 O1 O2".split(" "));
const NAMES = { connecting: "Connecting", waiting: "Waiting", live: "Live", stale: "Stale", ended: "Ended", failed: "Failed", lost: "Lost", absent: "No session" };
const calmMotion = matchMedia("(prefers-reduced-motion: reduce)");

/** What is chosen; "" is "as it comes". */
const chosen = { session: "", stream: "", signal: "", band: "", channels: "", seconds: "10", scale: "0", motion: "auto", theme: "auto", keys: "on" };
const preset = { ...chosen };

let state = "connecting", why = "", since = performance.now(), heardWindow = 0, retryAt = 0;
let streams = [], stream = null, channels = null, drawnRows = [], bands = [], unit = "µV²", windows = 0, markers = 0, lastTime = null, spoken = "", told = null;
let mapDue = false, mapAt = 0, textAt = 0, spokenAt = 0, frames = 0, framesAt = 0, titled = "";
const names = new Set(), values = {};

const signals = new Signals($("trace"), $("gutter")), map = new HeadMap($("map"));
signals.mark = (channel) => channels?.grade(channel) ?? "";

// ---- the address -------------------------------------------------------------------------------------------------

function readAddress() {
  const asked = new URLSearchParams(location.hash.slice(1));
  for (const key of Object.keys(chosen)) chosen[key] = asked.get(key) ?? preset[key];
}

function writeAddress() {
  const parts = new URLSearchParams();
  for (const [key, value] of Object.entries(chosen)) if (value !== preset[key]) parts.set(key, value);
  const hash = parts.toString().replace(/%2C/g, ",");
  if (hash !== location.hash.slice(1)) history.replaceState(null, "", hash ? `#${hash}` : location.pathname);
}

function choose(key, value) {
  chosen[key] = value;
  writeAddress();
  if (key === "session") link.join(value);
  apply();
}

// ---- what is chosen, put into effect ------------------------------------------------------------------------------

function options(id, list, value, text = (v) => v) {
  const select = $(id), key = list.join("\n");
  if (select.dataset.list !== key) {
    select.dataset.list = key;
    select.textContent = "";
    for (const item of list) add(select, "option", text(item)).value = item;
  }
  if (select.value !== value) select.value = value;
  select.disabled = list.length < 2;
}

function apply() {
  root.dataset.theme = chosen.theme;
  put($("theme"), `Theme: ${chosen.theme}`);
  $("keys-on").checked = chosen.keys !== "off";
  stream = streams.find((one) => one.name === chosen.stream) ?? streams[0] ?? null;
  options("stream", streams.map((one) => one.name), stream?.name ?? "");
  if (stream && channels?.names.join("\n") !== stream.channels.join("\n")) {
    channels = new Channels(stream.channels);
    map.channels(stream.channels);
    put($("aside"), map.aside.length ? `· no known position: ${map.aside.map((c) => stream.channels[c]).join(" ")}` : "");
    $("channel-list").textContent = "";
    stream.channels.forEach((name) => {
      const label = add($("channel-list"), "label", "", "check"), box = add(label, "input");
      box.type = "checkbox";
      box.value = name;
      label.append(name);
    });
    bands = [];
  }
  if (stream && told?.stream !== stream.name) {
    told = { stream: stream.name };
    signals.clear();
    lastTime = null;
    names.clear();
  }
  if (stream) {
    drawnRows = pickRows();
    const drawn = new Set(drawnRows.map((c) => stream.channels[c]));
    for (const box of $("channel-list").querySelectorAll("input")) box.checked = drawn.has(box.value);
    put($("channels").firstElementChild, `Channels: ${drawn.size} of ${stream.channels.length}`);
    // So many channels that most will not be looked at are not sent in the first place.
    const many = stream.channels.length > 128;
    link.ask(many ? { channels: [...drawn] } : null);
    signals.channels(many ? stream.channels.filter((name) => drawn.has(name)) : stream.channels, many ? drawnRows.map((_, i) => i) : drawnRows);
    signals.mark = (row) => channels.grade(many ? drawnRows[row] : row);
  }
  chooseSignal();
  chooseBand();
  signals.seconds = Math.min(30, Math.max(1, Number(chosen.seconds) || 10));
  signals.fixed = Math.max(0, Number(chosen.scale) || 0);
  signals.sweep = chosen.motion === "sweep" || (chosen.motion === "auto" && calmMotion.matches);
  $("seconds").value = chosen.seconds;
  $("motion").value = chosen.motion;
  $("scale").value = chosen.scale;
  colour();
  signals.stale = true;
  mapDue = true;
}

// Names in a list with commas: those in the names themselves are written otherwise.
const listed = (name) => name.replaceAll("%", "%25").replaceAll(",", "%2C"), unlisted = (text) => text.replaceAll("%2C", ",").replaceAll("%25", "%");

/** The channels to draw: those asked for; else all, or on a narrow screen the 10-20 ones of many; never more than 64. */
function pickRows() {
  const all = stream.channels.map((_, c) => c);
  if (chosen.channels === "none") return [];
  const asked = chosen.channels === "all" || chosen.channels === "" ? null : new Set(chosen.channels.split(",").map(unlisted));
  const few = all.filter((c) => TEN_TWENTY.has(plain(stream.channels[c])));
  if (chosen.channels === "1020" || (!chosen.channels && innerWidth < 700 && all.length > 24 && few.length > 7)) return few;
  return all.filter((c) => !asked || asked.has(stream.channels[c])).slice(0, 64);
}

function chooseSignal() {
  const list = [...names].sort(), old = signals.name;
  signals.name = names.has(chosen.signal) ? chosen.signal : (list.find((name) => name === "filtered") ?? list[0] ?? "");
  options("signal", list, signals.name);
  if (old !== signals.name) signals.clear();
  signals.centred = signals.name === "raw";
  put($("offset-note"), signals.centred ? "· raw: the slow offset is left out of the drawing" : "");
}

function chooseBand() {
  const list = bands.map((band) => band.key), band = bands.find((one) => one.key === chosen.band) ?? bands.find((one) => one.column === "alpha") ?? bands[0];
  options("band", list, band?.key ?? "", (key) => bands.find((one) => one.key === key)?.column ?? key);
  if (values.band !== band?.key) {
    values.band = band?.key;
    map.low = map.high = NaN;
    map.hold = false;
    $("hold").checked = false;
    if (channels) channels.top = 0;
    channels?.power.fill(NaN);
  }
  values.source = band;
}

function colour() {
  const probe = document.createElement("i"), colours = {};
  document.body.append(probe);
  for (const name of ["panel", "ink", "mute", "line", "accent", "trace", "trace2", "grid", "gap", "hole", "hatch", "marker", "warn", "bad"]) {
    probe.style.color = `var(--${name})`;
    colours[name] = getComputedStyle(probe).color;
  }
  probe.remove();
  signals.colours = colours;
  signals.stale = mapDue = true;
}

// ---- what arrives -------------------------------------------------------------------------------------------------

function enter(next, reason = "") {
  if (next === "stale" && state !== "stale") since = Math.min(performance.now(), heardWindow || performance.now());
  else if (next !== state) since = performance.now();
  if (next !== state) {
    spokenAt = 0;
    if (!["stale", "failed", "lost"].includes(next)) put($("speak"), `${NAMES[next]}.`);
  }
  state = next;
  why = reason;
  root.dataset.state = next;
  textAt = 0;
}

function forget() {
  signals.clear();
  markers = 0;
  lastTime = null;
  $("markers").tBodies[0].textContent = "";
  put($("marker-count"), "");
}

const link = new Link({
  message(message) {
    const now = performance.now();
    root.dataset.seq = link.lastSeq;
    switch (message.kind) {
      case "hello":
        streams = message.streams ?? [];
        enter(message.state, message.why ?? "");
        apply();
        return;
      case "status":
        if (message.streams && JSON.stringify(message.streams) !== JSON.stringify(streams)) {
          streams = message.streams;
          apply();
        }
        if (state === "lost" || message.state !== state || (message.why ?? "") !== why) enter(message.state, message.why ?? "");
        spoken = showStatus(message).spoken;
        return;
      case "signal":
        heardWindow = now;
        if (message.stream !== stream?.name) return;
        if (!names.has(message.name)) {
          names.add(message.name);
          chooseSignal();
        }
        if (message.name !== signals.name) return;
        windows++;
        lastTime = message.time_ns;
        signals.push(message, now);
        return;
      case "features":
        heardWindow = now;
        if (message.stream !== stream?.name) return;
        learn(message);
        if (values.source?.name !== message.name) return;
        unit = unitOf(message.unit);
        channels.features(message, message.columns.indexOf(values.source.column));
        lastTime ??= message.time_ns;
        mapDue = true;
        return;
      case "quality":
        heardWindow = now;
        if (message.stream === stream?.name) channels.quality(message, now);
        return;
      case "decision":
        heardWindow = now;
        if (message.stream === stream?.name) showDecision(message);
        return;
      case "marker":
        if (message.stream !== stream?.name) return;
        signals.marker(message.time_ns, message.label);
        showMarker(message, ++markers);
    }
  },
  lost(reason, wait) {
    retryAt = performance.now() + wait;
    if (state === "absent") return;
    // After the end a server goes, and that is no alarm.
    if (state === "ended" || state === "failed") return;
    if (state !== "lost") enter("lost", reason);
  },
  refused(reason) {
    enter("absent", reason);
    sessions();
  },
  restarted: forget,
});

/** Bands are the columns of any features; their key has the features' name where there are several. */
function learn(message) {
  let fresh = false;
  for (const column of message.columns) {
    if (bands.some((band) => band.name === message.name && band.column === column)) continue;
    bands.push({ name: message.name, column, key: bands.some((band) => band.column === column) ? `${message.name}: ${column}` : column });
    fresh = true;
  }
  if (fresh) chooseBand();
}

async function sessions() {
  try {
    const list = await (await fetch("sessions")).json(), found = list.map((one) => one.session);
    const want = found.includes(chosen.session) ? chosen.session : chosen.session || found[0];
    options("session", want && !found.includes(want) ? [want, ...found] : found, want ?? "");
    if (want && link.session !== want) link.join(want);
    else if (!want) enter("absent", "the server runs no session yet");
  } catch {
    if (!link.session) enter("lost", "the server is not answering");
  }
}

// ---- the loop -----------------------------------------------------------------------------------------------------

function frame(now) {
  requestAnimationFrame(frame);
  frames++;
  signals.frame(now);
  if (mapDue && now - mapAt > 100 && channels) {
    mapAt = now;
    mapDue = false;
    const band = values.source?.column ?? "";
    map.draw(channels.power, unit, grade, signals.colours, band ? `${band} power, ${unit}` : "");
  }
  if (now - textAt > 250) {
    textAt = now;
    text(now);
  }
}
const grade = (channel) => channels.grade(channel);

/** Numbers as text, four times a second. */
function text(now) {
  if (now - framesAt > 1000) {
    root.dataset.fps = Math.round((frames * 1000) / (now - framesAt));
    frames = 0;
    framesAt = now;
    signals.autoscale();
    if (signals.count && !signals.stale) signals.labels();
    table();
  }
  showState(NAMES[state] ?? state);
  const seconds = (now - since) / 1000;
  const again = state === "lost" ? `${why}. ${link.socket ? "Connecting…" : `Trying again in ${Math.max(0, Math.ceil((retryAt - now) / 1000))} s.`} What is shown below is old.` : why;
  const headline = showAlarm(state, seconds, state === "ended" ? `${windows ? `${windows.toLocaleString("en")} windows seen here. ` : ""}The numbers below are final.` : again);
  put($("g-clock"), state === "absent" ? why : lastTime === null ? (state === "waiting" ? "for the first packet" : "") : `at ${when(lastTime)}${lastTime > 1e17 ? " UTC" : ""}`);
  channels?.show(now, values.source?.column ?? "", unit);
  put($("foot"), `${stream ? `${stream.channels.length} channels at ${short(stream.sampling_rate)} Hz. ` : ""}${link.skipped ? `${link.skipped.toLocaleString("en")} messages skipped. ` : ""}${link.reconnects ? `Reconnected ${link.reconnects} times. ` : ""}${root.dataset.fps ?? 0} frames/s.`);
  put($("client-note"), link.skipped ? `This page skipped ${link.skipped.toLocaleString("en")} messages: it was away or too slow. The pipeline lost nothing by it.` : "This page skipped no message.");
  const nothing = $("nothing"), empty = !signals.count ? "No signal yet" : !drawnRows.length ? "No channel is chosen" : "";
  nothing.hidden = !empty;
  put(nothing, empty);
  Object.assign(root.dataset, { windows, skipped: link.skipped, reconnects: link.reconnects });
  const title = headline && state !== "ended" ? `⚠ ${headline}` : `${NAMES[state] ?? state} · NeuraFlow`;
  if (title !== titled) document.title = titled = title;
  if (now - spokenAt > 30000 && state === "live") {
    if (spokenAt) speak();
    spokenAt = now;
  }
}

const speak = () => put($("speak"), `${NAMES[state]}. ${channels?.summary ?? ""}${spoken}`);

const range = [0, 0];
function table() {
  const body = $("signal-table").querySelector("tbody");
  // A session that is opened again has no stream at first.
  if (!stream || !$("signal-table").open) return;
  while (body.rows.length > drawnRows.length) body.deleteRow(-1);
  drawnRows.forEach((channel, r) => {
    let row = body.rows[r];
    if (!row) {
      row = add(body, "tr");
      add(row, "th").scope = "row";
      add(row, "td");
      add(row, "td");
    }
    signals.range(signals.rows[r], 1, range);
    put(row.cells[0], stream.channels[channel]);
    put(row.cells[1], short(range[0]));
    put(row.cells[2], short(range[1]));
  });
}

// ---- hands --------------------------------------------------------------------------------------------------------

function step(id, by) {
  const select = $(id), list = [...select.options], at = list.findIndex((option) => option.value === select.value);
  const next = list[Math.min(list.length - 1, Math.max(0, at + by))];
  if (next) choose(id, next.value);
}
function cycle(id) {
  const select = $(id), list = [...select.options].map((option) => option.value);
  if (list.length > 1) choose(id, list[(list.indexOf(select.value) + 1) % list.length]);
}
function pause() {
  signals.paused = !signals.paused;
  $("pause").ariaPressed = signals.paused;
  put($("pause"), signals.paused ? "Paused" : "Pause");
}
function zoom(direction) {
  signals.zoom(direction);
  choose("scale", String(signals.fixed));
}
const themes = ["auto", "light", "dark"], theme = () => choose("theme", themes[(themes.indexOf(chosen.theme) + 1) % 3]);

for (const id of ["session", "stream", "signal", "band", "seconds", "scale", "motion"]) $(id).addEventListener("change", (event) => choose(id, event.target.value));
for (const step of [5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000]) add($("scale"), "option", `${step} µV`).value = step;
$("channel-list").addEventListener("change", () => {
  if (!stream) return;
  const on = [...$("channel-list").querySelectorAll(":checked")].map((box) => box.value);
  choose("channels", !on.length ? "none" : on.length === stream.channels.length ? "all" : on.map(listed).join(","));
});
$("channels").addEventListener("click", (event) => event.target.dataset.pick && choose("channels", event.target.dataset.pick));
$("channels").addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  $("channels").open = false;
  $("channels").firstElementChild.focus();
});
document.addEventListener("pointerdown", (event) => event.target.closest("#channels") || ($("channels").open = false));
$("pause").addEventListener("click", pause);
$("theme").addEventListener("click", theme);
$("hold").addEventListener("change", (event) => (map.hold = event.target.checked));
$("help-open").addEventListener("click", () => $("help").showModal());
$("keys-on").addEventListener("change", (event) => choose("keys", event.target.checked ? "on" : "off"));

const KEYS = { " ": pause, "+": () => zoom(-1), "=": () => zoom(-1), "-": () => zoom(1), "−": () => zoom(1), 0: () => choose("scale", "0"), "[": () => step("seconds", -1), "]": () => step("seconds", 1), b: () => cycle("band"), r: () => cycle("signal"), n: () => cycle("stream"), a: speak, t: theme, "?": () => $("help").showModal() };
addEventListener("keydown", (event) => {
  if (chosen.keys === "off" || event.ctrlKey || event.metaKey || event.altKey || $("help").open) return;
  if (event.target.closest("input, select, textarea") || (event.key === " " && event.target.closest("button, summary, a, .scroll"))) return;
  const act = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!act) return;
  event.preventDefault();
  act();
});

addEventListener("hashchange", () => {
  const before = chosen.session;
  readAddress();
  if (chosen.session && chosen.session !== before) link.join(chosen.session);
  apply();
});
calmMotion.addEventListener("change", apply);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", colour);
let wide = innerWidth;
new ResizeObserver(() => {
  signals.resize();
  mapDue = true;
  if (wide !== innerWidth && (wide = innerWidth) && stream) apply();
}).observe($("scope"));
new ResizeObserver(() => (mapDue = true)).observe($("map"));

readAddress();
apply();
signals.resize();
sessions();
setInterval(() => (link.session === null || state === "absent" ? sessions() : 0), 2000);
requestAnimationFrame(frame);
