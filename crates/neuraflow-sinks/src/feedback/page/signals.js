// The scrolling signals. Envelopes go into a ring of typed arrays, and are drawn once, onto a strip that is used in a
// circle; a frame only copies the strip to the screen. Time runs in seconds since the first window.

const RING_SECONDS = 32, MOST_VALUES = 1 << 22, STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000];
const GAP = 1, PARTIAL = 2, WARM = 4;

export class Signals {
  constructor(trace, gutter) {
    this.trace = trace;
    this.gutter = gutter;
    this.screen = trace.getContext("2d", { alpha: false });
    this.side = gutter.getContext("2d", { alpha: false });
    this.strip = document.createElement("canvas");
    this.pen = this.strip.getContext("2d", { alpha: false });
    this.names = [];
    this.rows = [];
    this.seconds = 10;
    this.fixed = 0;
    this.perRow = 50;
    this.centred = false;
    this.sweep = false;
    this.paused = false;
    this.colours = null;
    this.mark = () => "";
    this.markers = [];
    this.clear();
  }

  clear() {
    this.count = 0;
    this.slots = 0;
    this.base = null;
    this.head = 0;
    this.pace = 1;
    this.arrived = 0;
    this.shown = -1;
    this.markers.length = 0;
    this.stale = true;
  }

  /** The channels of the stream, and which of them to draw. */
  channels(names, rows) {
    if (names.join("\n") !== this.names.join("\n")) {
      this.clear();
      this.names = names;
    }
    this.rows = rows;
    this.stale = true;
  }

  allocate(points, hop) {
    const slots = Math.min(Math.ceil((RING_SECONDS / hop) * points), Math.floor(MOST_VALUES / this.names.length));
    this.slots = 1 << Math.max(6, Math.floor(Math.log2(slots)) + (slots & (slots - 1) && slots < MOST_VALUES / this.names.length / 2 ? 1 : 0));
    const values = this.slots * this.names.length;
    this.low = new Float32Array(values);
    this.high = new Float32Array(values);
    this.begin = new Float64Array(this.slots);
    this.last = new Float64Array(this.slots);
    this.kind = new Uint8Array(this.slots);
    this.baseline = new Float32Array(this.names.length).fill(NaN);
    this.penY = new Float32Array(this.names.length).fill(NaN);
    this.drawn = 0;
  }

  /** Takes one `signal` message; false when its channels are not the ones drawn. */
  push(message, now) {
    const width = this.names.length, points = message.points;
    if (!points || message.channels.length !== width) return width > 0 && !points;
    const span = (message.time_ns - message.start_ns) / 1e9;
    if (this.base === null) this.base = message.start_ns;
    let start = (message.start_ns - this.base) / 1e9;
    if (this.count && start < this.end - 1) {
      this.clear();
      this.base = message.start_ns;
      start = 0;
    }
    if (!this.slots) this.allocate(points, span);
    const kind = (message.status === "gap" ? GAP : message.status === "partial" ? PARTIAL : 0) | (message.warm_up ? WARM : 0);
    for (let p = 0; p < points; p++, this.count++) {
      const at = this.count & (this.slots - 1), row = at * width;
      this.begin[at] = start + (span * p) / points;
      this.last[at] = start + (span * (p + 1)) / points;
      this.kind[at] = kind;
      for (let c = 0; c < width; c++) {
        this.low[row + c] = message.min[c][p] ?? NaN;
        this.high[row + c] = message.max[c][p] ?? NaN;
      }
    }
    const end = start + span;
    if (this.arrived) {
      const pace = (end - this.end) / Math.max(0.001, (now - this.arrived) / 1000);
      this.pace += (Math.min(pace, 1000) - this.pace) * 0.05;
    } else this.head = end;
    this.arrived = now;
    this.end = end;
    return true;
  }

  marker(timeNs, label) {
    if (this.base === null) return;
    const mark = { at: (timeNs - this.base) / 1e9, label };
    this.markers.push(mark);
    if (this.markers.length > 200) this.markers.shift();
    if (!this.stale && mark.at <= this.cleared) this.around(mark.at * this.speed, (shift) => this.markLine(mark, shift));
  }

  /** Least and greatest value of a channel in the last seconds, in an array of two. */
  range(channel, seconds, out) {
    out[0] = Infinity;
    out[1] = -Infinity;
    const width = this.names.length, oldest = Math.max(0, this.count - this.slots);
    for (let n = this.count - 1; n >= oldest; n--) {
      const at = n & (this.slots - 1);
      if (this.last[at] < this.end - seconds) break;
      const low = this.low[at * width + channel], high = this.high[at * width + channel];
      if (low < out[0]) out[0] = low;
      if (high > out[1]) out[1] = high;
    }
    return out;
  }

  /** A scale that suits the median channel, in µV a row. */
  autoscale() {
    if (this.fixed || !this.count || !this.rows.length) return;
    const range = [0, 0], spans = [];
    for (const channel of this.rows) {
      this.range(channel, 4, range);
      if (range[1] > range[0]) spans.push(range[1] - range[0]);
    }
    if (!spans.length) return;
    spans.sort((a, b) => a - b);
    const wanted = spans[spans.length >> 1] * (this.rows.length > 24 ? 0.55 : 0.9);
    if (wanted < this.perRow * 1.25 && wanted > this.perRow / 3) return;
    this.perRow = STEPS.find((step) => step >= wanted) ?? STEPS.at(-1);
    this.stale = true;
  }

  /** The next scale up or down. */
  zoom(direction) {
    const at = STEPS.findIndex((step) => step >= (this.fixed || this.perRow));
    this.fixed = STEPS[Math.min(STEPS.length - 1, Math.max(0, at + direction))];
    this.stale = true;
  }

  resize() {
    const ratio = Math.min(2, devicePixelRatio || 1);
    for (const canvas of [this.trace, this.gutter]) {
      const width = Math.max(1, Math.round(canvas.clientWidth * ratio)), height = Math.max(1, Math.round(canvas.clientHeight * ratio));
      if (canvas.width !== width || canvas.height !== height) {
        canvas.width = width;
        canvas.height = height;
        this.stale = true;
      }
    }
    if (ratio !== this.ratio) this.stale = true;
    this.ratio = ratio;
  }

  /** Draws what is new, and shows it. Called once a frame. */
  frame(now) {
    const elapsed = Math.min(0.1, (now - (this.before ?? now)) / 1000);
    this.before = now;
    if (!this.colours) return;
    if (this.stale) this.restart();
    if (!this.count) return;
    if (this.drawn < this.count) this.extend();
    if (!this.paused) {
      // The picture runs at the signal's own pace, a little behind, so that it moves evenly between windows.
      const behind = this.end - this.head;
      if (behind > this.seconds || behind < -1) this.head = this.end;
      else this.head = Math.min(this.end, this.head + elapsed * Math.max(0, this.pace + (behind - 0.06 * this.pace) * 2));
    }
    const edge = Math.floor(this.head * this.speed);
    if (edge === this.shown) return;
    this.shown = edge;
    const width = this.trace.width;
    if (this.sweep) {
      const page = Math.floor(edge / width) * width, blank = Math.round(14 * this.ratio);
      this.copy(page, edge, 0);
      const from = Math.max(edge - width + blank, Math.ceil(this.origin * this.speed));
      if (from < page) this.copy(from, page, from - page + width);
      this.screen.fillStyle = this.colours.panel;
      this.screen.fillRect(edge - page, 0, blank, this.trace.height);
      this.screen.fillStyle = this.colours.accent;
      this.screen.fillRect(edge - page, 0, this.ratio, this.trace.height);
    } else this.copy(edge - width, edge, 0);
  }

  /** Copies the strip from one absolute column to another onto the screen. */
  copy(from, to, x) {
    const size = this.strip.width, height = this.strip.height;
    while (from < to) {
      const at = ((from % size) + size) % size, part = Math.min(to - from, size - at);
      this.screen.drawImage(this.strip, at, 0, part, height, x, 0, part, height);
      from += part;
      x += part;
    }
  }

  /** Starts the picture anew from what the ring holds. */
  restart() {
    this.stale = false;
    this.shown = -1;
    const { trace, strip, pen, ratio } = this;
    strip.width = trace.width + 400 * ratio;
    strip.height = trace.height;
    this.axis = 28 * ratio;
    this.speed = trace.width / this.seconds;
    this.rowHeight = (trace.height - this.axis) / Math.max(1, this.rows.length);
    this.scale = this.rowHeight / (this.fixed || this.perRow);
    pen.fillStyle = this.colours.panel;
    pen.fillRect(0, 0, strip.width, strip.height);
    this.screen.fillStyle = this.colours.panel;
    this.screen.fillRect(0, 0, trace.width, trace.height);
    this.hatch = this.makeHatch();
    this.labels();
    if (!this.count) return;
    this.penY.fill(NaN);
    this.baseline.fill(NaN);
    let from = Math.max(0, this.count - this.slots);
    while (from < this.count && this.last[from & (this.slots - 1)] < this.head - this.seconds - 0.5) from++;
    this.drawn = from;
    this.cleared = this.origin = this.begin[from & (this.slots - 1)];
  }

  makeHatch() {
    const tile = document.createElement("canvas"), size = 8 * this.ratio;
    tile.width = tile.height = size;
    const pen = tile.getContext("2d");
    pen.strokeStyle = this.colours.hatch;
    pen.lineWidth = this.ratio;
    pen.beginPath();
    for (const shift of [-size, 0, size]) {
      pen.moveTo(shift, size);
      pen.lineTo(shift + size, 0);
    }
    pen.stroke();
    return this.pen.createPattern(tile, "repeat");
  }

  /** Draws the slots that were not drawn yet, in pieces that fit the strip. */
  extend() {
    const mask = this.slots - 1;
    if (this.count - this.drawn > this.slots) this.drawn = this.count - this.slots;
    const oldest = this.end - this.strip.width / this.speed + 1;
    if (this.last[this.drawn & mask] < oldest && this.cleared < oldest) {
      while (this.drawn < this.count && this.last[this.drawn & mask] < oldest) this.drawn++;
      this.cleared = this.begin[this.drawn & mask];
      this.penY.fill(NaN);
    }
    const from = this.drawn, to = this.count, end = this.last[(to - 1) & mask];
    const left = this.cleared * this.speed, right = end * this.speed, size = this.strip.width;
    const first = Math.floor((left - 40) / size), final = Math.floor((right + 2) / size);
    for (let turn = first; turn <= final; turn++) this.draw(from, to, left, right, turn * size, turn === final);
    this.drawn = to;
    this.cleared = end;
  }

  draw(from, to, left, right, shift, commit) {
    const { pen, colours, speed, ratio, names } = this, mask = this.slots - 1, width = names.length;
    const height = this.strip.height - this.axis;
    pen.fillStyle = colours.panel;
    pen.fillRect(Math.round(left) - shift, 0, Math.ceil(right - left) + 2, this.strip.height);
    let before = this.cleared;
    for (let n = from; n < to; n++) {
      const at = n & mask, x = Math.round(this.begin[at] * speed), next = Math.round(this.last[at] * speed);
      if (this.begin[at] > before + 0.0005) {
        const hole = Math.round(before * speed);
        pen.fillStyle = colours.hole;
        pen.fillRect(hole - shift, 0, x - hole, height);
      }
      before = this.last[at];
      if (this.kind[at] & 3) {
        pen.fillStyle = this.kind[at] & GAP ? colours.gap : colours.hole;
        pen.fillRect(x - shift, 0, next - x, height);
      }
      if (this.kind[at] & WARM) {
        pen.fillStyle = this.hatch;
        pen.fillRect(x - shift, 0, next - x, height);
      }
    }
    this.ticks(left, right, shift, height);
    for (const mark of this.markers) if (mark.at >= this.cleared && mark.at * speed <= right) this.markLine(mark, shift);
    pen.lineWidth = Math.max(1, 0.9 * ratio);
    pen.lineJoin = "round";
    for (let parity = 0; parity < 2; parity++) {
      pen.strokeStyle = parity ? colours.trace2 : colours.trace;
      pen.beginPath();
      for (let r = parity; r < this.rows.length; r += 2) this.path(from, to, r, shift, commit, mask, width);
      pen.stroke();
    }
  }

  /** One channel's envelope as a line: into each slot at the end that is nearer, out at the other. */
  path(from, to, row, shift, commit, mask, width) {
    const { pen, speed, scale } = this, channel = this.rows[row], middle = (row + 0.5) * this.rowHeight, most = this.rowHeight * 1.2;
    let y = this.penY[channel], base = this.baseline[channel];
    if (y === y) pen.moveTo((this.last[(from - 1) & mask] + this.begin[(from - 1) & mask]) * 0.5 * speed - shift, y);
    for (let n = from; n < to; n++) {
      const at = n & mask, low = this.low[at * width + channel], high = this.high[at * width + channel];
      if (low !== low) {
        y = NaN;
        continue;
      }
      if (this.centred) {
        const level = (low + high) / 2;
        base = base === base ? base + (level - base) * Math.min(1, (this.last[at] - this.begin[at]) / 1.5) : level;
      } else base = 0;
      const x = (this.begin[at] + this.last[at]) * 0.5 * speed - shift;
      let a = middle - Math.max(-most, Math.min(most, (high - base) * scale));
      let b = middle - Math.max(-most, Math.min(most, (low - base) * scale));
      if (y === y) {
        if (Math.abs(y - a) > Math.abs(y - b)) [a, b] = [b, a];
        pen.lineTo(x, a);
      } else pen.moveTo(x, a);
      pen.lineTo(x, a === b ? b + 0.01 : b);
      y = b;
    }
    if (commit) {
      this.penY[channel] = y;
      this.baseline[channel] = base;
    }
  }

  ticks(left, right, shift, height) {
    const { pen, colours, speed, ratio } = this, every = [1, 2, 5, 10, 30].find((s) => s * speed > 62 * ratio) ?? 60;
    const origin = this.base / 1e9, first = Math.ceil((left / speed + origin) / every) * every;
    pen.font = `${11 * ratio}px system-ui, sans-serif`;
    pen.textBaseline = "bottom";
    pen.textAlign = "left";
    for (let second = first; (second - origin) * speed < right; second += every) {
      const x = Math.round((second - origin) * speed);
      pen.fillStyle = colours.grid;
      pen.fillRect(x - shift, 0, ratio, height);
    }
    // Labels reach to the right of what is cleared, so they are drawn once their room is.
    const room = 56 * ratio;
    for (let second = Math.ceil(((left - room) / speed + origin) / every) * every; (second - origin) * speed + room < right; second += every) {
      const x = Math.round((second - origin) * speed);
      if (second - origin < this.origin) continue;
      pen.fillStyle = colours.mute;
      pen.fillRect(x - shift, height, ratio, 4 * ratio);
      pen.fillText(clock(second, second > 1e8), x + 4 * ratio - shift, this.strip.height - 7 * ratio);
    }
  }

  around(x, draw) {
    const size = this.strip.width, turn = Math.floor(x / size);
    draw(turn * size);
    draw((turn + 1) * size);
  }

  markLine(mark, shift) {
    const { pen, colours, ratio } = this, x = Math.round(mark.at * this.speed) - shift;
    pen.fillStyle = colours.marker;
    pen.fillRect(x, 0, 2 * ratio, this.strip.height - this.axis);
  }

  /** Channel names and the scale bar, beside the signals. */
  labels() {
    const { side, gutter, colours, ratio } = this;
    side.fillStyle = colours.panel;
    side.fillRect(0, 0, gutter.width, gutter.height);
    const size = Math.min(13, Math.max(9, (this.rowHeight / ratio) * 0.8)) * ratio, narrow = this.rowHeight < 13 * ratio;
    const columns = narrow && gutter.clientWidth > 60 ? 2 : 1;
    const every = Math.max(1, Math.ceil((11 * ratio) / (this.rowHeight * columns)));
    side.textBaseline = "middle";
    side.textAlign = "right";
    for (let r = 0; r < this.rows.length; r++) {
      if (columns === 1 && r % every) continue;
      const name = this.names[this.rows[r]], mark = this.mark(this.rows[r]);
      side.font = `${mark === "poor" ? 700 : 500} ${size}px system-ui, sans-serif`;
      side.fillStyle = mark === "poor" ? colours.bad : mark === "fair" ? colours.warn : r % 2 ? colours.trace2 : colours.trace;
      const x = columns === 2 && r % 2 === 0 ? gutter.width / 2 : gutter.width - 6 * ratio;
      side.fillText((mark === "poor" ? "×" : mark === "fair" ? "○" : "") + name, x, (r + 0.5) * this.rowHeight, columns === 2 ? gutter.width / 2 - 2 : gutter.width - 6 * ratio);
    }
    let bar = STEPS[0];
    for (const step of STEPS) if (step * this.scale <= (this.rowHeight > 40 * ratio ? 48 : 24) * ratio) bar = step;
    const length = bar * this.scale, bottom = gutter.height - 3 * ratio;
    if (!this.rows.length) return;
    side.textAlign = "left";
    side.font = `600 ${11 * ratio}px system-ui, sans-serif`;
    side.fillStyle = colours.panel;
    side.fillRect(0, bottom - Math.max(length, 16 * ratio) - 3 * ratio, gutter.width - 2 * ratio, gutter.height);
    side.fillStyle = colours.ink;
    side.fillRect(4 * ratio, bottom - length, 2 * ratio, length);
    side.fillRect(2 * ratio, bottom - length, 6 * ratio, ratio);
    side.fillRect(2 * ratio, bottom - ratio, 6 * ratio, ratio);
    side.fillText(`${bar} µV`, 11 * ratio, Math.max(bottom - length / 2, bottom - 12 * ratio), gutter.width - 12 * ratio);
  }
}

/** Seconds as a clock: time of day in UTC for real dates, else time since the start. */
export function clock(seconds, date) {
  const whole = Math.floor(date ? seconds % 86400 : seconds), pad = (n) => String(n).padStart(2, "0");
  const hours = Math.floor(whole / 3600), rest = `${pad(Math.floor(whole / 60) % 60)}:${pad(whole % 60)}`;
  return date || hours ? `${pad(hours)}:${rest}` : rest;
}
