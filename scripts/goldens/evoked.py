"""Writes the reference data of decoders of evoked responses: pyRiemann's xDAWN filters and covariances, scikit-learn's
discriminants and logistic regression behind them.

Usage: evoked.py DIRECTORY. Running it again gives the same bytes.
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
from pyriemann.geometry.mean import mean_riemann
from pyriemann.geometry.tangentspace import tangent_space
from pyriemann.spatialfilters import Xdawn
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression

ESTIMATORS = {"scm": "sample", "lwf": "ledoit_wolf", "oas": "oas"}
# Classes, epochs of each, channels, samples, filters, samples of a mean, estimator.
CASES = [(2, 20, 5, 24, 2, 8, "oas"), (3, 16, 4, 30, 1, 7, "scm"), (2, 12, 4, 18, 3, 6, "lwf"), (2, 15, 6, 40, 2, 40, "scm")]


def flat(array):
    return np.asarray(array, dtype=float).ravel().tolist()


def epochs(random, classes, each, channels, samples):
    """Correlated noise, and for each class a response of its own at its own place and time, not always as strong."""
    mixing = np.eye(channels) + 0.5 * random.standard_normal((channels, channels))
    places = random.standard_normal((classes, channels))
    labels = random.permutation(np.repeat(np.arange(classes), each))
    t = np.arange(samples) / samples
    x = []
    for label in labels:
        bump = np.exp(-(((t - 0.3 - 0.2 * label) / 0.1) ** 2)) * (6 + 2 * random.standard_normal())
        x.append(mixing @ (8 * random.standard_normal((channels, samples))) + np.outer(places[label], bump))
    # Quarters of a microvolt, so exact in any format.
    return np.round(4 * np.array(x)) / 4, labels


def means(x, count):
    """Of samples in a row, fewer at the end."""
    starts = np.arange(0, x.shape[-1], count)
    sizes = np.diff(np.append(starts, x.shape[-1]))
    return (np.add.reduceat(x, starts, axis=-1) / sizes).reshape(len(x), -1)


def scores(fitted, features):
    return {"scores": flat(fitted.decision_function(features)), "labels": fitted.predict(features).tolist()}


def rows():
    for case, (classes, each, channels, samples, filters, count, estimator) in enumerate(CASES):
        random = np.random.Generator(np.random.PCG64(300 + case))
        x, y = epochs(random, classes, 2 * each, channels, samples)
        half = len(y) // 2
        x, y, test, truth = x[:half], y[:half], x[half:], y[half:]
        xdawn = Xdawn(nfilter=filters, estimator=estimator).fit(x, y)
        row = {
            "classes": classes,
            "channels": channels,
            "samples": samples,
            "filters": filters,
            "means_of": count,
            "estimator": ESTIMATORS[estimator],
            "train": [(4 * epoch).astype(int).ravel().tolist() for epoch in x],
            "labels": y.tolist(),
            "test": [(4 * epoch).astype(int).ravel().tolist() for epoch in test],
            "truth": truth.tolist(),
            "spatial": flat(xdawn.filters_),
            "patterns": flat(xdawn.patterns_),
            "evoked": flat(xdawn.evokeds_),
        }
        features, unseen = means(xdawn.transform(x), count), means(xdawn.transform(test), count)
        shrunk = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(features, y)
        row["shrunk"] = scores(shrunk, unseen)
        # Where filters repeat each other there is no plain discriminant; a singular value decomposition makes one up.
        if classes * filters <= channels:
            row["lda"] = scores(LinearDiscriminantAnalysis().fit(features, y), unseen)
        if classes == 2:
            special = XdawnCovariances(nfilter=filters, estimator=estimator, xdawn_estimator=estimator).fit(x, y)
            covariances, away = special.transform(x), special.transform(test)
            mean = mean_riemann(covariances, tol=1e-13, maxiter=200)
            vectors = tangent_space(covariances, mean)
            # Newton's method: L-BFGS stops at three digits.
            logistic = LogisticRegression(solver="newton-cholesky", tol=1e-13, max_iter=1000).fit(vectors, y)
            row["tangent"] = scores(logistic, tangent_space(away, mean))
            row["tangent"]["logarithms"] = flat(np.linalg.slogdet(away)[1])
        yield row


def main():
    lines = ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows())
    (Path(sys.argv[1]) / "evoked.json").write_text('{"evoked":[\n' + lines + "\n]}\n")


if __name__ == "__main__":
    main()
