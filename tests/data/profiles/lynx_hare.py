"""Profile-likelihood intervals of the lynx and hare scenario, without Costate.

The equations are solved by Taylor series of order 24 in steps of 0.2 years, many parameter sets at once. The objective is
the negative log-likelihood of log-normal noise with both sigmas replaced by their best values given the trajectories (for the
sigmas' own profiles: one of them given), so that it depends on six parameters. It is minimized over all but the one profiled
by Newton's method on central differences; the 95 % ends are found by Brent's method on the profile. Written to lynx_hare.json.
"""

import csv
import json
import pathlib

import numpy as np
from scipy.optimize import brentq
from scipy.stats import chi2

here = pathlib.Path(__file__).parent
data = here.parents[2] / "scenarios" / "lynx-hare" / "pelts.csv"
rows = [list(map(float, row)) for row in list(csv.reader(data.open()))[1:]]
counts = np.array([r[1:3] for r in rows])
years = len(rows)
NAMES = ["alpha", "beta", "gamma", "delta", "hare0", "lynx0"]
ORDER, STEPS = 24, 5


def solve(theta):
    """Hare and lynx at all years, (sets, years, 2), for logarithms of parameters (sets, 6)."""
    a, b, g, d, x, y = np.exp(theta).T
    out = [np.stack([x, y], -1)]
    h = 1 / STEPS
    for _ in range(years - 1):
        for _ in range(STEPS):
            xs, ys = np.empty((ORDER + 1, len(x))), np.empty((ORDER + 1, len(x)))
            xs[0], ys[0] = x, y
            for k in range(ORDER):
                xy = (xs[: k + 1] * ys[k::-1]).sum(0)
                xs[k + 1] = (a * xs[k] - b * xy) / (k + 1)
                ys[k + 1] = (d * xy - g * ys[k]) / (k + 1)
            x = y = 0
            for k in range(ORDER, -1, -1):
                x, y = x * h + xs[k], y * h + ys[k]
        out.append(np.stack([x, y], -1))
    return np.stack(out, 1)


def squares(theta):
    """Mean squares of ln(model / count) of hare and lynx."""
    return ((np.log(solve(theta)) - np.log(counts)) ** 2).mean(1)


def nll(theta, sigmas=(None, None)):
    total = np.log(counts).sum() + years * np.log(2 * np.pi)
    for s2, sigma in zip(squares(theta).T, sigmas):
        if sigma is None:
            total = total + 0.5 * years * (np.log(s2) + 1)
        else:
            total = total + years * np.log(sigma) + 0.5 * years * s2 / sigma**2
    return total


def newton(f, x):
    """The minimum of f, which takes many points at once: Newton's method, damped where it does not go down."""
    n = len(x)
    h = 3e-4
    e = np.eye(n) * h
    pairs = [(i, j) for i in range(n) for j in range(i)]
    for _ in range(60):
        points = [x] + [x + d for d in e] + [x - d for d in e]
        points += [x + e[i] * s + e[j] * t for i, j in pairs for s in (1, -1) for t in (1, -1)]
        v = f(np.array(points))
        up, down, mixed = v[1 : n + 1], v[n + 1 : 2 * n + 1], v[2 * n + 1 :].reshape(-1, 4)
        hessian = np.diag((up - 2 * v[0] + down) / h**2)
        for (i, j), m in zip(pairs, mixed):
            hessian[i, j] = hessian[j, i] = (m[0] - m[1] - m[2] + m[3]) / (4 * h * h)
        gradient = (up - down) / (2 * h)
        lowest = np.linalg.eigvalsh(hessian)[0]
        if lowest < 1e-3:
            hessian += np.eye(n) * (1 - lowest)
        step = -np.linalg.solve(hessian, gradient)
        step *= min(1, 0.1 / np.abs(step).max())
        trials = np.array([x + step * 0.5**k for k in range(12)])
        values = np.nan_to_num(f(trials), nan=np.inf)
        k = int(np.argmin(values))
        if values[k] < v[0]:
            x = trials[k]
        if np.abs(step).max() < 1e-6 or values[k] >= v[0] - 1e-13:
            break
    assert np.abs(step).max() < 1e-4, step
    return float(f(x[None])[0]), x


at = np.log([0.54, 0.027, 0.80, 0.0237, 34.6, 5.84])
best, at = newton(nll, at)
target = best + chi2.ppf(0.95, 1) / 2
print("objective", best, np.exp(at), flush=True)
sigma_best = np.sqrt(squares(at[None])[0])
result = {
    "provenance": "Computed without Costate by lynx_hare.py in this folder (Taylor series, numpy and scipy).",
    "objective": best,
    "best": dict(zip(NAMES, np.exp(at).tolist()))
    | {"sigma_hare": float(sigma_best[0]), "sigma_lynx": float(sigma_best[1])},
    "intervals": {},
}


def ends(profile, center, width):
    found = []
    for side in (-1, 1):
        far = center + side * width
        while profile(far) < target:
            far += side * width
        found.append(float(np.exp(brentq(lambda c: profile(c) - target, center, far, xtol=1e-8))))
    return found


for i, name in enumerate(NAMES):
    warm = {"x": np.delete(at, i)}

    def profile(c):
        value, warm["x"] = newton(lambda x: nll(np.insert(x, i, c, axis=1)), warm["x"])
        return value

    result["intervals"][name] = ends(profile, at[i], 0.1)
    print(name, result["intervals"][name], flush=True)
for k, name in enumerate(["sigma_hare", "sigma_lynx"]):
    warm = {"x": at}

    def profile(c):
        sigmas = [None, None]
        sigmas[k] = np.exp(c)
        value, warm["x"] = newton(lambda x: nll(x, sigmas), warm["x"])
        return value

    result["intervals"][name] = ends(profile, float(np.log(sigma_best[k])), 0.15)
    print(name, result["intervals"][name], flush=True)
(here / "lynx_hare.json").write_text(json.dumps(result, indent=1) + "\n")
