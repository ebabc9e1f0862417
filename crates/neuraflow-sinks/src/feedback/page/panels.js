// Numbers as text: the tiles, the tables of electrodes and latencies, the accounting, the markers, the alarm.

import { clock } from "./signals.js";

export const $ = (id) => document.getElementById(id);
const whole = new Intl.NumberFormat("en");

/** Writes only what has changed. */
export function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** A number with its unit set smaller. */
function big(id, text, unit = "") {
  const element = $(id);
  if (element.dataset.text === text + unit) return;
  element.dataset.text = text + unit;
  element.textContent = text;
  if (unit) {
    const small = document.createElement("u");
    small.textContent = unit;
    element.append(small);
  }
}

/** An element with text, within another. */
export function add(parent, tag, text = "", className = "") {
  const element = document.createElement(tag);
  element.textContent = text;
  if (className) element.className = className;
  parent.append(element);
  return element;
}

export const short = (value) => (value == null || !Number.isFinite(value) ? "–" : value === 0 ? "0" : Math.abs(value) >= 1000 ? whole.format(Math.round(value)) : Math.abs(value) < 0.001 ? value.toExponential(1) : String(Number(value.toPrecision(3))));
const millis = (micros) => (micros == null ? "–" : (micros / 1000).toFixed(micros < 9995 ? 2 : micros < 99950 ? 1 : 0));
export const unitOf = (unit) => (unit ?? "").replace(/uV/g, "µV").replace(/\^2/g, "²");
export const when = (timeNs) => clock(timeNs / 1e9, timeNs > 1e17);

/** How long something has lasted. */
export function span(seconds) {
  const s = Math.max(0, Math.floor(seconds));
  return s < 60 ? `${s} s` : s < 3600 ? `${Math.floor(s / 60)} min ${s % 60} s` : `${Math.floor(s / 3600)} h ${Math.floor(s / 60) % 60} min`;
}

/** What is known of each channel: quality, flags, power. */
export class Channels {
  constructor(names) {
    this.names = names;
    this.score = new Float32Array(names.length).fill(NaN);
    this.power = new Float64Array(names.length).fill(NaN);
    this.flags = [];
    this.raised = [];
    this.body = $("electrode-table").tBodies[0];
    this.body.textContent = "";
    this.rows = names.map((name) => {
      const row = add(this.body, "tr");
      add(row, "th", name).scope = "row";
      const quality = add(row, "td"), mark = add(quality, "i", "", "q"), score = add(quality, "span", "–");
      const flags = add(row, "td"), power = add(row, "td", "–", "n"), bar = add(add(row, "td"), "i", "", "meter");
      bar.style.transform = "scaleX(0)";
      return { mark, score, flags, power, bar };
    });
    this.index = new Map(names.map((name, i) => [name, i]));
  }

  quality(message, now) {
    const score = message.name === "quality";
    if (!score && this.flags.join() !== message.columns.join()) {
      this.flags = message.columns;
      this.raised = message.columns.map(() => new Float64Array(this.names.length).fill(-1e9));
    }
    message.rows.forEach((name, r) => {
      const channel = this.index.get(name), values = message.values[r];
      if (channel === undefined) return;
      if (score) this.score[channel] = values[0] ?? NaN;
      else values.forEach((value, f) => value > 0 && (this.raised[f][channel] = now));
    });
  }

  features(message, column) {
    message.rows.forEach((name, r) => {
      const channel = this.index.get(name);
      if (channel !== undefined) this.power[channel] = message.values[r][column] ?? NaN;
    });
  }

  grade(channel) {
    const score = this.score[channel];
    return score !== score ? "" : score >= 0.7 ? "good" : score >= 0.4 ? "fair" : "poor";
  }

  show(now, band, unit) {
    let most = 0, good = 0, known = 0, worst = -1;
    for (const power of this.power) if (power > most) most = power;
    this.top = most > this.top ? most : most + ((this.top || most) - most) * 0.9;
    this.rows.forEach((row, c) => {
      const grade = this.grade(c), score = this.score[c], power = this.power[c];
      if (grade) known++;
      if (grade === "good") good++;
      else if (grade && (worst < 0 || score < this.score[worst])) worst = c;
      if (row.mark.className !== `q ${grade}`) row.mark.className = `q ${grade}`;
      put(row.score, grade ? `${score.toFixed(2)}${grade === "good" ? "" : ` ${grade}`}` : "–");
      put(row.flags, this.flags.filter((_, f) => now - this.raised[f][c] < 1500).join(" "));
      put(row.power, short(power));
      const part = power > 0 && this.top > 0 ? Math.min(1, power / this.top) : 0;
      if (Math.abs((row.part ?? -1) - part) > 0.002) row.bar.style.transform = `scaleX(${(row.part = part).toFixed(3)})`;
    });
    const sorted = this.power.filter((v) => v === v).sort(), middle = sorted.length ? sorted[sorted.length >> 1] : NaN;
    put($("g-band-name"), band ? `${band[0].toUpperCase()}${band.slice(1)} power` : "Band power");
    big("g-band", short(middle), middle === middle ? unit : "");
    put($("power-head"), band ? `${band}, ${unit}` : "Power");
    big("g-good", known ? String(good) : "–", known ? `of ${known}` : "");
    const names = this.rows.flatMap((_, c) => (this.grade(c) === "poor" ? [this.names[c]] : []));
    const more = $("g-good-more");
    put(more, names.length ? `poor: ${names.slice(0, 5).join(" ")}${names.length > 5 ? ` and ${names.length - 5} more` : ""}` : worst >= 0 ? `weakest: ${this.names[worst]}` : known ? "none weak" : "");
    more.classList.toggle("warn", names.length > 0);
    this.summary = known ? `${good} of ${known} electrodes good${names.length ? `, poor: ${names.slice(0, 5).join(", ")}` : ""}. ` : "";
    if (middle === middle) this.summary += `Median ${band} power ${short(middle)} microvolts squared. `;
  }
}

const WINDOWS = ["complete", "gap", "partial"];
const SAMPLES = [["samples_in", "samples in"], ["windowed", "in windows"], ["late", "late"], ["duplicate", "duplicate"], ["rejected", "rejected"], ["dropped", "dropped"], ["lost", "lost"], ["imputed", "filled in"]];
const CONCERN = new Set(["gap", "late", "duplicate", "rejected", "dropped", "lost"]);

function count(list, key, name, value) {
  let item = list.querySelector(`[data-key=${key}]`);
  if (!item) {
    item = add(list, "div");
    item.dataset.key = key;
    add(item, "dt", name);
    add(item, "dd");
  }
  put(item.lastChild, value == null ? "–" : whole.format(value));
  item.classList.toggle("warn", value > 0 && CONCERN.has(key));
}

/** A `status` message: windows, samples, latencies. Gives a sentence for those who listen. */
export function showStatus(message) {
  const windows = message.windows ?? {}, total = WINDOWS.reduce((sum, key) => sum + (windows[key] ?? 0), 0);
  for (const key of WINDOWS) count($("windows"), key, key, windows[key]);
  for (const [key, name] of SAMPLES) count($("samples"), key, name, message.accounting?.[key]);
  [...$("share").children].forEach((part, i) => {
    const share = total ? (windows[WINDOWS[i]] ?? 0) / total : 0;
    part.style.width = share > 0 && i ? `max(3px, ${share * 100}%)` : `${share * 100}%`;
    part.style.flexShrink = i ? 0 : 1;
  });
  const share = total ? ((windows.complete ?? 0) / total) * 100 : NaN;
  big("g-windows", total ? (share === 100 ? "100" : Math.min(99.99, share).toFixed(2)) : "–", total ? "%" : "");
  const gaps = windows.gap ?? 0;
  put($("g-windows-more"), total ? `of ${whole.format(total)}${gaps ? `, ${whole.format(gaps)} with a gap` : ""}` : "");
  $("g-windows-more").classList.toggle("warn", gaps > 0);
  const body = $("latency").tBodies[0], parts = message.latency_us ?? {};
  const rows = ["wait", "delay", "compute", "output", "total"];
  if (!body.rows.length) for (const name of rows) {
    const row = add(body, "tr");
    add(row, "th", name[0].toUpperCase() + name.slice(1)).scope = "row";
    for (let i = 0; i < 4; i++) add(row, "td", "–", "n");
  }
  rows.forEach((name, r) => {
    const cells = body.rows[r].cells, part = parts[name];
    if (name === "delay") put(cells[1], message.group_delay_ms == null ? "–" : `${message.group_delay_ms.toFixed(1)} always`), (cells[1].colSpan = 4), [...cells].slice(2).forEach((cell) => cell.remove());
    else ["p50", "p99", "p999", "max"].forEach((key, i) => put(cells[i + 1], millis(part?.[key])));
  });
  const all = parts.total;
  big("g-latency", millis(all?.p99), all?.p99 == null ? "" : "ms");
  put($("g-latency-more"), all?.p50 == null ? "" : `half within ${millis(all.p50)}, worst ${millis(all.max)}`);
  return { total, windows, spoken: `${whole.format(total)} windows, ${gaps} with a gap. ${all?.p99 == null ? "" : `Latency ${millis(all.p99)} milliseconds for 99 percent. `}` };
}

export function showMarker(message, total) {
  const body = $("markers").tBodies[0], row = body.insertRow(0);
  add(row, "td", when(message.time_ns));
  add(row, "td", message.label);
  add(row, "td", message.duration_ns ? `${short(message.duration_ns / 1e9)} s` : "", "n");
  while (body.rows.length > 60) body.deleteRow(-1);
  put($("marker-count"), `${whole.format(total)} so far`);
}

export function showDecision(message) {
  $("g-decision-tile").hidden = false;
  put($("g-decision-name"), message.name ?? "Decision");
  const none = message.none ?? (message.intent == null ? "no reason given" : null);
  big("g-decision", none === null ? (typeof message.intent === "string" ? message.intent : JSON.stringify(message.intent)) : "none");
  put($("g-decision-more"), none !== null ? (typeof none === "string" ? none : JSON.stringify(none)) : message.confidence == null ? "" : `confidence ${Math.round(message.confidence * 100)} %`);
}

export const showState = (text) => big("g-state", text);

const WORDS = {
  stale: ["STALE: no signal", (s) => `for ${s}`],
  failed: ["FAILED", (s) => `${s} ago`],
  lost: ["CONNECTION LOST", (s) => `for ${s}`],
  ended: ["Recording ended", () => ""],
};

/** The band across the page. The seconds tick for the eye; a screen reader hears them every ten. */
export function showAlarm(state, seconds, why) {
  const box = $("alarm"), words = WORDS[state];
  if (!words) {
    if (box.firstChild) box.textContent = "";
    delete box.dataset.kind;
    return "";
  }
  if (box.dataset.kind !== state) {
    box.textContent = "";
    box.dataset.kind = state;
    const line = add(box, "div", "", state === "ended" ? "calm" : ""), strong = add(line, "strong", words[0]);
    const ticking = add(strong, "span", "", "ticking");
    ticking.ariaHidden = "true";
    ticking.style.fontSize = "inherit";
    add(strong, "span", "", "sr");
    add(line, "span", "", "why");
  }
  const [line] = box.children, [ticking, spoken] = line.firstChild.children;
  put(ticking, ` ${words[1](span(seconds))}`);
  if (state !== "ended") put(spoken, ` ${words[1](span(Math.floor(seconds / 10) * 10))}`);
  put(line.lastChild, why);
  return `${words[0]} ${words[1](span(seconds))}`;
}
