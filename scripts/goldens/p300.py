"""Writes what the reference decoders make of a real P300 session: SciPy's causal filter, pyRiemann's xDAWN, covariances and
tangent space, scikit-learn's folds, discriminant, logistic regression and area under the curve.

Usage: p300.py DIRECTORY. Reads the recordings below NEURAFLOW_DATA (../shared/data beside the project without it).
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
from pyriemann.estimation import XdawnCovariances
from pyriemann.spatialfilters import Xdawn
from pyriemann.tangentspace import TangentSpace
from scipy import signal
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("NEURAFLOW_DATA", ROOT.parent / "shared/data")) / "muse/P300_subject1_session1"
RATE, BEFORE, LENGTH, LIMIT = 256, 26, 230, 150
# Seconds: what begins earlier, the filter has not settled for.
SETTLED = 2.7
MEANS_OF = 8


def means(x):
    """Of samples in a row, fewer at the end."""
    starts = np.arange(0, x.shape[-1], MEANS_OF)
    sizes = np.diff(np.append(starts, x.shape[-1]))
    return (np.add.reduceat(x, starts, axis=-1) / sizes).reshape(len(x), -1)


DECODERS = {
    "tangent": lambda: make_pipeline(
        XdawnCovariances(nfilter=2, estimator="oas", xdawn_estimator="oas"),
        TangentSpace(),
        LogisticRegression(solver="newton-cholesky", tol=1e-12, max_iter=1000),
    ),
    "lda": lambda: make_pipeline(
        Xdawn(nfilter=2, estimator="oas"),
        FunctionTransformer(means),
        LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"),
    ),
}


def epochs():
    """Filtered epochs [epoch][channel][sample] about each marker, less their baselines, and which are targets."""
    cut, targets = [], []
    for path in sorted(DATA.glob("*.csv")):
        table = np.loadtxt(path, delimiter=",", skiprows=1)
        x, markers = table[:, 1:5].T, table[:, 6]
        # Causal, from the steady state of the first sample.
        sos = signal.butter(4, [1, 30], "bandpass", fs=RATE, output="sos")
        state = signal.sosfilt_zi(sos)[:, None, :] * x[None, :, :1]
        x, _ = signal.sosfilt(sos, x, axis=1, zi=state)
        for marker in np.flatnonzero(markers):
            first = marker - BEFORE
            epoch = x[:, max(first, 0) : first + LENGTH]
            if first < SETTLED * RATE or epoch.shape[1] < LENGTH or np.ptp(epoch, axis=1).max() > LIMIT:
                continue
            cut.append(epoch - epoch[:, :BEFORE].mean(axis=1, keepdims=True))
            targets.append(int(markers[marker]) - 1)
    return np.array(cut), np.array(targets)


def main():
    x, y = epochs()
    result = {"truth": y.tolist()}
    for name, make in DECODERS.items():
        probabilities, areas = np.zeros(len(y)), []
        for train, test in StratifiedKFold(5).split(x, y):
            probabilities[test] = make().fit(x[train], y[train]).predict_proba(x[test])[:, 1]
            areas.append(float(roc_auc_score(y[test], probabilities[test])))
        result[name] = {
            "labels": (probabilities > 0.5).astype(int).tolist(),
            "probabilities": [float(f"{p:.9g}") for p in probabilities],
            "auc_of_folds": areas,
            "auc": float(np.mean(areas)),
        }
    (Path(sys.argv[1]) / "p300.json").write_text(json.dumps(result, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
