"""Writes the reference data of the filters: SciPy's designs, and what SciPy makes of a signal.

Usage: filters.py DIRECTORY. Running it again gives the same bytes.
"""

import os

# NumPy and OpenBLAS pick code by the processor, and their last bits with it. Pin both before they load.
os.environ["NPY_DISABLE_CPU_FEATURES"] = "X86_V3,X86_V4,AVX512_ICL,AVX512_SPR"
os.environ["OPENBLAS_CORETYPE"] = "Haswell"
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import json
import sys
from pathlib import Path

import numpy as np
from scipy import signal, stats

RATE = 250.0
EDGES = {
    250.0: {"lowpass": [40.0], "highpass": [1.0], "bandpass": [8.0, 30.0], "bandstop": [45.0, 57.0]},
    30000.0: {"lowpass": [300.0], "highpass": [300.0], "bandpass": [300.0, 6000.0], "bandstop": [45.0, 55.0]},
}
ORDERS = [1, 2, 3, 4, 5, 6, 8]


def cheby1(order, edges, btype, rate, ripple=0.5, _=None):
    return signal.cheby1(order, ripple, edges, btype=btype, fs=rate, output="sos")


def cheby2(order, edges, btype, rate, _=None, attenuation=40.0):
    return signal.cheby2(order, attenuation, edges, btype=btype, fs=rate, output="sos")


def ellip(order, edges, btype, rate, ripple=0.5, attenuation=40.0):
    return signal.ellip(order, ripple, attenuation, edges, btype=btype, fs=rate, output="sos")


FAMILIES = {"chebyshev1": cheby1, "chebyshev2": cheby2, "elliptic": ellip}


def designs():
    rows = []
    for family, design in FAMILIES.items():
        cases = [
            (order, btype, edges, rate, 0.5, 40.0)
            for rate, types in EDGES.items()
            for btype, edges in types.items()
            for order in ORDERS
        ]
        # Shallow and deep, gentle and steep.
        extremes = [(4, "bandpass", [1.0, 40.0], 250.0, r, a) for r, a in [(0.01, 20.0), (2.9, 80.0), (1.0, 120.0), (0.1, 4.0)]]
        for order, btype, edges, rate, ripple, attenuation in cases + extremes:
            edge = edges[0] if len(edges) == 1 else edges
            sos = design(order, edge, btype, rate, ripple, attenuation)
            rows.append(
                {
                    "family": family,
                    "order": order,
                    "type": btype,
                    "edges": edges,
                    "rate": rate,
                    "ripple": ripple,
                    "attenuation": attenuation,
                    "sos": np.delete(sos, 3, axis=1).tolist(),
                }
            )
    return rows


def firs():
    rows = []
    for taps, btype, edges in [
        (31, "lowpass", [40.0]),
        (32, "lowpass", [40.0]),
        (51, "highpass", [20.0]),
        (41, "bandpass", [8.0, 30.0]),
        (40, "bandpass", [8.0, 30.0]),
        (61, "bandstop", [40.0, 60.0]),
    ]:
        edge = edges[0] if len(edges) == 1 else edges
        h = signal.firwin(taps, edge, window="hamming", pass_zero=btype, fs=RATE)
        early = signal.minimum_phase(h, half=False)
        row = {"taps": taps, "type": btype, "edges": edges, "rate": RATE, "linear": h.tolist(), "early": early.tolist()}
        rows.append(row)
    return rows


def closed_steady_state(sos):
    """As the kernel starts, see generate.py."""
    rows, scale = [], 1.0
    for b0, b1, b2, a0, a1, a2 in sos.tolist():
        gain = (b0 + b1 + b2) / (a0 + a1 + a2)
        rows.append([scale * (gain - b0), scale * (b2 - a2 * gain)])
        scale *= gain
    return np.array(rows)


def steady_sosfilt(sos, x):
    y, _ = signal.sosfilt(sos, x, axis=0, zi=closed_steady_state(sos)[:, :, None] * x[0])
    return y


def after_constant(filtered, x, before):
    """What a filter gives whose input has been the first value long before the signal starts."""
    return filtered(np.concatenate([np.repeat(x[:1], before, axis=0), x]))[before:]


def recording(samples):
    """Two channels in quarters of a microvolt: drift, alpha, mains, noise, an offset."""
    random = np.random.Generator(np.random.PCG64(8))
    n = np.arange(samples)[:, None]
    x = np.cumsum(random.integers(-60, 61, size=(samples, 2)), axis=0) + random.integers(-80, 81, size=(samples, 2))
    x = x + np.round(80 * np.sin(2 * np.pi * 10.0 * n / RATE + [0.0, 1.0]) + 40 * np.sin(2 * np.pi * 50.0 * n / RATE))
    return (x + [4000, -1200]).astype(np.int64)


def z_running(x, alpha):
    """West's update as it stands in the paper, one value after the other."""
    out, mean, variance = np.zeros_like(x), x[0].copy(), np.zeros(x.shape[1])
    for n, value in enumerate(x):
        distance = value - mean
        if n:
            mean = mean + alpha * distance
            variance = (1.0 - alpha) * (variance + alpha * distance**2)
        with np.errstate(invalid="ignore"):
            out[n] = np.where(value == mean, 0.0, (value - mean) / np.sqrt(variance))
    return out


def z_calibrated(x, samples):
    out = np.zeros_like(x)
    for n in range(1, samples):
        out[n] = stats.zscore(x[: n + 1], axis=0)[n]
    mean, deviation = x[:samples].mean(axis=0), x[:samples].std(axis=0)
    out[samples:] = (x[samples:] - mean) / deviation
    return out


def hilbert_taps(delay):
    m = np.arange(-delay, delay + 1)
    ideal = np.where(m % 2 == 0, 0.0, 2.0 / (np.pi * np.where(m == 0, 1, m)))
    return ideal * signal.windows.hamming(2 * delay + 1)


def envelope(x, delay):
    turned = signal.lfilter(hilbert_taps(delay), [1.0], x, axis=0)
    delayed = np.concatenate([np.zeros((delay, x.shape[1])), x])[: len(x)]
    return np.hypot(delayed, turned)


def detrended(x, length, kind):
    padded = np.concatenate([np.repeat(x[:1], length - 1, axis=0), x])
    windows = np.lib.stride_tricks.sliding_window_view(padded, length, axis=0)
    return signal.detrend(windows, axis=-1, type=kind)[..., -1]


CASCADES = {
    "chebyshev1": cheby1(4, [1.0, 40.0], "bandpass", RATE),
    "chebyshev2": cheby2(5, [0.5, 45.0], "bandpass", RATE),
    "elliptic": ellip(3, [45.0, 57.0], "bandstop", RATE),
}


def outputs(x):
    fir = lambda taps, edge, kind: lambda v: signal.lfilter(signal.firwin(taps, edge, pass_zero=kind, fs=RATE), [1.0], v, axis=0)
    early = signal.minimum_phase(signal.firwin(101, 40.0, fs=RATE), half=False)
    pole = np.exp(-1.0 / (0.4 * RATE))
    comb = lambda kind, zero: lambda v: signal.lfilter(*signal.iircomb(50.0, 30.0, ftype=kind, fs=RATE, pass_zero=zero), v, axis=0)
    alpha = -np.expm1(-1.0 / (0.3 * RATE))
    delay = int(np.ceil(1.65 * RATE / 8.0))
    settled = 40 * int(RATE)
    return {
        **{name: steady_sosfilt(sos, x) for name, sos in CASCADES.items()},
        "dc_removal": steady_sosfilt(np.array([[pole, -pole, 0.0, 1.0, -pole, 0.0]]), x),
        "comb_notch": after_constant(comb("notch", False), x, settled),
        "comb_peak": after_constant(comb("peak", True), x, settled),
        "fir_lowpass": after_constant(fir(101, 40.0, "lowpass"), x, 200),
        "fir_bandstop": after_constant(fir(75, [40.0, 60.0], "bandstop"), x, 200),
        "fir_early": after_constant(lambda v: signal.lfilter(early, [1.0], v, axis=0), x, 200),
        "detrend_constant": detrended(x, 100, "constant"),
        "detrend_linear": detrended(x, 100, "linear"),
        "envelope": after_constant(lambda v: envelope(v, delay), x, 200),
        "z_running": z_running(x, alpha),
        "z_calibrated": z_calibrated(x, 150),
    }


def resampled(x):
    """The causal part of resample_poly: the whole of it, 10·max(up, down) later and from the steady state."""
    rows = []
    for up, down in [(1, 2), (1, 5), (2, 1), (4, 5), (3, 2), (128, 125)]:
        most = max(up, down)
        before = down * (20 * most // up + 2)
        padded = np.concatenate([np.repeat(x[:1], before, axis=0), x])
        h = signal.firwin(20 * most + 1, 1.0 / most, window=("kaiser", 5.0)) * up
        y = signal.upfirdn(h, padded, up, down, axis=0)
        first, count = before * up // down, -(-len(x) * up // down)
        y = y[first : first + count]
        # Where the delay is a whole number of outputs it is resample_poly itself, shifted.
        shift = 10 * most / down
        if shift == int(shift):
            whole = signal.resample_poly(x, up, down, axis=0)
            inside = slice(int(shift), len(whole) - int(shift))
            later = slice(2 * int(shift), len(whole))
            assert np.allclose(whole[inside], y[later], rtol=0, atol=1e-9)
        rows.append({"up": up, "down": down, "values": y})
    return rows


def main():
    out = Path(sys.argv[1])
    (out / "filter_designs.json").write_text(lines("designs", designs()))
    counts = recording(320)
    x = counts / 4.0
    found = outputs(x)
    np.save(out / "filter_outputs.npy", np.stack(list(found.values())))
    rows = resampled(x)
    np.save(out / "resampled.npy", np.concatenate([row.pop("values").ravel() for row in rows]))
    text = {
        "quarters": counts.ravel().tolist(),
        "outputs": list(found),
        "cascades": {name: sos.tolist() for name, sos in CASCADES.items()},
        "resampled": rows,
        "firs": firs(),
    }
    (out / "filters.json").write_text(json.dumps(text, separators=(",", ":")).replace("},{", "},\n{") + "\n")


def lines(key, rows):
    body = ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows)
    return "{" + json.dumps(key) + ":[\n" + body + "\n]}\n"


if __name__ == "__main__":
    main()
