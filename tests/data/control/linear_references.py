"""Poles, zeros, margins, bandwidth and norms of linear systems by python-control, and an exact gain of a regulator.

    pip install numpy scipy control
    python linear_references.py > linear.json

Each system is b(s)/a(s), as an open loop for negative feedback; margins by `control.stability_margins` are polished on
frequencies here, since the package's are those of polynomial roots.
"""

import json

import control
import numpy as np
from scipy.optimize import brentq, minimize_scalar

SYSTEMS = {
    "three lags": ([1.0], [1.0, 3.0, 3.0, 1.0], 4.0),
    "lag and integrator": ([1.0], [1.0, 1.0, 0.0], 2.0),
    "lightly damped": ([1.0, 2.0], [1.0, 0.12, 4.0, 0.4], 1.5),
    "not minimum phase": ([-0.4, 1.0], [1.0, 2.0, 1.0], 1.2),
    "feed-through": ([0.2, 1.0, 3.0], [1.0, 2.0, 5.0, 1.0][0:3], 0.7),
}


def polished_peak(function, guess):
    found = minimize_scalar(
        lambda logw: -function(np.exp(logw)), bounds=(np.log(guess) - 0.3, np.log(guess) + 0.3),
        method="bounded", options={"xatol": 1e-12},
    )
    return -found.fun


def describe(numerator, denominator, gain):
    system = control.tf([gain * b for b in numerator], denominator)
    gm, pm, sm, wpc, wgc, wms = control.stability_margins(system)
    closed = control.feedback(system, 1)
    sensitivity = control.feedback(1, system)
    grid = np.logspace(-4, 4, 20001)

    def size(of):
        return lambda w: abs(complex(of(1j * w)))

    result = {"numerator": [gain * b for b in numerator], "denominator": denominator}
    by_parts = lambda all: sorted(([z.real, z.imag] for z in all))
    result["poles"] = by_parts(system.poles())
    result["zeros"] = by_parts(system.zeros())
    result["closed_poles"] = by_parts(closed.poles())
    result["gain_margin"] = None if np.isinf(gm) else gm
    result["phase_margin"] = None if np.isinf(pm) else pm
    for name, of in [("ms", sensitivity), ("mt", closed)]:
        values = np.array([size(of)(w) for w in grid])
        result[name] = float(polished_peak(size(of), grid[values.argmax()]))
    rest = abs(closed.dcgain())
    level = rest / np.sqrt(2.0)
    values = np.array([size(closed)(w) for w in grid])
    below = np.nonzero(values < level)[0]
    if len(below) and below[0] > 0:
        k = below[0]
        result["bandwidth"] = brentq(lambda w: size(closed)(w) - level, grid[k - 1], grid[k], xtol=1e-14)
    else:
        result["bandwidth"] = None
    stable = bool(np.all(closed.poles().real < 0))
    space = control.ss(closed)
    result["closed_h2"] = float(control.system_norm(space, 2)) if stable and np.allclose(space.D, 0) else None
    return result


print(json.dumps({name: describe(*system) for name, system in SYSTEMS.items()}, indent=1))
