"""Writes the reference data of the features: SciPy's Welch spectra, band powers in them by the trapezoidal rule, and
periodograms of short windows.

Usage: features.py DIRECTORY, after generate.py in the same run. Running it again gives the same bytes.
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
from scipy import signal

BANDS = [["delta", 1.0, 4.0], ["theta", 4.0, 8.0], ["alpha", 8.0, 13.0], ["beta", 13.0, 30.0], ["gamma", 30.0, 45.0]]

# (rate as num/den, look-back in ms, segment in ms or none, bands)
CASES = [
    (250, 1, 1000, None, BANDS),
    (250, 1, 2000, 1000, BANDS),
    (250, 1, 4000, 1500, BANDS),
    (160, 1, 1000, None, BANDS),
    (160, 1, 1500, 500, BANDS[1:]),
    (256, 1, 700, None, BANDS[1:]),
    (512, 1, 1000, 250, BANDS[1:]),
    (64, 5, 4000, None, [["slow", 0.5, 3.0], ["all", 0.0, 6.4]]),
    (250, 1, 50, None, [["one bin", 15.0, 25.0], ["beta", 13.0, 45.0]]),
    (1000, 1, 333, 100, [["wide", 20.0, 500.0]]),
]


def samples_in(millis, num, den):
    """Samples in a span, to the nearest, ties up."""
    return (2 * millis * num + 1000 * den) // (2 * 1000 * den)


# Samples of a window: all short ones that a direct transform takes, and lengths behind it, one of them prime.
LENGTHS = [1, 2, 3, 4, 5, 8, 9, 12, 13, 25, 26, 51, 52, 64, 65, 97, 300, 1500]


def periodograms():
    rows = []
    for samples in LENGTHS:
        random = np.random.Generator(np.random.PCG64(1000 + samples))
        x = (random.integers(-400, 401, size=(samples, 3)) + [[40, -80000, 0]]) / 4.0
        _, p = signal.periodogram(x, 250.0, window="boxcar", detrend=False, scaling="spectrum", axis=0)
        rows.append({"quarters": (x * 4).astype(int).ravel().tolist(), "powers": p.T.ravel().tolist()})
    lines = ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows)
    (Path(sys.argv[1]) / "periodograms.json").write_text('{"periodograms":[\n' + lines + "\n]}\n")


def main():
    periodograms()
    rows = []
    for case, (num, den, over, segment, bands) in enumerate(CASES):
        rate = num / den
        length = samples_in(over, num, den)
        nperseg = length if segment is None else samples_in(segment, num, den)
        # Samples travel as f32: quarters of a microvolt are exact in it. Two channels, some samples to forget.
        random = np.random.Generator(np.random.PCG64(case))
        steps = random.integers(-120, 121, size=(length + 37, 2))
        x = (np.cumsum(steps, axis=0) - np.arange(len(steps))[:, None] // 3 + [[4000, -80000]]) / 4.0
        assert np.array_equal(x, x.astype(np.float32))
        powers, frequencies, densities = [], [], []
        for channel in range(2):
            noverlap = 0 if segment is None else nperseg // 2
            f, p = signal.welch(x[-length:, channel], rate, nperseg=nperseg, noverlap=noverlap)
            frequencies, densities = f.tolist(), [*densities, *p.tolist()]
            for _, low, high in bands:
                mask = (f >= low) & (f <= high)
                one = mask.sum() == 1
                powers.append(float(p[mask][0] * f[1] if one else np.trapezoid(p[mask], f[mask])))
        rows.append(
            {
                "num": num,
                "den": den,
                "over_ms": over,
                "segment_ms": segment,
                "bands": bands,
                "quarters": (x * 4).astype(int).ravel().tolist(),
                "powers": powers,
                "frequencies": frequencies,
                "densities": densities,
            }
        )
    lines = ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows)
    (Path(sys.argv[1]) / "band_powers.json").write_text('{"band_powers":[\n' + lines + "\n]}\n")


if __name__ == "__main__":
    main()
