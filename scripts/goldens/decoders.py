"""Writes the reference data of covariances and decoders: scikit-learn's estimators, discriminants and logistic regression,
SciPy's generalised eigenvalues, pyRiemann's means, distances, tangent spaces, CSP and minimum distance to mean.

Usage: decoders.py DIRECTORY. Running it again gives the same bytes.
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
from pyriemann.classification import MDM
from pyriemann.geometry.base import invsqrtm
from pyriemann.geometry.distance import distance_riemann
from pyriemann.geometry.geodesic import geodesic_riemann
from pyriemann.geometry.mean import mean_riemann
from pyriemann.geometry.tangentspace import tangent_space
from pyriemann.spatialfilters import CSP
from pyriemann.transfer import TLCenter, encode_domains
from scipy import linalg
from sklearn.covariance import empirical_covariance, ledoit_wolf, oas
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression


def flat(array):
    return np.asarray(array, dtype=float).ravel().tolist()


def signal(random, samples, channels):
    """Quarters of a microvolt, so exact in any format: correlated channels of different power, none at zero."""
    mixing = np.eye(channels) + 0.4 * random.standard_normal((channels, channels))
    x = 20 * random.standard_normal((samples, channels)) @ mixing + np.arange(channels) * 7 - 5
    return np.round(4 * x) / 4


def estimators():
    # (samples, channels): more of either, one channel, nearly no sample.
    rows = []
    for case, (samples, channels) in enumerate([(60, 4), (8, 12), (200, 1), (2, 3), (37, 9)]):
        x = signal(np.random.Generator(np.random.PCG64(case)), samples, channels)
        rows.append(
            {
                "channels": channels,
                "quarters": (4 * x).astype(int).ravel().tolist(),
                "sample": flat(empirical_covariance(x)),
                "ledoit_wolf": flat(ledoit_wolf(x)[0]),
                "oas": flat(oas(x)[0]),
            }
        )
    return rows


def geometry():
    rows = []
    for case, (matrices, channels) in enumerate([(5, 2), (8, 5), (1, 3), (6, 8)]):
        random = np.random.Generator(np.random.PCG64(100 + case))
        x = np.array([empirical_covariance(signal(random, 40 + 10 * n, channels)) for n in range(matrices)])
        mean = mean_riemann(x, tol=1e-13, maxiter=200)
        rows.append(
            {
                "channels": channels,
                "matrices": [flat(matrix) for matrix in x],
                "mean": flat(mean),
                "distances": flat(distance_riemann(x, mean)),
                "tangent": [flat(vector) for vector in tangent_space(x, mean)],
                "eigenvalues": flat(linalg.eigvalsh(x[0])),
                "against_mean": flat(linalg.eigvalsh(x[0], mean)),
                "geodesic": flat(geodesic_riemann(x[0], x[-1], 0.3)),
                "recentred": {metric: recentred(x, metric) for metric in ["riemann", "euclid"]},
                "running": running(x),
            }
        )
    return rows


def recentred(x, metric):
    """One domain around its own mean. TLCenter's Riemannian mean ends its iteration at 1e-8 of its own."""
    x, y = encode_domains(x, np.arange(len(x)) % 2, np.repeat(["session"], len(x)))
    return [flat(matrix) for matrix in TLCenter("session", metric=metric).fit_transform(x, y)]


def running(x):
    """The mean that goes 1 / n of the way to each new matrix, and that matrix around it."""
    mean, rows = x[0], []
    for n, matrix in enumerate(x, start=1):
        mean = geodesic_riemann(mean, matrix, 1 / n)
        whitener = invsqrtm(mean)
        rows.append({"mean": flat(mean), "recentred": flat(whitener @ matrix @ whitener)})
    return rows


def tangents():
    """Epochs of a signal as vectors in the tangent space at the mean of all."""
    rows = []
    for case, (epochs, samples, channels) in enumerate([(6, 50, 3), (9, 40, 5)]):
        x = signal(np.random.Generator(np.random.PCG64(150 + case)), epochs * samples, channels)
        covariances = np.array([oas(epoch)[0] for epoch in np.split(x, epochs)])
        mean = mean_riemann(covariances, tol=1e-13, maxiter=200)
        rows.append(
            {
                "channels": channels,
                "samples": samples,
                "quarters": (4 * x).astype(int).ravel().tolist(),
                "vectors": flat(tangent_space(covariances, mean)),
            }
        )
    return rows


def trials(random, classes, each, channels):
    """Classes whose power is in other mixtures of sources."""
    mixing = np.eye(channels) + 0.5 * random.standard_normal((channels, channels))
    labels = random.permutation(np.repeat(np.arange(classes), each))
    x = []
    for label in labels:
        power = np.ones(channels)
        power[label] = 1.3 + random.uniform(-0.4, 0.4)
        sources = 12 * random.standard_normal((80, channels)) * power
        x.append(empirical_covariance(np.round(4 * (sources @ mixing)) / 4))
    return np.array(x), labels


def decoders():
    rows = []
    for case, (classes, each, channels) in enumerate([(2, 8, 5), (2, 14, 4), (3, 9, 5)]):
        random = np.random.Generator(np.random.PCG64(200 + case))
        x, y = trials(random, classes, 2 * each, channels)
        half = len(y) // 2
        x, y, test, truth = x[:half], y[:half], x[half:], y[half:]
        row = {
            "classes": classes,
            "channels": channels,
            "train": [flat(matrix) for matrix in x],
            "labels": y.tolist(),
            "test": [flat(matrix) for matrix in test],
            "truth": truth.tolist(),
        }
        mdm = MDM().fit(x, y)
        row["mdm"] = {"labels": mdm.predict(test).tolist(), "probabilities": flat(mdm.predict_proba(test))}
        if classes == 2:
            csp = CSP(nfilter=4).fit(x, y)
            features, unseen = csp.transform(x), csp.transform(test)
            row["csp"] = {"features": flat(unseen), "patterns": flat(csp.patterns_)}
            plain = LinearDiscriminantAnalysis().fit(features, y)
            row["lda"] = {"scores": flat(plain.decision_function(unseen)), "labels": plain.predict(unseen).tolist()}
            shrunk = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(features, y)
            row["shrunk"] = {"scores": flat(shrunk.decision_function(unseen)), "labels": shrunk.predict(unseen).tolist()}
            mean = mean_riemann(x, tol=1e-13, maxiter=200)
            vectors, away = tangent_space(x, mean), tangent_space(test, mean)
            # Newton's method: L-BFGS stops at three digits.
            logistic = LogisticRegression(solver="newton-cholesky", tol=1e-13, max_iter=1000).fit(vectors, y)
            row["tangent"] = {
                "scores": flat(logistic.decision_function(away)),
                "labels": logistic.predict(away).tolist(),
                "weights": flat(logistic.coef_),
                "intercept": float(logistic.intercept_[0]),
            }
        rows.append(row)
    return rows


def main():
    for name, rows in [
        ("covariances", estimators()),
        ("geometry", geometry()),
        ("tangents", tangents()),
        ("decoders", decoders()),
    ]:
        lines = ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows)
        (Path(sys.argv[1]) / f"{name}.json").write_text(f'{{"{name}":[\n{lines}\n]}}\n')


if __name__ == "__main__":
    main()
