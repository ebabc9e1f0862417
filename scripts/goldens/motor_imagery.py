"""Writes what the reference decoders make of real motor imagery: SciPy's causal filter, pyRiemann's covariances, CSP,
minimum distance to mean and tangent space, scikit-learn's discriminant and logistic regression.

Usage: motor_imagery.py DIRECTORY. Reads the recordings below NEURAFLOW_DATA (../shared/data beside the project without it).
"""

import os

# NumPy and OpenBLAS pick code by the processor, and their last bits with it. Pin both before they load.
os.environ["NPY_DISABLE_CPU_FEATURES"] = "X86_V3,X86_V4,AVX512_ICL,AVX512_SPR"
os.environ["OPENBLAS_CORETYPE"] = "Haswell"
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import json
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pyedflib
from pyriemann.classification import MDM
from pyriemann.estimation import Covariances
from pyriemann.geometry.covariance import covariances
from pyriemann.spatialfilters import CSP
from pyriemann.tangentspace import TangentSpace
from scipy import signal
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("NEURAFLOW_DATA", ROOT.parent / "shared/data")) / "edf"
RATE, BEGIN, LENGTH = 160, Fraction(1, 2), 3
PAIRS = [("S001R06", "S001R10"), ("S001R10", "S001R06"), ("S001R04", "S001R08"), ("S001R08", "S001R04")]
DECODERS = {
    "csp": lambda: make_pipeline(Covariances("scm"), CSP(nfilter=4), LinearDiscriminantAnalysis()),
    "mdm": lambda: make_pipeline(Covariances("oas"), MDM()),
    "tangent": lambda: make_pipeline(
        Covariances("oas"), TangentSpace(), LogisticRegression(solver="lbfgs", tol=1e-10, max_iter=10_000)
    ),
}


# Those of K. K. Ang et al. (2012).
BANDS = [(low, low + 4) for low in range(4, 40, 4)]


class FilterBank:
    """Common spatial patterns in every band, and one shrunk discriminant."""

    def fit(self, x, y):
        self.bands = [CSP(nfilter=4).fit(covariances(band, estimator="scm"), y) for band in x]
        self.shrunk = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(self.features(x), y)
        return self

    def features(self, x):
        return np.hstack([csp.transform(covariances(band, estimator="scm")) for csp, band in zip(self.bands, x)])

    def predict(self, x):
        return self.shrunk.predict(self.features(x))

    def predict_proba(self, x):
        return self.shrunk.predict_proba(self.features(x))


def epochs(name, low=8, high=30):
    """Filtered epochs [epoch][channel][sample] from 0.5 to 3.5 s after each cue, and the cues' labels."""
    with pyedflib.EdfReader(str(DATA / f"{name}.edf")) as file:
        x = np.array([file.readSignal(channel) for channel in range(64)])
        onsets, _, labels = file.readAnnotations()
    # Causal, from the steady state of the first sample.
    sos = signal.butter(4, [low, high], "bandpass", fs=RATE, output="sos")
    state = signal.sosfilt_zi(sos)[:, None, :] * x[None, :, :1]
    x, _ = signal.sosfilt(sos, x, axis=1, zi=state)
    cut, cues = [], []
    for onset, label in zip(onsets, labels):
        # The first sample is the one nearest to the beginning, the earlier one of two.
        place = (Fraction(str(round(onset, 4))) + BEGIN) * RATE
        first = -((Fraction(1, 2) - place) // 1)
        if label in ("T1", "T2") and first + LENGTH * RATE <= x.shape[1]:
            cut.append(x[:, int(first) : int(first) + LENGTH * RATE])
            cues.append(label)
    return np.array(cut), np.array(cues)


def main():
    recordings = {name: epochs(name) for name in sorted({name for pair in PAIRS for name in pair})}
    rows = []
    for train, test in PAIRS:
        (x, y), (unseen, truth) = recordings[train], recordings[test]
        row = {"train": train, "test": test, "truth": truth.tolist()}
        fits = {name: (make().fit(x, y), unseen) for name, make in DECODERS.items()}
        banks = [[epochs(name, *band)[0] for band in BANDS] for name in (train, test)]
        fits["filter-bank"] = (FilterBank().fit(banks[0], y), banks[1])
        for name, (fitted, unseen) in fits.items():
            probabilities = fitted.predict_proba(unseen).max(axis=1)
            row[name] = {
                "labels": fitted.predict(unseen).tolist(),
                "confidences": [float(f"{p:.9g}") for p in probabilities],
            }
        rows.append(row)
    lines = ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows)
    (Path(sys.argv[1]) / "motor_imagery.json").write_text('{"motor_imagery":[\n' + lines + "\n]}\n")


if __name__ == "__main__":
    main()
