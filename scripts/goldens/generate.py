"""Writes the reference data of the kernel tests: what SciPy answers, and what 50 digits answer where SciPy
itself loses some.

Usage: generate.py DIRECTORY. Running it again gives the same bytes; scripts/goldens/check relies on that.
"""

import os

# NumPy and OpenBLAS pick code by the processor, and their last bits with it. Pin both before they load.
# What is left is the C library's choice between code with and without FMA: any x86-64 since 2013 has it.
os.environ["NPY_DISABLE_CPU_FEATURES"] = "X86_V3,X86_V4,AVX512_ICL,AVX512_SPR"
os.environ["OPENBLAS_CORETYPE"] = "Haswell"
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import json
import platform
import sys
import warnings
from pathlib import Path

warnings.simplefilter("ignore", ImportWarning)

import mpmath
import numpy as np
import scipy
from scipy import signal

mpmath.mp.dps = 50

RATES = [160.0, 250.0, 256.0, 512.0, 1000.0, 2048.0, 19531.25, 30000.0]
ORDERS = [1, 2, 3, 4, 5, 8]
EDGES = {
    "lowpass": [[1.0], [40.0], [300.0], [6000.0]],
    "highpass": [[0.1], [0.5], [1.0], [30.0], [300.0]],
    "bandpass": [[0.1, 40.0], [1.0, 40.0], [8.0, 13.0], [70.0, 110.0], [300.0, 3000.0], [500.0, 9000.0]],
    "bandstop": [[48.0, 52.0], [59.0, 61.0], [0.5, 70.0]],
}
HIGH_ORDERS = [
    (16, "lowpass", [40.0], 250.0),
    (16, "highpass", [1.0], 250.0),
    (12, "bandpass", [8.0, 30.0], 250.0),
    (16, "bandpass", [1.0, 40.0], 1000.0),
    (11, "bandstop", [48.0, 52.0], 512.0),
    (4, "bandpass", [0.001, 124.9], 250.0),
    (3, "lowpass", [124.999], 250.0),
    (3, "bandpass", [9.999, 10.001], 250.0),
    # Edges that mirror each other about a quarter of the rate: poles come in equally distant pairs.
    (2, "bandpass", [20.0, 60.0], 160.0),
    (3, "bandpass", [30.0, 95.0], 250.0),
    (4, "bandpass", [20.0, 60.0], 160.0),
    (5, "bandstop", [30.0, 95.0], 250.0),
]
NOTCHES = [(50.0, 30.0), (60.0, 35.0), (50.0, 2.0), (10.0, 0.7), (1000.0, 100.0)]

# (name, order, type, edges, rate): filters whose output, delay, steady state and warm-up are recorded
RUN = [
    ("eeg_band", 4, "bandpass", [1.0, 40.0], 250.0),
    ("eeg_band_160", 2, "bandpass", [1.0, 40.0], 160.0),
    ("alpha", 3, "bandpass", [8.0, 13.0], 256.0),
    ("drift", 2, "highpass", [0.1], 250.0),
    ("smooth", 5, "lowpass", [30.0], 512.0),
    ("mains", 2, "bandstop", [48.0, 52.0], 1000.0),
    ("gamma", 8, "bandpass", [70.0, 110.0], 2048.0),
    ("spikes", 3, "bandpass", [300.0, 3000.0], 19531.25),
    ("odd_high", 1, "highpass", [0.5], 160.0),
]
LONG = [("slow_high", 4, "highpass", [0.5], 30000.0), ("slow_low", 4, "lowpass", [1.0], 30000.0)]


def write_json(path, value):
    """Compact JSON with repr floats, one entry of the outermost lists a line, so that diffs stay readable."""
    lines = []
    for key, entries in value.items():
        if isinstance(entries, list):
            rows = ",\n".join(json.dumps(entry, separators=(",", ":")) for entry in entries)
            lines.append(f"{json.dumps(key)}:[\n{rows}\n]")
        else:
            lines.append(f"{json.dumps(key)}:{json.dumps(entries, separators=(',', ':'))}")
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def butter(order, btype, edges, rate):
    wn = edges[0] if len(edges) == 1 else edges
    return signal.butter(order, wn, btype=btype, fs=rate, output="sos")


def designs(out):
    rows = []
    cases = [
        (order, btype, edges, rate)
        for rate in RATES
        for btype, all_edges in EDGES.items()
        for edges in all_edges
        if edges[-1] < rate / 2
        for order in ORDERS
    ]
    for order, btype, edges, rate in cases + HIGH_ORDERS:
        sos = butter(order, btype, edges, rate)
        assert np.all(sos[:, 3] == 1.0)
        rows.append(
            {"order": order, "type": btype, "edges": edges, "rate": rate, "sos": np.delete(sos, 3, axis=1).tolist()}
        )
    notches = []
    for rate in RATES:
        for w0, q in NOTCHES:
            if w0 < rate / 2:
                b, a = signal.iirnotch(w0, q, fs=rate)
                notches.append({"frequency": w0, "quality": q, "rate": rate, "b": b.tolist(), "a": a.tolist()})
    write_json(out / "designs.json", {"butterworth": rows, "notch": notches})


def exact_section(row, angle):
    """(gain, group delay in samples) of a section at an angle, in 50 digits."""
    z = mpmath.expj(-angle)
    b, a = [mpmath.mpf(c) for c in row[:3]], [mpmath.mpf(c) for c in row[3:]]

    def value(c):
        return c[0] + c[1] * z + c[2] * z * z

    def slope(c):
        return c[1] * z + 2 * c[2] * z * z

    return value(b) / value(a), mpmath.re(slope(b) / value(b)) - mpmath.re(slope(a) / value(a))


def exact_steady_state(sos):
    rows, scale = [], mpmath.mpf(1)
    for row in sos:
        b, a = [mpmath.mpf(c) for c in row[:3]], [mpmath.mpf(c) for c in row[3:]]
        gain = sum(b) / sum(a)
        rows.append([float(scale * (gain - b[0])), float(scale * (b[2] - a[2] * gain))])
        scale *= gain
    return rows


def closed_steady_state(sos):
    """The steady state in the closed form and the order of operations of the Rust kernel.

    The outputs start from it, so that they show the recursion alone. SciPy's solver is off by its condition
    number, which an offset of 300 mV turns into a visible transient, and at 1 Hz of 30 kHz even the rounding of
    the exact state to f64 shows as 4e-11 of the output. responses.json holds SciPy's state and the exact one.
    """
    rows, scale = [], 1.0
    for b0, b1, b2, a0, a1, a2 in sos.tolist():
        gain = (b0 + b1 + b2) / (a0 + a1 + a2)
        rows.append([scale * (gain - b0), scale * (b2 - a2 * gain)])
        scale *= gain
    return np.array(rows)


def settling(sos, tolerance, length):
    impulse = np.zeros(length)
    impulse[0] = 1.0
    h = np.abs(signal.sosfilt(sos, impulse))
    rest = np.cumsum(h[::-1])[::-1]  # rest[n] = sum of |h| from n on
    assert rest[-(length // 10)] < 1e-9 * rest[0], "too short to have settled"
    return int(np.argmax(rest <= tolerance * rest[0]))


def responses(out):
    rows = []
    for name, order, btype, edges, rate in RUN + LONG:
        sos = butter(order, btype, edges, rate)
        centre = edges[0] if len(edges) == 1 else float(np.sqrt(edges[0] * edges[1]))
        frequencies = {0.01 * rate, 0.1 * rate, 0.25 * rate, 0.4 * rate, centre, 0.5 * centre, *edges}
        if btype == "bandstop":
            # There the zeros are, off the unit circle by a rounding, and no reference has a delay to give.
            frequencies.remove(centre)
        frequencies = sorted(frequencies)
        gains, delays = [], []
        for frequency in frequencies:
            angle = 2 * mpmath.pi * mpmath.mpf(frequency) / mpmath.mpf(rate)
            gain, delay = mpmath.mpf(1), mpmath.mpf(0)
            for row in sos:
                g, d = exact_section(row, angle)
                gain, delay = gain * g, delay + d
            gains.append([float(gain.real), float(gain.imag)])
            delays.append(float(delay))
        with warnings.catch_warnings():
            # It warns of the digits it loses at a low edge; that is why the exact delays are here too.
            warnings.simplefilter("ignore", UserWarning)
            scipy_delays = sum(signal.group_delay((row[:3], row[3:]), w=frequencies, fs=rate)[1] for row in sos)
        rows.append(
            {
                "name": name,
                "order": order,
                "type": btype,
                "edges": edges,
                "rate": rate,
                "sos": sos.tolist(),
                "frequencies": frequencies,
                "gain_exact": gains,
                "group_delay_exact": delays,
                "group_delay": scipy_delays.tolist(),
                "zi": signal.sosfilt_zi(sos).tolist(),
                "zi_exact": exact_steady_state(sos),
                "settling": [[t, settling(sos, t, int(40 * rate))] for t in (1e-2, 1e-3, 1e-6)]
                if rate < 1000 and edges[0] >= 0.5
                else [],
            }
        )
    write_json(out / "responses.json", {"filters": rows})


def signals():
    """Seeded recordings-like input [600][9] in µV, exact in f32: noise, and EEG-shaped channels with drift,
    alpha bursts, mains, blinks, an offset of an unreferenced amplifier, and a flat one."""
    rng = np.random.default_rng(20250101)
    n, rate = 600, 250.0
    t = np.arange(n) / rate
    # Sums of uniform numbers: the generator's normal numbers may go through the system's exp.
    white = (rng.random((n, 9, 12)).sum(axis=2) - 6.0) * 10.0
    x = white.copy()
    for channel in range(3, 8):
        x[:, channel] = np.cumsum(white[:, channel]) * 0.4
        x[:, channel] += 20.0 * np.sin(2 * np.pi * 10.0 * t + channel) * (np.sin(2 * np.pi * 0.7 * t) > 0)
        x[:, channel] += 15.0 * np.sin(2 * np.pi * 50.0 * t + 0.3 * channel)
    x[:, 4] += 4187.5
    x[:, 5] -= 312000.0
    x[200:230, 6] += 180.0 * np.hanning(30)
    x[:, 8] = 12.25
    return np.round(x * 1024.0) / 1024.0


def long_signal():
    """20,000 samples at 30 kHz as ADC counts of 0.25 µV: offset, drift, mains, spikes, noise."""
    rng = np.random.default_rng(20250102)
    n, rate = 20000, 30000.0
    t = np.arange(n) / rate
    x = 900.0 + 300.0 * t + 40.0 * np.sin(2 * np.pi * 50.0 * t) + (rng.random((n, 12)).sum(axis=1) - 6.0) * 8.0
    for at in rng.integers(0, n - 40, size=60):
        x[at : at + 40] -= 120.0 * np.hanning(40)
    return np.round(x * 4.0).astype(np.int16)


def outputs(out):
    x = signals()
    np.save(out / "input.npy", x)
    for name, order, btype, edges, rate in RUN:
        sos = butter(order, btype, edges, rate)
        zi = closed_steady_state(sos)[:, :, None] * x[0]
        y, _ = signal.sosfilt(sos, x, axis=0, zi=zi)
        np.save(out / f"output_{name}.npy", np.ascontiguousarray(y))
    counts = long_signal()
    np.save(out / "input_long.npy", counts)
    x = counts * 0.25
    for name, order, btype, edges, rate in LONG:
        sos = butter(order, btype, edges, rate)
        zi = closed_steady_state(sos) * x[0]
        y, _ = signal.sosfilt(sos, x, zi=zi)
        np.save(out / f"output_{name}.npy", y)


def spectra(out):
    x = signals()
    psd = []
    for channel, samples, nperseg, noverlap, window, detrend, rate in [
        (0, 600, 256, 128, "hann", "constant", 256.0),
        (3, 600, 250, 125, "hann", "constant", 250.0),
        (4, 600, 250, 0, "hann", False, 250.0),
        (4, 600, 250, 125, "hann", "constant", 250.0),
        (5, 600, 97, 31, "hann", "constant", 160.0),
        (6, 593, 64, 63, "boxcar", "constant", 512.0),
        (7, 600, 13, 6, "hann", False, 250.0),
        (1, 600, 2, 1, "hann", "constant", 1000.0),
        (1, 20, 1, 0, "hann", False, 250.0),
    ]:
        f, p = signal.welch(
            x[:samples, channel], rate, window=window, nperseg=nperseg, noverlap=noverlap, detrend=detrend
        )
        psd.append([channel, samples, nperseg, noverlap, window, detrend, rate, f.tolist(), p.tolist()])
    for channel, samples, window, detrend, rate in [
        (0, 600, "boxcar", "constant", 250.0),
        (3, 13, "boxcar", "constant", 250.0),
        (3, 12, "hann", "constant", 250.0),
        (4, 599, "hann", "constant", 19531.25),
        (7, 3, "boxcar", False, 30000.0),
    ]:
        f, p = signal.periodogram(x[:samples, channel], rate, window=window, detrend=detrend)
        psd.append([channel, samples, samples, 0, window, detrend, rate, f.tolist(), p.tolist()])
    bands = []
    f, p = signal.welch(x[:, 3], 250.0, nperseg=250)
    for low, high in [(0.0, 4.0), (4.0, 8.0), (8.0, 13.0), (13.0, 30.0), (30.0, 45.0), (0.0, 125.0), (9.5, 12.2)]:
        mask = (f >= low) & (f <= high)
        bands.append([low, high, int(mask.sum()), float(np.trapezoid(p[mask], f[mask])), float(p[mask].sum())])
    windows = [[n, signal.get_window("hann", n).tolist(), signal.windows.hann(n).tolist()] for n in (1, 2, 3, 12, 97)]
    write_json(out / "spectra.json", {"psd": psd, "bands": bands, "windows": windows})


def statistics(out):
    x = signals()
    rows = []
    for channel in range(8):
        for samples in (1, 2, 13, 129, 600):
            for holes in (False, True):
                v = x[:samples, channel].copy()
                if holes:
                    v[::3] = np.nan
                valid = int(np.isfinite(v).sum())
                if valid == 0:
                    continue
                w = v[np.isfinite(v)]
                rows.append(
                    {
                        "channel": channel,
                        "samples": samples,
                        "holes": holes,
                        "valid": valid,
                        "mean": float(np.nanmean(v)),
                        "rms": float(np.sqrt(np.mean(w * w))),
                        "variance": float(np.var(w)),
                        "variance_1": float(np.var(w, ddof=1)) if valid > 1 else None,
                        "log_variance": float(np.log(np.var(w))) if np.var(w) > 0 else None,
                        "min": float(np.nanmin(v)),
                        "max": float(np.nanmax(v)),
                        "peak_to_peak": float(np.ptp(w)),
                    }
                )
    write_json(out / "statistics.json", {"statistics": rows})


def main():
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    versions = {
        "python": ".".join(platform.python_version_tuple()[:2]),
        "mpmath": mpmath.__version__,
        "numpy": np.__version__,
        "scipy": scipy.__version__,
    }
    write_json(out / "versions.json", versions)
    designs(out)
    responses(out)
    outputs(out)
    spectra(out)
    statistics(out)


if __name__ == "__main__":
    main()
