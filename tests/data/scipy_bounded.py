"""Bounded least-squares problems solved by SciPy, the reference of tests/optimize_bounded.rs.

Writes scipy_bounded.json next to itself: `python scipy_bounded.py` with SciPy 1.17.1 and NumPy 2.4.6. Each problem is
solved by the trust-region reflective method and by the rectangular dogleg ("dogbox") with all tolerances at 1e-15 and
derivatives by complex steps; the lower value is kept, and `agreement` is the largest difference of the two thetas
relative to max(1, |theta|): the digits the reference itself is good for.
"""
import json
import pathlib

import numpy as np
import scipy
from scipy.optimize import least_squares


def rosenbrock(x):
    return np.array([10 * (x[1] - x[0] ** 2), 1 - x[0]])


def bard(x):
    y = np.array([0.14, 0.18, 0.22, 0.25, 0.29, 0.32, 0.35, 0.39, 0.37, 0.58, 0.73, 0.96, 1.34, 2.10, 4.39])
    u = np.arange(1.0, 16.0)
    v = 16 - u
    w = np.minimum(u, v)
    return y - (x[0] + u / (v * x[1] + w * x[2]))


def kowalik_osborne(x):
    y = np.array([0.1957, 0.1947, 0.1735, 0.1600, 0.0844, 0.0627, 0.0456, 0.0342, 0.0323, 0.0235, 0.0246])
    u = np.array([4.0, 2.0, 1.0, 0.5, 0.25, 0.167, 0.125, 0.1, 0.0833, 0.0714, 0.0625])
    return y - x[0] * u * (u + x[1]) / (u * (u + x[2]) + x[3])


def brown_dennis(x):
    t = np.arange(1, 21) / 5
    return (x[0] + t * x[1] - np.exp(t)) ** 2 + (x[2] + x[3] * np.sin(t) - np.cos(t)) ** 2


def jennrich_sampson(x):
    i = np.arange(1.0, 11.0)
    return 2 + 2 * i - (np.exp(i * x[0]) + np.exp(i * x[1]))


def wood(x):
    return np.array([10 * (x[1] - x[0] ** 2), 1 - x[0], np.sqrt(90) * (x[3] - x[2] ** 2), 1 - x[2],
                     np.sqrt(10) * (x[1] + x[3] - 2), (x[1] - x[3]) / np.sqrt(10)])


def freudenstein_roth(x):
    y = x[1]
    return np.array([-13 + x[0] + ((5 - y) * y - 2) * y, -29 + x[0] + ((y + 1) * y - 14) * y])


PROBLEMS = [
    (rosenbrock, [-1.2, 0.3], [-2, -1], [0.5, 2]),
    (rosenbrock, [2.5, 2.0], [1.5, -3], [3, 3]),
    (freudenstein_roth, [8, -0.5], [5, -3], [15, 0]),
    (jennrich_sampson, [0.1, 0.1], [0, 0], [0.25, 1]),
    (bard, [0.5, 1.0, 1.0], [0.1, 0, 0], [50, 1.5, 10]),
    (kowalik_osborne, [0.15, 0.39, 0.415, 0.39], [0, 0, 0, 0], [0.18, 10, 10, 10]),
    (wood, [-3, -1, -3, -1], [-10, -10, -10, -10], [0, 10, 0, 10]),
    (brown_dennis, [5, 5, -5, -1], [-10, 0, -100, -20], [100, 15, 0, 0.2]),
]


def complex_step(f):
    # Every function above is analytic in its arguments, so the derivative is exact to rounding.
    def jacobian(x):
        columns = []
        for j in range(len(x)):
            z = np.array(x, dtype=complex)
            z[j] += 1e-30j
            columns.append(f(z).imag / 1e-30)
        return np.stack(columns, axis=1)

    return jacobian


def main():
    out = []
    for f, start, lower, upper in PROBLEMS:
        tight = dict(ftol=1e-15, xtol=1e-15, gtol=1e-15, max_nfev=20000, x_scale="jac")
        runs = [least_squares(f, start, jac=complex_step(f), bounds=(lower, upper), method=m, **tight)
                for m in ("trf", "dogbox")]
        best = min(runs, key=lambda r: r.cost)
        difference = np.max(np.abs(runs[0].x - runs[1].x) / np.maximum(1, np.abs(best.x)))
        out.append(dict(problem=f.__name__, start=start, lower=lower, upper=upper, theta=best.x.tolist(),
                        value=best.cost, values=dict(trf=runs[0].cost, dogbox=runs[1].cost),
                        active=best.active_mask.tolist(), agreement=float(difference), evaluations=[r.nfev for r in runs]))
        print(f.__name__, best.x, best.cost, best.active_mask, difference, [r.nfev for r in runs], [r.cost for r in runs])
    document = dict(made_by="scipy_bounded.py", scipy=scipy.__version__, numpy=np.__version__, problems=out)
    pathlib.Path(__file__).with_name("scipy_bounded.json").write_text(json.dumps(document, indent=1) + "\n")


main()
