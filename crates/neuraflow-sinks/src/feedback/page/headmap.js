// Where electrodes sit, and the map between them: spherical splines (Perrin et al. 1989, order 4) of the logarithm of
// the power, so that no interpolated power is ever negative, in cividis, which is even and safe for the colour-blind.

const DEGREE = Math.PI / 180, RING = 72;
/** Rows of the 10-10 system: azimuth of the row's end on the ring, and the angle of its middle from Cz (front is positive). */
const ROWS = {
  FP: [18, 72], AF: [36, 54], F: [54, 36], FT: [72, 18], FC: [72, 18], T: [90, 0], C: [90, 0],
  TP: [108, -18], CP: [108, -18], P: [126, -36], PO: [144, -54], O: [162, -72], N: [18, 90], I: [162, -90],
};
const OLD = { T3: "T7", T4: "T8", T5: "P7", T6: "P8", M1: "TP9", M2: "TP10" };

/** x to the right, y to the front, z up; polar angle from the top and azimuth from the front, in degrees. */
const point = (polar, azimuth) => [
  Math.sin(polar * DEGREE) * Math.sin(azimuth * DEGREE), Math.sin(polar * DEGREE) * Math.cos(azimuth * DEGREE), Math.cos(polar * DEGREE),
];
const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
const cross = (a, b) => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
const minus = (a, b) => [a[0] - b[0], a[1] - b[1], a[2] - b[2]];

/** The part `f` of the way from `a` to `b` on the circle through `a`, `b` and `c`, all on the sphere. */
function onCircle(a, b, c, f) {
  let axis = cross(minus(b, a), minus(c, a));
  const length = Math.hypot(...axis);
  axis = axis.map((v) => v / length);
  const height = dot(axis, a), centre = axis.map((v) => v * height), from = minus(a, centre), to = minus(b, centre);
  const angle = Math.atan2(dot(axis, cross(from, to)), dot(from, to)) * f, side = cross(axis, from);
  return centre.map((v, i) => v + from[i] * Math.cos(angle) + side[i] * Math.sin(angle));
}

/** A channel's name as the 10-10 system writes it: without prefix, reference and dots. */
export function plain(name) {
  const bare = name.replace(/^(EEG|SEEG)[\s_-]+/i, "").replace(/[\s_-]+(REF|LE|A1|A2|AVG|M1|M2|CAR|A1A2)$/i, "").replace(/[.\s]/g, "").toUpperCase();
  return OLD[bare] ?? bare;
}

/** Where an electrode sits on the unit sphere by its 10-20 or 10-10 name, or null. */
export function position(name) {
  const match = /^([A-Z]{1,2}?)(Z|10|[1-9])$/.exec(plain(name)), row = match && ROWS[match[1]];
  if (!row) return null;
  const middle = point(Math.abs(row[1]), row[1] < 0 ? 180 : 0);
  if (match[2] === "Z") return match[1].startsWith("T") || match[1] === "FT" ? null : middle;
  const number = Number(match[2]), side = number % 2 ? -1 : 1, step = Math.ceil(number / 2);
  if (match[1] === "N" || match[1] === "I") return step === 1 ? point(90, side * row[0]) : null;
  if (match[1] === "FP" || match[1] === "O") return step === 1 ? point(RING, side * row[0]) : null;
  if (step === 5) return point(90, side * row[0]);
  return onCircle(middle, point(RING, side * row[0]), point(RING, -side * row[0]), step / 4);
}

/** Seen from above: the head's outline, through Nz and Iz, has radius 1. */
export const flat = (p) => {
  const far = Math.hypot(p[0], p[1]), polar = Math.acos(Math.max(-1, Math.min(1, p[2]))) / (Math.PI / 2);
  return far < 1e-9 ? [0, 0] : [(p[0] / far) * polar, (p[1] / far) * polar];
};

export function cividis(t) {
  t = Math.max(0, Math.min(1, t));
  return [
    Math.max(0, -4.54 - t * (35.34 - t * (2381.73 - t * (6402.7 - t * (7024.72 - t * 2710.57))))),
    32.49 + t * (170.73 + t * (52.82 - t * (131.46 - t * (176.58 - t * 67.37)))),
    81.24 + t * (442.36 - t * (2482.43 - t * (6167.24 - t * (6614.94 - t * 2475.67)))),
  ];
}

/** The spline's kernel for the cosine of an angle. */
function kernel(cosine) {
  let sum = 0, before = 1, now = cosine;
  for (let n = 1; n <= 10; n++) {
    sum += ((2 * n + 1) / (n * (n + 1)) ** 4) * now;
    [before, now] = [now, ((2 * n + 1) * cosine * now - n * before) / (n + 1)];
  }
  return sum / (4 * Math.PI);
}

/** The inverse of a square matrix, or null. */
function inverse(matrix) {
  const n = matrix.length, work = matrix.map((row, i) => Float64Array.from([...row, ...row.map((_, j) => Number(i === j))]));
  for (let i = 0; i < n; i++) {
    let best = i;
    for (let r = i + 1; r < n; r++) if (Math.abs(work[r][i]) > Math.abs(work[best][i])) best = r;
    if (Math.abs(work[best][i]) < 1e-14) return null;
    [work[i], work[best]] = [work[best], work[i]];
    const pivot = work[i][i];
    for (let j = i; j < 2 * n; j++) work[i][j] /= pivot;
    for (let r = 0; r < n; r++) {
      const factor = work[r][i];
      if (r !== i && factor) for (let j = i; j < 2 * n; j++) work[r][j] -= factor * work[i][j];
    }
  }
  return work.map((row) => row.slice(n));
}

const GRID = 88;

export class HeadMap {
  constructor(canvas) {
    this.canvas = canvas;
    this.pen = canvas.getContext("2d");
    this.picture = document.createElement("canvas");
    this.picture.width = this.picture.height = GRID;
    this.dots = this.picture.getContext("2d");
    this.image = this.dots.createImageData(GRID, GRID);
    this.ramp = Uint8ClampedArray.from({ length: 256 * 3 }, (_, i) => cividis(Math.floor(i / 3) / 255)[i % 3]);
    this.names = [];
    this.sites = [];
    this.aside = [];
    this.low = this.high = NaN;
    this.hold = false;
  }

  channels(names) {
    if (names.join("\n") === this.names.join("\n")) return;
    this.names = names;
    this.sites = [];
    this.aside = [];
    const taken = new Set();
    names.forEach((name, channel) => {
      const at = position(name), key = at && at.map((v) => v.toFixed(3)).join();
      if (!at || taken.has(key)) this.aside.push(channel);
      else {
        taken.add(key);
        this.sites.push({ channel, at, flat: flat(at), name: plain(name).replace("FP", "Fp").replace("Z", "z") });
      }
    });
    this.mask = null;
    this.low = this.high = NaN;
    // What each electrode gives each point of the grid; points beyond the outline are left out.
    const inside = [];
    for (let i = 0; i < GRID * GRID; i++) {
      const x = ((i % GRID) + 0.5) / (GRID / 2) - 1, y = 1 - (Math.floor(i / GRID) + 0.5) / (GRID / 2);
      if (Math.hypot(x, y) <= 1.03) inside.push(i);
    }
    this.inside = Int32Array.from(inside);
    this.gain = new Float32Array(inside.length * this.sites.length);
    let k = 0;
    for (const i of inside) {
      const x = ((i % GRID) + 0.5) / (GRID / 2) - 1, y = 1 - (Math.floor(i / GRID) + 0.5) / (GRID / 2);
      const here = point(Math.hypot(x, y) * 90, Math.atan2(x, y) / DEGREE);
      for (const site of this.sites) this.gain[k++] = kernel(dot(here, site.at));
    }
  }

  /** Solves for the electrodes that have a value now; keeps the inverse while they stay the same. */
  solve(values) {
    const valid = this.sites.map((site, i) => (values[site.channel] > 0 ? i : -1)).filter((i) => i >= 0), mask = valid.join();
    if (mask !== this.mask) {
      this.mask = mask;
      this.valid = valid;
      const matrix = valid.map((i) => [...valid.map((j) => kernel(dot(this.sites[i].at, this.sites[j].at)) + (i === j ? 1e-4 : 0)), 1]);
      matrix.push([...valid.map(() => 1), 0]);
      this.inverse = valid.length > 2 ? inverse(matrix) : null;
    }
    if (!this.inverse) return null;
    const logs = valid.map((i) => Math.log10(values[this.sites[i].channel])), weights = new Float64Array(this.sites.length);
    const at = (row) => logs.reduce((sum, log, j) => sum + this.inverse[row][j] * log, 0);
    valid.forEach((i, row) => (weights[i] = at(row)));
    return { weights, level: at(valid.length), logs };
  }

  /** A range that follows slowly, so that colours mean the same for a while. */
  follow(logs) {
    const sorted = [...logs].sort((a, b) => a - b), n = sorted.length - 1;
    let low = sorted[Math.floor(n * 0.03)], high = sorted[Math.ceil(n * 0.97)];
    if (high - low < 0.2) [low, high] = [(low + high) / 2 - 0.1, (low + high) / 2 + 0.1];
    if (!(this.low < this.high)) [this.low, this.high] = [low, high];
    else if (!this.hold) {
      this.low += (low - this.low) * 0.04;
      this.high += (high - this.high) * 0.04;
    }
  }

  /** Draws `values` (one a channel, NaN where there is none); `grade(channel)` is good, fair, poor or empty. */
  draw(values, unit, grade, colours, label) {
    const { canvas, pen } = this, ratio = Math.min(2, devicePixelRatio || 1);
    const width = Math.max(1, Math.round(canvas.clientWidth * ratio)), height = Math.max(1, Math.round(canvas.clientHeight * ratio));
    if (canvas.width !== width || canvas.height !== height) {
      canvas.width = width;
      canvas.height = height;
    }
    pen.clearRect(0, 0, width, height);
    const bar = 46 * ratio, radius = Math.min(width * 0.5 - 24 * ratio, (height - bar - 42 * ratio) / 2.06), cx = width / 2, cy = 18 * ratio + radius;
    const solved = this.solve(values);
    if (solved) {
      this.follow(solved.logs);
      const { weights, level } = solved, { inside, gain, ramp } = this, sites = this.sites.length, pixels = this.image.data;
      const stretch = 255 / (this.high - this.low);
      for (let i = 0, k = 0; i < inside.length; i++) {
        let value = level;
        for (let s = 0; s < sites; s++) value += gain[k++] * weights[s];
        const colour = Math.max(0, Math.min(255, Math.round((value - this.low) * stretch))) * 3, at = inside[i] * 4;
        pixels[at] = ramp[colour];
        pixels[at + 1] = ramp[colour + 1];
        pixels[at + 2] = ramp[colour + 2];
        pixels[at + 3] = 255;
      }
      this.dots.putImageData(this.image, 0, 0);
    }
    pen.lineWidth = 2 * ratio;
    pen.strokeStyle = colours.mute;
    pen.fillStyle = colours.panel;
    pen.beginPath();
    pen.moveTo(cx - radius * 0.13, cy - radius * 0.985);
    pen.lineTo(cx, cy - radius - 14 * ratio);
    pen.lineTo(cx + radius * 0.13, cy - radius * 0.985);
    pen.stroke();
    for (const side of [-1, 1]) {
      pen.beginPath();
      pen.ellipse(cx + side * radius * 1.01, cy, radius * 0.06, radius * 0.17, 0, 0, 7);
      pen.stroke();
    }
    pen.beginPath();
    pen.arc(cx, cy, radius, 0, 7);
    pen.fill();
    if (solved) {
      pen.save();
      pen.clip();
      pen.imageSmoothingQuality = "high";
      pen.drawImage(this.picture, cx - radius, cy - radius, radius * 2, radius * 2);
      pen.restore();
    }
    pen.stroke();
    const size = Math.max(2.2 * ratio, Math.min(4.5 * ratio, radius / 40)), names = radius > 120 * ratio || this.sites.length < 33;
    pen.font = `500 ${Math.min(12, Math.max(8.5, radius / ratio / 16)) * ratio}px system-ui, sans-serif`;
    pen.textAlign = "center";
    pen.textBaseline = "bottom";
    for (const site of this.sites) {
      const x = cx + site.flat[0] * radius, y = cy - site.flat[1] * radius, mark = grade(site.channel);
      this.electrode(x, y, size, mark, ratio);
      if (!names) continue;
      const value = (Math.log10(values[site.channel]) - this.low) / (this.high - this.low);
      const rim = Math.hypot(...site.flat) > 0.95;
      pen.fillStyle = !solved || rim ? colours.ink : value > 0.55 ? "#000" : "#fff";
      pen.fillText(site.name, rim ? x + Math.sign(Math.round(site.flat[0] * 9)) * 12 * ratio : x, rim && site.flat[1] < -0.5 ? y + size + 14 * ratio : y - size - ratio);
    }
    this.colourBar(cx - radius * 0.9, height - 30 * ratio, radius * 1.8, 12 * ratio, ratio, colours, unit, label, solved);
  }

  electrode(x, y, size, mark, ratio) {
    const { pen } = this;
    for (const [colour, line] of [["#000", 3.4], ["#fff", 1.6]]) {
      pen.strokeStyle = colour;
      pen.lineWidth = line * ratio;
      pen.beginPath();
      if (mark === "poor") {
        const arm = size * 1.25;
        pen.moveTo(x - arm, y - arm);
        pen.lineTo(x + arm, y + arm);
        pen.moveTo(x - arm, y + arm);
        pen.lineTo(x + arm, y - arm);
        pen.stroke();
      } else if (mark === "fair") {
        pen.arc(x, y, size, 0, 7);
        pen.stroke();
      } else {
        pen.fillStyle = colour;
        pen.arc(x, y, colour === "#000" ? size : size - ratio, 0, 7);
        pen.fill();
      }
    }
  }

  colourBar(x, y, width, height, ratio, colours, unit, label, solved) {
    const { pen } = this;
    for (let i = 0; i < width; i += ratio) {
      const at = Math.round((i / width) * 255) * 3;
      pen.fillStyle = `rgb(${this.ramp[at]},${this.ramp[at + 1]},${this.ramp[at + 2]})`;
      pen.fillRect(x + i, y, ratio + 0.5, height);
    }
    pen.strokeStyle = colours.line;
    pen.lineWidth = ratio;
    pen.strokeRect(x, y, width, height);
    pen.fillStyle = colours.ink;
    pen.font = `500 ${12 * ratio}px system-ui, sans-serif`;
    pen.textBaseline = "top";
    const short = (log) => Number((10 ** log).toPrecision(2)).toString();
    if (solved) for (const [align, f] of [["left", 0], ["center", 0.5], ["right", 1]]) {
      pen.textAlign = align;
      pen.fillText(short(this.low + (this.high - this.low) * f) + (f === 1 ? ` ${unit}` : ""), x + width * f, y + height + 3 * ratio);
    }
    pen.textAlign = "left";
    pen.textBaseline = "bottom";
    pen.fillStyle = colours.mute;
    pen.fillText(label, x, y - 3 * ratio);
  }
}
