"""Computes, without Costate, the numbers that the gallery's `[[expect]]` entries and the tests compare with.

    pip install numpy scipy && python3 tests/data/references.py

Linear models are solved by their closed forms or the matrix exponential, the others by DOP853 at rtol = 1e-13; best
fits come from scipy's least_squares. Prints one JSON document: for each scenario the objective at the file's
parameter values, states at given times, and the best fit.
"""

import csv
import json
import pathlib

import numpy as np
from scipy.integrate import solve_ivp
from scipy.linalg import expm
from scipy.optimize import least_squares

ROOT = pathlib.Path(__file__).resolve().parents[2] / "scenarios"
HALF_LOG_TWO_PI = 0.5 * np.log(2 * np.pi)


def columns(path):
    with open(ROOT / path, newline="") as file:
        rows = list(csv.DictReader(file))
    return {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}


def solve(f, x0, times, start=0.0):
    """States (rows) at times (columns)."""
    run = solve_ivp(f, (start, times[-1]), x0, "DOP853", times, rtol=1e-13, atol=1e-13)
    assert run.success, run.message
    return run.y


def best(residuals, start, log=True):
    """The least-squares fit on logarithms, and half its sum of squares."""
    run = least_squares(lambda q: residuals(np.exp(q)), np.log(start), xtol=1e-15, ftol=1e-15, gtol=1e-15, x_scale="jac")
    return np.exp(run.x).tolist(), run.cost


def lotka(p, x0, times, start=0.0):
    a, b, c, d = p
    return solve(lambda _, x: [x[0] * (a - b * x[1]), x[1] * (d * x[0] - c)], x0, times, start)


def lynx_hare():
    data = columns("lynx-hare/pelts.csv")
    y = np.array([data["hare"], data["lynx"]])

    def objective(p):
        alpha, beta, gamma, delta, hare0, lynx0, s_hare, s_lynx = p
        x = lotka((alpha, beta, gamma, delta), [hare0, lynx0], data["year"], 1900.0)
        s = np.array([[s_hare], [s_lynx]])
        r = (np.log(y) - np.log(x)) / s
        return float(np.sum(0.5 * r**2 + np.log(s) + HALF_LOG_TWO_PI + np.log(y))), x

    at_file, x = objective([0.55, 0.028, 0.80, 0.024, 30.0, 4.0, 0.25, 0.25])
    reference = [0.5400139472748728, 0.027156114957009127, 0.7965987708783299, 0.02370203759882117,
                 34.5991552081628, 5.843736586477591, 0.21837964539412713, 0.2200842835314516]
    return {"objective": at_file, "1910": x[:, 10].tolist(), "final": x[:, -1].tolist(), "objective at the best fit": objective(reference)[0]}


def lotka_volterra():
    times = np.linspace(0, 10, 21)
    x = lotka((1.5, 1.0, 3.0, 1.0), [1.0, 1.0], times)
    return {"objective": 0.5 * float(np.sum((x - 1) ** 2)), "final": x[:, -1].tolist()}


def influenza():
    data = columns("influenza-sir/in_bed.csv")

    def infected(p):
        beta, gamma = p
        f = lambda _, x: [-beta * x[0] * x[1] / 763, beta * x[0] * x[1] / 763 - gamma * x[1]]
        return solve(f, [762.0, 1.0], data["day"])

    residuals = lambda p: infected(p)[1] - data["in_bed"]
    start = [2.0, 0.5]
    x = infected(start)
    fit, cost = best(residuals, start)
    return {"objective": 0.5 * float(np.sum(residuals(start) ** 2)), "final": x[:, -1].tolist(), "day 6": x[:, 5].tolist(),
            "best": fit, "objective at the best fit": cost}


def theophylline():
    data = columns("theophylline/theophylline.csv")

    def concentration(p, t, dose):
        ke, ka, cl = p
        return dose * ka * ke / cl / (ka - ke) * (np.exp(-ke * t) - np.exp(-ka * t))

    residuals = lambda p: concentration(p, data["time_h"], data["dose_mg_per_kg"]) - data["conc_mg_per_L"]
    start = [0.1, 1.0, 0.05]
    fit, cost = best(residuals, start)
    return {"objective": 0.5 * float(np.sum(residuals(start) ** 2)), "subject 1 at 5 h": concentration(start, 5.0, 4.02),
            "subject 9 at 25 h": concentration(start, 25.0, 3.1), "best": fit, "objective at the best fit": cost}


def pinene():
    data = columns("pinene/pinene.csv")
    times = data.pop("minutes")
    y = np.array(list(data.values()))

    def states(p, t):
        k1, k2, k3, k4, k5 = p
        a = np.zeros((5, 5))
        a[0, 0] = -(k1 + k2)
        a[1, 0] = k1
        a[2, 0], a[2, 2], a[2, 4] = k2, -(k3 + k4), k5
        a[3, 2] = k3
        a[4, 2], a[4, 4] = k4, -k5
        return expm(a * t) @ [100.0, 0, 0, 0, 0]

    residuals = lambda p: (np.array([states(p, t) for t in times]).T - y).ravel()
    start = [1e-4, 1e-4, 1e-4, 1e-4, 1e-4]
    fit, cost = best(residuals, start)
    return {"objective": 0.5 * float(np.sum(residuals(start) ** 2)), "at 10000": states(start, 1e4).tolist(),
            "final": states(start, 4e4).tolist(), "best": fit, "objective at the best fit": cost}


def dc_motor():
    data = columns("dc-motor/trace.csv")
    sigma = np.array([[0.05], [1.5]])
    y = np.array([data["current"], data["speed"]])
    inductance, inertia, volts = 2.4e-3, 9.0e-5, 12.0

    def states(p, t):
        r, k, b = p
        a = np.array([[-r / inductance, -k / inductance], [k / inertia, -b / inertia]])
        end = -np.linalg.solve(a, [volts / inductance, 0.0])
        return end - expm(a * max(t - 0.1, 0.0)) @ end

    residuals = lambda p: ((np.array([states(p, t) for t in data["time"]]).T - y) / sigma).ravel()
    constant = float(np.sum(np.log(sigma) + HALF_LOG_TWO_PI) * y.shape[1])
    start = [2.0, 0.04, 3e-4]
    fit, cost = best(residuals, start)
    step = 1e-5
    jacobian = np.array([(residuals(np.array(fit) * (1 + step * e)) - residuals(np.array(fit) * (1 - step * e))) / (2 * step * p)
                         for p, e in zip(fit, np.eye(3))]).T
    errors = np.sqrt(np.diag(np.linalg.inv(jacobian.T @ jacobian)))
    return {"objective": 0.5 * float(np.sum(residuals(start) ** 2)) + constant, "at 0.12": states(start, 0.12).tolist(),
            "final": states(start, 0.5).tolist(), "best": fit, "objective at the best fit": cost + constant, "standard errors": errors.tolist()}


def late_runge_kutta(f, start, delay, end, steps=400):
    """States of x' = f(t, x, past) after each step of the classical Runge-Kutta method with `steps` steps a delay; past(t) is x(t - delay),
    `start` before t = 0, between steps by cubic Hermite polynomials."""
    h, states, slopes = delay / steps, [start], []

    def past(t):
        if t <= delay + 1e-12:
            return start
        k = min(int((t - delay) / h + 1e-9), len(slopes) - 2)
        x = (t - delay) / h - k
        return ((2 * x**3 - 3 * x**2 + 1) * states[k] + (x**3 - 2 * x**2 + x) * h * slopes[k]
                + (3 * x**2 - 2 * x**3) * states[k + 1] + (x**3 - x**2) * h * slopes[k + 1])

    for i in range(round(end / h)):
        t, x = i * h, states[-1]
        k1 = f(t, x, past)
        slopes.append(k1)
        k2 = f(t + h / 2, x + h / 2 * k1, past)
        k3 = f(t + h / 2, x + h / 2 * k2, past)
        k4 = f(t + h, x + h * k3, past)
        states.append(x + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4))
    return lambda t: states[round(t / h)]


def cruise_control():
    mass, air, rolling, g, target, theta, kp, ki, force = 1500.0, 0.42, 0.012, 9.81, 25.0, 0.4, 0.45, 0.04, 6000.0
    slope = lambda t: 0.05 / (1 + np.exp(-(t - 10) / 0.8))
    resistance = lambda t, v: air * v**2 + mass * g * rolling + mass * g * np.sin(np.arctan(slope(t)))
    throttle = lambda x: kp * (target - x[0]) + ki * x[1]
    f = lambda t, x, past: np.array([(force * throttle(past(t)) - resistance(t, x[0])) / mass, target - x[0]])
    start = np.array([target, (air * target**2 + mass * g * rolling) / (force * ki)])
    at = late_runge_kutta(f, start, theta, 60.0)
    return {"speed at 16": at(16)[0], "final": at(60).tolist()}


def runge_kutta(f, x, end, steps, wanted):
    """The classical Runge-Kutta method from t = 0: states after the steps that are wanted."""
    h, found = end / steps, {}
    for i in range(steps + 1):
        if i in wanted:
            found[i] = x.tolist()
        t = i * h
        k1 = f(t, x)
        k2 = f(t + h / 2, x + h / 2 * k1)
        k3 = f(t + h / 2, x + h / 2 * k2)
        k4 = f(t + h, x + h * k3)
        x = x + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return [found[i] for i in wanted]


def tank_level(steps=24000):
    area, hole, pump, lag, g, before, target, kp, ki = 0.0154, 5e-5, 4e-5, 3.0, 9.81, 0.2, 0.25, 20.0, 0.2
    out = lambda level: hole * np.sqrt(2 * g * level)
    f = lambda t, x: np.array([(x[1] - out(x[0])) / area, (pump * (kp * (target - x[0]) + x[2]) - x[1]) / lag, ki * (target - x[0])])
    at, end = runge_kutta(f, np.array([before, out(before), out(before) / pump]), 240.0, steps, [steps // 8, steps])
    return {"level at 30": at[0], "final level": end[0]}


def quadrotor_hover(steps=8000):
    mass, inertia, arm, drag, g, side, up = 0.5, 4e-3, 0.17, 0.1, 9.81, 1.0, 0.5
    k_height, d_height, k_side, d_side, k_angle, d_angle = 4.0, 4.0, 0.1, 0.15, 30.0, 8.0

    def f(t, s):
        x, z, angle, vx, vz, spin = s
        lean = k_side * (x - side) + d_side * vx
        thrust = mass * (g + k_height * (up - z) - d_height * vz)
        push = -thrust * np.sin(angle) - drag * vx + np.exp(-(((t - 4) / 0.4) ** 2))
        return np.array([vx, vz, spin, push / mass, (thrust * np.cos(angle) - drag * vz) / mass - g, k_angle * (lean - angle) - d_angle * spin])

    at, end = runge_kutta(f, np.zeros(6), 8.0, steps, [steps // 2, steps])
    return {"x, z, angle at 4": at[:3], "final z": end[1]}


def inventory_policy():
    base, season, lead, smooth, goal, part, ahead = 100.0, 10.0, 2.0, 4.0, 150.0, 0.5, 2.0
    demand = lambda t: base + 25 / (1 + np.exp(-4 * (t - 5))) + season * np.sin(2 * np.pi * t / 26) + 12 * np.sin(2 * np.pi * t / 2.7)
    order = lambda x: x[2] + part * (goal + x[2] * ahead - x[0] - x[1])
    f = lambda t, x, past: np.array([order(past(t)) - demand(t), order(x) - order(past(t)), (demand(t) - x[2]) / smooth])
    at = late_runge_kutta(f, np.array([goal, base * lead, base]), lead, 60.0)
    return {"stock at 16": at(16)[0], "final": at(60).tolist()}


if __name__ == "__main__":
    print(json.dumps({"lynx-hare": lynx_hare(), "lotka-volterra": lotka_volterra(), "influenza-sir": influenza(),
                      "theophylline": theophylline(), "pinene": pinene(), "dc-motor": dc_motor(), "cruise-control": cruise_control(),
                      "tank-level": tank_level(), "quadrotor-hover": quadrotor_hover(), "inventory-policy": inventory_policy()}, indent=1))
