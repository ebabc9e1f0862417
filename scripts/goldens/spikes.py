"""Writes the reference data of the spike detector: a synthetic recording of two electrodes, and what SciPy's filters and median
absolute deviation and NumPy's plain arithmetic find in it. Synthetic: made-up noise and made-up spikes.

Usage: spikes.py DIRECTORY. Running it again gives the same bytes.
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

RATE = 30_000
SAMPLES = 18_000
CALIBRATION, REFRACTORY, ALIGN = 6_000, 45, 15
FACTOR = 4.0
BINS_MS = [1, 10, 20, 50]


def recording(random):
    """Quarters of a microvolt: a slow wave, noise, and spikes of three sizes at times between samples."""
    t = np.arange(SAMPLES)
    channels = []
    for size in ([80.0, 120.0], [60.0]):
        x = 60 * np.sin(2 * np.pi * 12 * t / RATE) + 9 * random.standard_normal(SAMPLES)
        for depth in size:
            for at in np.cumsum(random.exponential(0.02 * RATE, 40) + 60):
                if at < SAMPLES - 60:
                    away = (t - at) / (RATE / 1000)
                    x += depth * (0.35 * np.exp(-(((away - 0.35) / 0.2) ** 2)) - np.exp(-((away / 0.12) ** 2)))
        channels.append(x)
    return np.ascontiguousarray(np.round(4 * np.array(channels).T).astype(np.int16))


def filtered(x, order, edges):
    sos = signal.butter(order, edges, "bandpass", fs=RATE, output="sos")
    state = signal.sosfilt_zi(sos)[:, :, None] * x[None, :1, :]
    return signal.sosfilt(sos, x, axis=0, zi=state)[0]


def spikes(x):
    """Threshold, crossings, and the troughs behind them, of one channel."""
    threshold = -FACTOR * stats.median_abs_deviation(x[:CALIBRATION]) / 0.6745
    falls = np.flatnonzero((x[1:] < threshold) & (x[:-1] >= threshold)) + 1
    crossings, troughs, depths = [], [], []
    for at in falls[falls >= CALIBRATION]:
        if crossings and at < crossings[-1] + REFRACTORY:
            continue
        crossings.append(int(at))
        lowest = at + int(np.argmin(x[at : at + ALIGN + 1]))
        bend, slope, depth = np.polyfit([-1.0, 0.0, 1.0], x[lowest - 1 : lowest + 2], 2)
        place = -slope / (2 * bend)
        troughs.append(float(lowest + place))
        depths.append(float(np.polyval([bend, slope, depth], place)))
    return {"threshold": float(threshold), "crossings": crossings, "troughs": troughs, "microvolts": depths}


def main():
    directory = Path(sys.argv[1])
    raw = recording(np.random.Generator(np.random.PCG64(41)))
    np.save(directory / "spike_band.npy", raw)
    x = raw / 4.0
    wide, narrow = filtered(x, 4, [300, 6000]), filtered(x, 2, [300, 1000])
    found = [spikes(channel) for channel in wide.T]
    for channel in found:
        # Bins from the end of the calibration on: before it nothing is known.
        channel["counts"] = {
            str(ms): np.histogram(
                channel["crossings"], np.arange(CALIBRATION, SAMPLES + 1, ms * RATE // 1000)
            )[0].tolist()
            for ms in BINS_MS
        }
    power = np.abs(narrow).reshape(-1, RATE // 20, 2).mean(axis=1)
    golden = {
        "rate": RATE,
        "factor": FACTOR,
        "calibration_ms": CALIBRATION * 1000 // RATE,
        "channels": found,
        "band_power_50ms": power.tolist(),
    }
    (directory / "spikes.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
