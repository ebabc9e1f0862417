"""Writes the reference data of a filter bank with common spatial patterns: SciPy's filters, pyRiemann's covariances and CSP in
every band, scikit-learn's shrunk discriminant on all bands together.

Usage: filter_bank.py DIRECTORY. Running it again gives the same bytes.
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
from pyriemann.geometry.covariance import covariances
from pyriemann.spatialfilters import CSP
from scipy import signal
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

RATE = 128
# Epochs of each class, channels, samples, filters, bands.
CASES = [(10, 4, 128, 2, [(8, 12), (12, 16), (16, 24)]), (14, 5, 192, 4, [(4, 8.5), (8.5, 13)])]


def flat(array):
    return np.asarray(array, dtype=float).ravel().tolist()


def main():
    lines = []
    for case, (each, channels, samples, filters, bands) in enumerate(CASES):
        random = np.random.Generator(np.random.PCG64(400 + case))
        labels = random.permutation(np.repeat([0, 1], 2 * each))
        mixing = np.eye(channels) + 0.5 * random.standard_normal((channels, channels))
        # A rhythm in the last band, at another place in each class, in noise; one epoch after the other, in quarters of a microvolt.
        wave = np.cos(2 * np.pi * np.mean(bands[-1]) * np.arange(samples) / RATE)
        x = []
        for label in labels:
            sources = 8 * random.standard_normal((channels, samples))
            sources[label] += wave * random.uniform(2, 8)
            x.append(np.round(4 * mixing @ sources) / 4)
        whole = np.concatenate(x, axis=1)
        split = []
        for low, high in bands:
            # Causal, from the steady state of the first sample.
            sos = signal.butter(4, [low, high], "bandpass", fs=RATE, output="sos")
            state = signal.sosfilt_zi(sos)[:, None, :] * whole[None, :, :1]
            filtered, _ = signal.sosfilt(sos, whole, axis=1, zi=state)
            epochs = filtered.reshape(channels, len(labels), samples).transpose(1, 0, 2)
            split.append(covariances(epochs, estimator="scm"))
        half = len(labels) // 2
        known = [CSP(nfilter=filters).fit(band[:half], labels[:half]) for band in split]
        features = np.hstack([csp.transform(band) for csp, band in zip(known, split)])
        shrunk = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(features[:half], labels[:half])
        row = {
            "channels": channels,
            "samples": samples,
            "filters": filters,
            "bands": bands,
            "labels": labels.tolist(),
            "quarters": (4 * whole.T).astype(int).ravel().tolist(),
            "covariances": [flat([band[trial] for band in split]) for trial in range(len(labels))],
            "scores": flat(shrunk.decision_function(features[half:])),
            "decided": shrunk.predict(features[half:]).tolist(),
        }
        lines.append(json.dumps(row, separators=(",", ":")))
    (Path(sys.argv[1]) / "filter_bank.json").write_text('{"filter_bank":[\n' + ",\n".join(lines) + "\n]}\n")


if __name__ == "__main__":
    main()
