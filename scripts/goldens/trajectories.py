"""Writes the reference data of the decoders of trajectories on made-up spikes: NumPy's and SciPy's plain arithmetic for Poisson Bayes,
scikit-learn's least squares and ridge for the Wiener filter, and filterpy's Kalman filter with a model that NumPy fits.

Usage: trajectories.py DIRECTORY. Running it again gives the same bytes.
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
from filterpy.kalman import KalmanFilter
from scipy.ndimage import gaussian_filter1d
from scipy.special import erf
from sklearn.linear_model import LinearRegression, Ridge

HOP = 0.05
TRAIN, TEST = 500, 120


def flat(array):
    return np.asarray(array, dtype=float).ravel().tolist()


def spikes(random, windows, units):
    """A walk to and fro with a wobble, and units that like a place or a direction; the last unit is silent."""
    t = np.arange(windows) * HOP
    position = 100 * np.sin(0.7 * t) + 15 * np.sin(3.1 * t + 1)
    velocity = np.gradient(position, HOP)
    places = np.linspace(-110, 110, units - 1)
    rates = 2 + 40 * np.exp(-(((position[:, None] - places) / 35) ** 2)) * (1 + 0.004 * velocity[:, None] * (-1.0) ** np.arange(units - 1))
    counts = random.poisson(np.maximum(rates, 0.1) * HOP)
    counts = np.column_stack([counts, np.zeros(windows, dtype=int)])
    # To a thousandth, so that JSON holds them exactly.
    return counts, np.round(np.column_stack([position, velocity]), 3)


def bayes(counts, position, test, bins=30, sigma=1.5, floor=1e-4, windows=4, occupancy=False):
    low, high = position.min(), position.max()
    place = np.clip(np.floor((position - low) / (high - low) * bins).astype(int), 0, bins - 1)
    time = gaussian_filter1d(np.bincount(place, minlength=bins) * HOP, sigma, mode="nearest")
    fired = np.array([np.bincount(place, weights=unit, minlength=bins) for unit in counts.T])
    rates = np.maximum(gaussian_filter1d(fired, sigma, axis=1, mode="nearest") / time, floor)
    seen = np.array([test[at - windows + 1 : at + 1].sum(axis=0) for at in range(windows - 1, len(test))])
    log = seen @ np.log(rates) - windows * HOP * rates.sum(axis=0)
    if occupancy:
        log += np.log(time / time.sum())
    posterior = np.exp(log - log.max(axis=1, keepdims=True))
    posterior /= posterior.sum(axis=1, keepdims=True)
    best = posterior.argmax(axis=1)
    # A twentieth of 30 bins is one and a half: the bin itself and one on each side.
    near = [row[max(at - 1, 0) : at + 2].sum() for row, at in zip(posterior, best)]
    return {"positions": flat(low + (best + 0.5) * (high - low) / bins), "confidences": flat(near)}


def wiener(counts, values, test, windows, alpha):
    def design(x):
        return np.array([x[at - windows + 1 : at + 1].ravel() for at in range(windows - 1, len(x))])

    model = LinearRegression() if alpha == 0 else Ridge(alpha=alpha, solver="cholesky")
    model.fit(design(counts), values[windows - 1 :])
    return {"windows": windows, "ridge": alpha, "values": flat(model.predict(design(test)))}


def kalman(counts, values, test):
    alive = counts.std(axis=0) > 0
    z, x = counts[:, alive] - counts[:, alive].mean(axis=0), values - values.mean(axis=0)
    a = np.linalg.lstsq(x[:-1], x[1:], rcond=None)[0].T
    h = np.linalg.lstsq(x, z, rcond=None)[0].T
    left, off = x[1:] - x[:-1] @ a.T, z - x @ h.T
    filter = KalmanFilter(dim_x=2, dim_z=int(alive.sum()))
    filter.F, filter.Q = a, left.T @ left / len(left)
    filter.H, filter.R = h, off.T @ off / len(off)
    filter.x, filter.P = np.zeros(2), x.T @ x / len(x)
    within = np.ptp(values, axis=0) / 20
    found, confidences = [], []
    for at, window in enumerate(test):
        if at > 0:
            filter.predict()
        filter.update(window[alive] - counts[:, alive].mean(axis=0))
        found.append(filter.x + values.mean(axis=0))
        confidences.append(erf(within / np.sqrt(2 * np.diag(filter.P))).min())
    return {"values": flat(found), "confidences": flat(confidences)}


def main():
    random = np.random.Generator(np.random.PCG64(8))
    counts, values = spikes(random, TRAIN + TEST, 9)
    train, test, known = counts[:TRAIN], counts[TRAIN:], values[:TRAIN]
    golden = {
        "units": counts.shape[1],
        "counts": train.ravel().tolist(),
        "values": flat(known),
        "test": test.ravel().tolist(),
        "bayes": bayes(train, known[:, 0], test),
        "bayes_occupancy": bayes(train, known[:, 0], test, occupancy=True),
        "wiener": [wiener(train, known, test, windows, alpha) for windows, alpha in [(1, 0), (6, 0), (10, 25.0)]],
        "kalman": kalman(train, known, test),
    }
    lines = ",\n".join(f"{json.dumps(key)}:{json.dumps(value, separators=(',', ':'))}" for key, value in golden.items())
    (Path(sys.argv[1]) / "trajectories.json").write_text("{\n" + lines + "\n}\n")


if __name__ == "__main__":
    main()
