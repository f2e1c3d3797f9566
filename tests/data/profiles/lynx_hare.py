"""Profile-likelihood intervals of the lynx and hare scenario, without Costate.

The equations are solved by scipy's DOP853 at rtol 1e-12. The objective is the negative log-likelihood of log-normal noise
with both sigmas replaced by their best values given the trajectories (for the sigmas' own profiles: one of them given), so
that it depends on six parameters. It is minimized over all but the one profiled by BFGS on central differences, restarted
until nothing changes; the 95 % ends are found by Brent's method on the profile. Written to lynx_hare.json.
"""

import csv
import json
import pathlib

import numpy as np
from scipy.integrate import solve_ivp
from scipy.optimize import brentq, minimize
from scipy.stats import chi2

here = pathlib.Path(__file__).parent
data = here.parents[2] / "scenarios" / "lynx-hare" / "pelts.csv"
rows = [list(map(float, row)) for row in list(csv.reader(data.open()))[1:]]
t, counts = np.array([r[0] for r in rows]), np.array([r[1:3] for r in rows])
NAMES = ["alpha", "beta", "gamma", "delta", "hare0", "lynx0"]


def squares(theta):
    """Mean squares of ln(model / count) of hare and lynx."""
    alpha, beta, gamma, delta, hare0, lynx0 = np.exp(theta)

    def f(_, x):
        return [alpha * x[0] - beta * x[0] * x[1], delta * x[0] * x[1] - gamma * x[1]]

    try:
        y = solve_ivp(f, (t[0], t[-1]), [hare0, lynx0], "DOP853", t, rtol=1e-12, atol=1e-12).y.T
    except (FloatingPointError, ValueError):
        return np.array([1e9, 1e9])
    if y.shape != counts.shape or not (y > 0).all():
        return np.array([1e9, 1e9])
    return ((np.log(y) - np.log(counts)) ** 2).mean(axis=0)


def nll(theta, sigmas=(None, None)):
    n = len(t)
    total = np.log(counts).sum() + 2 * n * 0.5 * np.log(2 * np.pi)
    for s2, sigma in zip(squares(theta), sigmas):
        if sigma is None:
            total += 0.5 * n * (np.log(s2) + 1)
        else:
            total += n * np.log(sigma) + 0.5 * n * s2 / sigma**2
    return total


def central(f):
    def gradient(x):
        h = 1e-5
        e = np.eye(len(x)) * h
        return np.array([(f(x + d) - f(x - d)) / (2 * h) for d in e])

    return gradient


def lowest(f, x):
    value = f(x)
    for _ in range(6):
        found = minimize(f, x, jac=central(f), method="BFGS", options={"gtol": 1e-7})
        x = found.x
        if value - found.fun < 1e-11:
            break
        value = found.fun
    return f(x), x


start = np.log([0.54, 0.027, 0.80, 0.0237, 34.6, 5.84])
best, at = lowest(nll, start)
target = best + chi2.ppf(0.95, 1) / 2
result = {"objective": best, "best": dict(zip(NAMES, np.exp(at))), "intervals": {}}
sigma_best = np.sqrt(squares(at))
result["best"] |= {"sigma_hare": sigma_best[0], "sigma_lynx": sigma_best[1]}


def ends(profile, center, width):
    found = []
    for side in (-1, 1):
        far = center + side * width
        while profile(far) < target:
            far += side * width
        found.append(np.exp(brentq(lambda c: profile(c) - target, center, far, xtol=1e-9)))
    return found


for i, name in enumerate(NAMES):
    others = [j for j in range(6) if j != i]
    warm = {"x": at[others]}

    def profile(c):
        def f(x):
            return nll(np.insert(x, i, c))

        value, warm["x"] = lowest(f, warm["x"])
        return value

    result["intervals"][name] = ends(profile, at[i], 0.15)
    print(name, result["intervals"][name], flush=True)
for k, name in enumerate(["sigma_hare", "sigma_lynx"]):
    warm = {"x": at}

    def profile(c):
        sigmas = [None, None]
        sigmas[k] = np.exp(c)
        value, warm["x"] = lowest(lambda x: nll(x, sigmas), warm["x"])
        return value

    result["intervals"][name] = ends(profile, np.log(sigma_best[k]), 0.3)
    print(name, result["intervals"][name], flush=True)
(here / "lynx_hare.json").write_text(json.dumps(result, indent=1) + "\n")
