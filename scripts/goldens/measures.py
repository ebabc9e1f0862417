"""Writes the reference data of measures of the signal: artifacts, quality and features, by SciPy and MNE.

Usage: measures.py DIRECTORY. Running it again gives the same bytes.
"""

import os

# NumPy and OpenBLAS pick code by the processor, and their last bits with it. Pin both before they load.
os.environ["NPY_DISABLE_CPU_FEATURES"] = "X86_V3,X86_V4,AVX512_ICL,AVX512_SPR"
os.environ["OPENBLAS_CORETYPE"] = "Haswell"
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import json
import sys
from pathlib import Path

import mne
import numpy as np
from scipy import signal, stats

mne.set_log_level("ERROR")

RATE = 250.0
LENGTH = 500


def recording(samples, channels, seed):
    """Counts of a quarter of a microvolt: drift, a shared and an own alpha, noise, an offset."""
    random = np.random.Generator(np.random.PCG64(seed))
    n = np.arange(samples)[:, None]
    walk = np.cumsum(random.integers(-40, 41, size=(samples, channels)), axis=0)
    white = random.integers(-80, 81, size=(samples, channels))
    alpha = np.round(100 * np.sin(2 * np.pi * 10.3 * n / RATE + np.arange(channels)))
    mains = np.round(30 * np.sin(2 * np.pi * 50.0 * n / RATE))
    return (walk + white + alpha + mains + 4000 * np.arange(1, channels + 1)).astype(np.int64)


def hjorth(x):
    d, dd = np.diff(x), np.diff(x, n=2)
    mobility = np.sqrt(np.var(d) / np.var(x))
    return [float(np.var(x)), float(mobility), float(np.sqrt(np.var(dd) / np.var(d)) / mobility)]


def line_noise(x, mains):
    f, p = signal.welch(x, RATE, nperseg=len(x), noverlap=0)
    near = [np.abs(f - k * mains) <= 1.0 + 1e-9 for k in range(1, int(RATE / 2 / mains) + 2)]
    return float(sum(p[mask].sum() for mask in near if mask.any()) / p[f >= 1.0 - 1e-9].sum())


def multitaper(x, bandwidth):
    p, f = mne.time_frequency.psd_array_multitaper(
        x, RATE, bandwidth=bandwidth, adaptive=False, low_bias=True, normalization="full"
    )
    return p.tolist()


def morlet(x, frequencies, cycles):
    """Power of tfr_array_morlet where the latest whole wavelet has its centre."""
    found = []
    for frequency in frequencies:
        wavelet = mne.time_frequency.morlet(RATE, [frequency], cycles, zero_mean=True)[0]
        half = len(wavelet) // 2
        power = mne.time_frequency.tfr_array_morlet(
            x[None, None], RATE, [frequency], n_cycles=cycles, zero_mean=True, output="power"
        )[0, 0, 0]
        found.append(float(power[len(x) - 1 - half]))
    return found


def aperiodic(x, low, high, without):
    f, p = signal.welch(x, RATE, nperseg=int(RATE))
    mask = (f >= low) & (f <= high) & ~((f >= without[0]) & (f <= without[1]))
    slope, offset = np.polyfit(np.log10(f[mask]), np.log10(p[mask]), 1)
    return [float(offset), float(-slope)]


def closed_steady_state(sos):
    """As the kernel starts, see generate.py."""
    rows, scale = [], 1.0
    for b0, b1, b2, a0, a1, a2 in sos.tolist():
        gain = (b0 + b1 + b2) / (a0 + a1 + a2)
        rows.append([scale * (gain - b0), scale * (b2 - a2 * gain)])
        scale *= gain
    return np.array(rows)


def band_passed(x, order, low, high):
    sos = signal.butter(order, [low, high], btype="bandpass", fs=RATE, output="sos")
    y, _ = signal.sosfilt(sos, x, axis=0, zi=closed_steady_state(sos)[:, :, None] * x[0])
    return y


def envelope_power(x, low, high, order, seconds):
    """At every sample."""
    squares = band_passed(x, order, low, high) ** 2
    alpha = -np.expm1(-1.0 / (seconds * RATE))
    y, _ = signal.lfilter([alpha], [1.0, alpha - 1.0], squares, axis=0, zi=(1.0 - alpha) * squares[:1])
    return y


def phase_locking(x, low, high, length):
    analytic = signal.hilbert(band_passed(x, 4, low, high)[-length:], axis=0)
    phase = analytic / np.abs(analytic)
    return float(np.abs(np.mean(phase[:, 0] * phase[:, 1].conj())))


def coherence(x, low, high, segment, length):
    f, c = signal.coherence(x[-length:, 0], x[-length:, 1], RATE, nperseg=segment)
    mask = (f >= low) & (f <= high)
    return float(c[mask].mean())


def eog_regression():
    random = np.random.Generator(np.random.PCG64(77))
    samples = 400
    eyes = random.integers(-200, 201, size=(samples, 2)) * (random.random((samples, 1)) < 0.3)
    eyes = np.cumsum(eyes, axis=0) - np.arange(samples)[:, None] // 7
    brain = random.integers(-60, 61, size=(samples, 3))
    mixed = brain + (eyes @ np.array([[2, 1, 0], [1, -1, 3]])) // 4
    counts = np.concatenate([mixed, eyes], axis=1)
    x = counts.T / 4.0
    info = mne.create_info(["Fp1", "Fp2", "Cz", "EOG left", "EOG right"], RATE, ["eeg"] * 3 + ["eog"] * 2)
    raw = mne.io.RawArray(x.copy(), info)
    raw.set_eeg_reference([])
    model = mne.preprocessing.EOGRegression(picks="eeg", picks_artifact="eog", proj=False).fit(raw)
    return {
        "quarters": counts.ravel().tolist(),
        "weights": model.coef_.tolist(),
        "eye_means": x[3:].mean(axis=1).tolist(),
        "cleaned": model.apply(raw).get_data()[:3, ::20].T.ravel().tolist(),
    }


def blinks():
    """A naive detector, window by window of 50 ms: what the operator's documentation says, over SciPy's filter."""
    random = np.random.Generator(np.random.PCG64(5))
    samples = 1250
    counts = np.cumsum(random.integers(-12, 13, size=(samples, 1)), axis=0) + random.integers(-20, 21, size=(samples, 1))
    for at, height in [(300, 900), (330, 700), (520, 200), (700, 1100), (1000, -800), (1180, 1000)]:
        length = 60
        counts[at : at + length, 0] += np.round(height * np.hanning(length)).astype(np.int64)[: samples - at]
    x = counts / 4.0
    y = band_passed(x, 2, 1.0, 10.0)[:, 0]
    refractory = round(0.5 * RATE)
    threshold, blinking, last = 100.0, False, -refractory
    part, onset = np.zeros(samples, bool), np.zeros(samples, bool)
    for n, value in enumerate(np.abs(y)):
        if blinking:
            blinking = value >= threshold / 2
        elif value > threshold and n - last >= refractory:
            blinking, last, onset[n] = True, n, True
        part[n] = blinking
    edges = [int(np.ceil(k * 0.05 * RATE - 1e-9)) for k in range(samples * 20 // int(RATE) + 1)]
    rows = [
        [int(part[a:b].any()), int(onset[a:b].sum()), float(np.abs(y[a:b]).max())] for a, b in zip(edges, edges[1:])
    ]
    return {"quarters": counts.ravel().tolist(), "windows": rows}


def main():
    counts = recording(LENGTH + 250, 2, 42)
    x = counts / 4.0
    tail = x[-LENGTH:]
    channels = [tail[:, 0], tail[:, 1]]
    text = {
        "versions": {"mne": mne.__version__},
        "quarters": counts.ravel().tolist(),
        "length": LENGTH,
        "kurtosis": [float(stats.kurtosis(c)) for c in channels],
        "hjorth": [hjorth(c) for c in channels],
        "line_length": [float(np.mean(np.abs(np.diff(c)))) for c in channels],
        "line_noise": [line_noise(c, 50.0) for c in channels],
        "multitaper": [
            {"bandwidth": bandwidth, "samples": samples, "density": [multitaper(x[-samples:, c], bandwidth) for c in (0, 1)]}
            for bandwidth, samples in [(None, 250), (4.0, 250), (3.0, 125), (2.0, 500), (9.0, 97)]
        ],
        "morlet": [
            {"frequencies": f, "cycles": cycles, "power": [morlet(x[:, c], f, cycles) for c in (0, 1)]}
            for f, cycles in [([6.0, 10.0, 20.5], 5.0), ([12.0, 40.0], 7.0)]
        ],
        "aperiodic": [aperiodic(c, 2.0, 40.0, [8.0, 13.0]) for c in channels],
        "envelope_power": [
            {"band": [low, high], "order": order, "ms": ms, "power": envelope_power(x, low, high, order, ms / 1e3)[-1].tolist()}
            for low, high, order, ms in [(8.0, 13.0, 4, 250), (13.0, 30.0, 2, 100)]
        ],
        "phase_locking": [
            {"band": [low, high], "value": phase_locking(x, low, high, LENGTH)} for low, high in [(8.0, 13.0), (13.0, 30.0)]
        ],
        "coherence": [
            {"band": [low, high], "segment": segment, "value": coherence(x, low, high, segment, LENGTH)}
            for low, high, segment in [(8.0, 14.0, 125), (13.0, 30.0, 97), (4.0, 8.0, 250)]
        ],
        "eog_regression": eog_regression(),
        "blinks": blinks(),
    }
    rows = ",\n".join(f"{json.dumps(key)}:{json.dumps(value, separators=(',', ':'))}" for key, value in text.items())
    (Path(sys.argv[1]) / "measures.json").write_text("{\n" + rows + "\n}\n")


if __name__ == "__main__":
    main()
