"""Writes the reference data of canonical correlation: NumPy's QR and SVD, SciPy's causal sub-band filters.

Usage: cca.py DIRECTORY. Running it again gives the same bytes.
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


def references(hz, harmonics, rate, samples):
    t = samples / rate
    waves = [wave(2 * np.pi * h * hz * t) for h in range(1, harmonics + 1) for wave in (np.sin, np.cos)]
    return np.stack(waves, axis=1)


def correlations(x, y):
    """All canonical correlations, the largest first."""
    qx, _ = np.linalg.qr(x - x.mean(axis=0))
    qy, _ = np.linalg.qr(y - y.mean(axis=0))
    return np.linalg.svd(qx.T @ qy, compute_uv=False)


def mixed(seed, samples, channels, rate, hz):
    """Noise that channels share, and a flicker in some of it, in quarters of a microvolt."""
    random = np.random.Generator(np.random.PCG64(seed))
    noise = random.integers(-40, 41, size=(samples, channels)) @ random.integers(-3, 4, size=(channels, channels))
    noise = noise + random.integers(-20, 21, size=(samples, channels))
    # Whole numbers times a wave that is rounded to sixty-fourths: the same on every machine.
    wave = np.round(64 * np.sin(2 * np.pi * hz * np.arange(samples) / rate + seed)) / 64
    return np.round(noise + 60 * wave[:, None] * random.integers(0, 3, size=channels)).astype(int) + 100 * seed


# (samples, channels, rate, harmonics, frequencies, samples left out)
CASES = [
    (256, 8, 256.0, 2, [13.0, 21.0, 17.0], []),
    (1024, 8, 256.0, 2, [13.0, 21.0, 17.0], []),
    (250, 3, 250.0, 3, [8.0, 9.5, 11.25, 15.0], []),
    (128, 1, 256.0, 1, [30.0, 20.0], []),
    (64, 8, 160.0, 2, [12.0, 15.0], [5, 6, 40]),
    (25, 8, 250.0, 2, [13.0, 17.0], []),
    (300, 12, 500.0, 5, [7.0, 23.5], []),
]


def plain():
    rows = []
    for case, (samples, channels, rate, harmonics, frequencies, without) in enumerate(CASES):
        x = mixed(case, samples, channels, rate, frequencies[0])
        kept = np.setdiff1d(np.arange(samples), without)
        rho = [float(correlations(x[kept] / 4.0, references(hz, harmonics, rate, kept))[0]) for hz in frequencies]
        rows.append(
            {
                "channels": channels,
                "rate": rate,
                "harmonics": harmonics,
                "frequencies": frequencies,
                "without": without,
                "quarters": x.ravel().tolist(),
                "rho": rho,
            }
        )
    return rows


def dependent():
    """An average reference takes one dimension: the basis is that of the other channels."""
    quarters = mixed(7, 300, 5, 250.0, 10.0)
    x = quarters / 4.0
    x = (x - x.mean(axis=1, keepdims=True)).astype(np.float32).astype(float)
    kept = np.arange(300)
    rho = [float(correlations(x[:, :4], references(hz, 2, 250.0, kept))[0]) for hz in (10.0, 12.0)]
    return {"channels": 5, "quarters": quarters.ravel().tolist(), "rho": rho}


def filter_bank():
    """Sub-bands filtered causally from the steady state of the first sample, the last second of them correlated."""
    rate, bands, frequencies, harmonics, seconds = 250.0, [[8, 88], [16, 88], [24, 88]], [9.0, 11.0, 14.0], 3, 3
    x = mixed(5, int(seconds * rate), 3, rate, 11.0)
    samples = np.arange(int(rate))
    scores = np.zeros(len(frequencies))
    for n, band in enumerate(bands, 1):
        sos = signal.butter(4, band, "bandpass", fs=rate, output="sos")
        zi = signal.sosfilt_zi(sos)
        y, _ = signal.sosfilt(sos, x / 4.0, axis=0, zi=zi[:, :, None] * (x[0] / 4.0))
        last = y[-len(samples) :]
        rho = np.array([correlations(last, references(hz, harmonics, rate, samples))[0] for hz in frequencies])
        scores += (n**-1.25 + 0.25) * rho**2
    return {
        "rate": rate,
        "channels": 3,
        "bands": bands,
        "frequencies": frequencies,
        "harmonics": harmonics,
        "quarters": x.ravel().tolist(),
        "scores": scores.tolist(),
    }


def main():
    lines = [json.dumps(row, separators=(",", ":")) for row in plain()]
    text = '{"plain":[\n' + ",\n".join(lines) + '\n],"dependent":'
    text += json.dumps(dependent(), separators=(",", ":")) + ',\n"filter_bank":'
    text += json.dumps(filter_bank(), separators=(",", ":")) + "}\n"
    (Path(sys.argv[1]) / "cca.json").write_text(text)


if __name__ == "__main__":
    main()
