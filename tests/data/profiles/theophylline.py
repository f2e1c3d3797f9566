"""Profile-likelihood intervals of the pooled theophylline scenario, without Costate: the closed form (a difference of two
exponentials), scipy's least_squares for each point of a profile, Brent's method for its ends. No noise model: the sum of
squares rises by s^2 t^2 with s^2 = SSR / (N - 3) and Student's 97.5 % quantile t of N - 3 degrees of freedom."""

import csv
import json
import pathlib

import numpy as np
from scipy.optimize import brentq, least_squares
from scipy.stats import t as student

here = pathlib.Path(__file__).parent
data = here.parents[2] / "scenarios" / "theophylline" / "theophylline.csv"
rows = [{k: float(v) for k, v in row.items()} for row in csv.DictReader(data.open())]
dose, t, c = (np.array([r[k] for r in rows]) for k in ["dose_mg_per_kg", "time_h", "conc_mg_per_L"])
NAMES = ["ke", "ka", "cl"]


def residuals(theta):
    ke, ka, cl = np.exp(theta)
    return dose * ka * ke / (cl * (ka - ke)) * (np.exp(-ke * t) - np.exp(-ka * t)) - c


def lowest(f, x):
    found = least_squares(f, x, "3-point", xtol=1e-15, ftol=1e-15, gtol=1e-15)
    return found.fun @ found.fun, found.x


ssr, at = lowest(residuals, np.log([0.08, 1.5, 0.039]))
free = len(c) - 3
target = ssr + ssr / free * student.ppf(0.975, free) ** 2
result = {"provenance": "Computed without Costate by theophylline.py in this folder (closed form, scipy).", "objective": ssr / 2, "best": dict(zip(NAMES, np.exp(at))), "intervals": {}}
for i, name in enumerate(NAMES):
    others = [j for j in range(3) if j != i]

    def profile(v):
        return lowest(lambda x: residuals(np.insert(x, i, v)), at[others])[0] - target

    ends = []
    for side in (-1, 1):
        far = at[i] + side * 0.05
        while profile(far) < 0:
            far += side * 0.05
        ends.append(np.exp(brentq(profile, at[i], far, xtol=1e-12)))
    result["intervals"][name] = ends
(here / "theophylline.json").write_text(json.dumps(result, indent=1) + "\n")
