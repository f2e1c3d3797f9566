"""Profile likelihood of a parameter of Boehm et al. 2014, by exact re-optimization, without Costate.

The equations of tests/data/petab/boehm (8 states) with their forward sensitivities are solved by LSODA (scipy) to rtol = 1e-11.
The three sigmas are replaced by their best values given the trajectories, so that the objective, the negative log-likelihood,
depends on six parameters; on the logarithms of these it is minimized by L-BFGS-B inside the problem's bounds, the one profiled held.
Each point is minimized from the best fit, from its neighbor's minimum, and from a third start, drawn, and the least is taken.
The ends of the 95 % intervals are found by Brent's method on the profile. Written to boehm.json.
"""

import csv
import json
import pathlib

import numpy as np
from scipy.integrate import solve_ivp
from scipy.optimize import brentq, minimize
from scipy.stats import chi2

here = pathlib.Path(__file__).parent
table = here.parent / "petab" / "boehm" / "measurementData_Boehm_JProteomeRes2014.tsv"
OBSERVABLES = ["pSTAT5A_rel", "pSTAT5B_rel", "rSTAT5A_rel"]
rows = list(csv.DictReader(table.open(), delimiter="\t"))
times = sorted({float(row["time"]) for row in rows})
measured = np.full((len(times), 3), np.nan)
for row in rows:
    o = OBSERVABLES.index(row["observableId"])
    measured[times.index(float(row["time"])), o] = float(row["measurement"])
assert np.isfinite(measured).all()
COUNT = len(times)
NAMES = ["Epo_degradation_BaF3", "k_exp_hetero", "k_exp_homo", "k_imp_hetero", "k_imp_homo", "k_phos"]
LOW, HIGH = np.log(1e-5), np.log(1e5)
CYT, NUC, RATIO, C = 1.4, 0.45, 0.693, 0.107


def parts(t, x, p):
    """f, its Jacobian by x and by the logarithms of p."""
    epo, ehe, eho, ihe, iho, phos = p
    a, b, ab, aa, bb, naa, nab, nbb = x
    e = 1.25e-7 * np.exp(-epo * t)
    k = e * phos
    q = NUC / CYT
    f = np.array([
        -2 * k * a * a - k * a * b + ehe * q * nab + 2 * eho * q * naa,
        -k * a * b - 2 * k * b * b + ehe * q * nab + 2 * eho * q * nbb,
        k * a * b - ihe * ab,
        k * a * a - iho * aa,
        k * b * b - iho * bb,
        iho * aa / q - eho * naa,
        ihe * ab / q - ehe * nab,
        iho * bb / q - eho * nbb,
    ])
    j = np.zeros((8, 8))
    j[0, [0, 1, 6, 5]] = -4 * k * a - k * b, -k * a, ehe * q, 2 * eho * q
    j[1, [0, 1, 6, 7]] = -k * b, -k * a - 4 * k * b, ehe * q, 2 * eho * q
    j[2, [0, 1, 2]] = k * b, k * a, -ihe
    j[3, [0, 3]] = 2 * k * a, -iho
    j[4, [1, 4]] = 2 * k * b, -iho
    j[5, [3, 5]] = iho / q, -eho
    j[6, [2, 6]] = ihe / q, -ehe
    j[7, [4, 7]] = iho / q, -eho
    by_k = k * np.array([-2 * a * a - a * b, -a * b - 2 * b * b, a * b, a * a, b * b, 0, 0, 0])
    g = np.zeros((8, 6))
    g[:, 5] = by_k
    g[:, 0] = -epo * t * by_k
    g[[0, 1, 6], 1] = ehe * q * nab, ehe * q * nab, -ehe * nab
    g[[0, 1, 5, 7], 2] = 2 * eho * q * naa, 2 * eho * q * nbb, -eho * naa, -eho * nbb
    g[[2, 6], 3] = -ihe * ab, ihe * ab / q
    g[[3, 4, 5, 7], 4] = -iho * aa, -iho * bb, iho * aa / q, iho * bb / q
    return f, j, g


def observed(x):
    """The three observables and their derivatives by x."""
    a, b, ab, aa, bb = x[:5]
    top = [200 * aa * C + 100 * ab, -100 * ab + 200 * bb * (C - 1), 100 * a * C + 200 * aa * C + 100 * ab]
    below = [
        a * C + 2 * aa * C + ab,
        b * (C - 1) - ab + 2 * bb * (C - 1),
        a * C - b * (C - 1) + 2 * aa * C + 2 * ab - 2 * bb * (C - 1),
    ]
    dtop = np.array([[0, 0, 100, 200 * C, 0], [0, 0, -100, 0, 200 * (C - 1)], [100 * C, 0, 100, 200 * C, 0]])
    dbelow = np.array([
        [C, 0, 1, 2 * C, 0],
        [0, C - 1, -1, 0, 2 * (C - 1)],
        [C, 1 - C, 2, 2 * C, -2 * (C - 1)],
    ])
    top, below = np.array(top), np.array(below)
    slopes = np.zeros((3, 8))
    slopes[:, :5] = (dtop * below[:, None] - top[:, None] * dbelow) / below[:, None] ** 2
    return top / below, slopes


def objective(theta):
    """-ln L with the best sigmas, and its gradient by the logarithms of the six parameters."""
    p = np.exp(theta)
    start = np.zeros((8, 7))
    start[0, 0], start[1, 0] = 207.6 * RATIO, 207.6 - 207.6 * RATIO

    def rate(t, z):
        z = z.reshape(8, 7)
        f, j, g = parts(t, z[:, 0], p)
        return np.column_stack([f, j @ z[:, 1:] + g]).ravel()

    def jacobian(t, z):
        # without second derivatives: Newton's iteration needs no more
        return np.kron(parts(t, z.reshape(8, 7)[:, 0], p)[1], np.eye(7))

    span = (0.0, times[-1])
    done = solve_ivp(rate, span, start.ravel(), "LSODA", times, rtol=1e-11, atol=1e-12, jac=jacobian)
    assert done.success, done.message
    z = done.y.T.reshape(COUNT, 8, 7)
    residuals, slopes = np.empty((COUNT, 3)), np.empty((COUNT, 3, 6))
    for i in range(COUNT):
        value, by_x = observed(z[i, :, 0])
        residuals[i] = value - measured[i]
        slopes[i] = by_x @ z[i, :, 1:]
    square = (residuals**2).mean(0)
    value = 0.5 * COUNT * (np.log(2 * np.pi * square) + 1).sum()
    gradient = ((residuals[:, :, None] * slopes).sum(0) / square[:, None]).sum(0)
    return value, gradient


def minimum(start, held=None, at=None):
    """The least objective, all but `held` free, and where."""
    start = np.clip(start, LOW, HIGH)
    bounds = [(LOW, HIGH)] * 6
    if held is not None:
        start[held] = at
        bounds[held] = (at, at)
    options = {"ftol": 1e-15, "gtol": 1e-7, "maxiter": 400, "maxcor": 20}
    done = minimize(objective, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    # once more without the memory of the way, which may have ended on a flat place
    again = minimize(objective, done.x, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    return min((done.fun, tuple(done.x)), (again.fun, tuple(again.x)))


random = np.random.default_rng(1)
nominal = np.log([0.026982514033029, 1.00067973851508e-05, 0.006170228086381, 0.0163679184468, 97749.3794024716, 15766.5070195731])
best, at = minimum(nominal.copy())
at = np.array(at)
print("objective", repr(best), np.exp(at), flush=True)
target = best + chi2.ppf(0.95, 1) / 2
result = {
    "provenance": "Computed without Costate by boehm.py in this folder (LSODA, L-BFGS-B: numpy and scipy).",
    "objective": best,
    "best": dict(zip(NAMES, np.exp(at).tolist())),
    "intervals": {},
    "points": {},
}
for name in ["Epo_degradation_BaF3"]:
    i = NAMES.index(name)
    warm = {"x": at}

    def profile(c, thorough=False):
        starts = [warm["x"]]
        if thorough:
            starts += [at, at + random.normal(0, 0.3, 6)]
        value, x = min(minimum(np.array(s), i, c) for s in starts)
        warm["x"] = np.array(x)
        return value

    ends = []
    result["points"][name] = []
    for side in (-1, 1):
        warm["x"], far, before = at, at[i], at[i]
        while profile(far) < target:
            before, far = far, far + side * 0.05
        end = brentq(lambda c: profile(c) - target, before, far, xtol=1e-8)
        ends.append(float(np.exp(end)))
        warm["x"] = at
        for part in (0.25, 0.5, 0.75, 1.0):
            c = at[i] + part * (end - at[i])
            value = profile(c, thorough=True)
            result["points"][name].append([float(np.exp(c)), value])
            print(name, result["points"][name][-1], flush=True)
    result["intervals"][name] = ends
    print(name, ends, flush=True)
    (here / "boehm.json").write_text(json.dumps(result, indent=1) + "\n")
