"""Reference values of gallery scenarios with arrays, computed without Costate: `python3 gallery_references.py [NAME ...]`.

Each solve is done twice, with steps of two sizes; what the two agree in is what the scenarios' [[expect]] tables hold. Fields are solved by
the classical Runge-Kutta method, bodies by the midpoint rule extrapolated to order 14 (Gragg, Bulirsch, Stoer). Standard library only;
the fields take minutes.
"""

import csv
import sys
from math import asin, log, pi, sin, sqrt, tanh
from pathlib import Path

SCENARIOS = Path(__file__).parents[2] / "scenarios"


def runge_kutta(slope, x, t, end, steps):
    """The classical method; x is a list of numbers."""
    h = (end - t) / steps
    for k in range(steps):
        s = t + k * h
        a = slope(s, x)
        b = slope(s + h / 2, [p + h / 2 * q for p, q in zip(x, a)])
        c = slope(s + h / 2, [p + h / 2 * q for p, q in zip(x, b)])
        d = slope(s + h, [p + h * q for p, q in zip(x, c)])
        x = [p + h / 6 * (q + 2 * r + 2 * u + v) for p, q, r, u, v in zip(x, a, b, c, d)]
    return x


def extrapolated(slope, x, t, h, columns=7):
    """One step of h: the smoothed midpoint rule with 2, 4, ..., 2 columns substeps, extrapolated in the square of their length."""
    rows = []
    for j in range(columns):
        n = 2 * (j + 1)
        s = h / n
        before, now = x, [p + s * q for p, q in zip(x, slope(t, x))]
        for m in range(1, n):
            before, now = now, [p + 2 * s * q for p, q in zip(before, slope(t + m * s, now))]
        row = [[(p + q + s * r) / 2 for p, q, r in zip(before, now, slope(t + h, now))]]
        for k in range(j):
            ratio = ((j + 1) / (j - k)) ** 2 - 1
            row.append([p + (p - q) / ratio for p, q in zip(row[k], rows[-1][k])])
        rows.append(row)
    return rows[-1][-1]


def neighbours(n):
    """The four neighbours of each cell of an n x n torus."""
    return [((i - 1) % n * n + j, (i + 1) % n * n + j, i * n + (j - 1) % n, i * n + (j + 1) % n) for i in range(n) for j in range(n)]


def brusselator():
    n = 64
    cells = n * n
    around = neighbours(n)
    places = [(i / n, j / n) for i in range(n) for j in range(n)]
    k = 0.002 * n * n
    disc = [1.0 if (x - 0.3) ** 2 + (y - 0.6) ** 2 <= 0.01 else 0.0 for x, y in places]

    def slope(feed):
        def f(_, state):
            u, v = state[:cells], state[cells:]
            r = [a * a * b for a, b in zip(u, v)]
            lap_u = [k * (u[p] + u[q] + u[s] + u[t] - 4 * a) for a, (p, q, s, t) in zip(u, around)]
            lap_v = [k * (v[p] + v[q] + v[s] + v[t] - 4 * a) for a, (p, q, s, t) in zip(v, around)]
            du = [1.0 + q - 4.4 * a + feed * d + l for a, q, d, l in zip(u, r, disc, lap_u)]
            return du + [3.4 * a - q + l for a, q, l in zip(u, r, lap_v)]

        return f

    for h in (0.005, 0.0025):
        x = [22 * (y * (1 - y)) ** 1.5 for _, y in places] + [27 * (x * (1 - x)) ** 1.5 for x, _ in places]
        x = runge_kutta(slope(0.0), x, 0.0, 1.1, round(1.1 / h))
        x = runge_kutta(slope(5.0), x, 1.1, 7.5, round(6.4 / h))
        middle = 32 * n + 32
        print(f"brusselator-2d, steps of {h}: u[33,33] {x[middle]!r}, mean(u) {sum(x[:cells]) / cells!r}, v[33,33] {x[cells + middle]!r}")


def gray_scott():
    n = 64
    cells = n * n
    around = neighbours(n)
    feed, kill, du, dv = 0.037, 0.060, 0.16, 0.08
    seed = [
        float(abs(i - 28) <= 4 and abs(j - 24) <= 4) + float(abs(i - 42) <= 3 and abs(j - 45) <= 5)
        for i in range(1, n + 1)
        for j in range(1, n + 1)
    ]

    def f(_, state):
        u, v = state[:cells], state[cells:]
        r = [a * b * b for a, b in zip(u, v)]
        first = [du * (u[p] + u[q] + u[s] + u[t] - 4 * a) - b + feed * (1 - a) for a, b, (p, q, s, t) in zip(u, r, around)]
        return first + [dv * (v[p] + v[q] + v[s] + v[t] - 4 * a) + b - (feed + kill) * a for a, b, (p, q, s, t) in zip(v, r, around)]

    for h in (0.5, 0.25):
        x = [1 - 0.5 * s for s in seed] + [0.25 * s for s in seed]
        x = runge_kutta(f, x, 0.0, 2000.0, round(2000 / h))
        middle = cells + 31 * n + 31
        print(f"gray-scott, steps of {h}: mean(u) {sum(x[:cells]) / cells!r}, mean(v) {sum(x[cells:]) / cells!r}, v[32,32] {x[middle]!r}")


def solar_system():
    with open(SCENARIOS / "solar-system" / "bodies.csv") as file:
        rows = list(csv.DictReader(file))
    mass = [float(row["mass"]) for row in rows]
    x = [float(row[c]) for c in ("x", "y", "z", "vx", "vy", "vz") for row in rows]
    n, gravity = len(mass), 2.95912208286e-4

    def f(_, s):
        a = [0.0] * (3 * n)
        for i in range(n):
            for k in range(i):
                d = [s[c * n + k] - s[c * n + i] for c in range(3)]
                square = sum(p * p for p in d)
                w = gravity / (square * sqrt(square))
                for c in range(3):
                    a[c * n + i] += mass[k] * d[c] * w
                    a[c * n + k] -= mass[i] * d[c] * w
        return s[3 * n :] + a

    for h in (100.0, 50.0):
        s = x
        for k in range(round(200000 / h)):
            s = extrapolated(f, s, k * h, h)
        print(f"solar-system, steps of {h}: x {s[:n]}, y {s[n : 2 * n]}")


def phantom_jam():
    n, road = 40, 1000.0

    def wanted(distance):
        return 16.8 * (tanh(0.086 * (distance - 25)) + 0.913)

    def f(_, s):
        x, v = s[:n], s[n:]
        ahead = [*x[1:], x[0] + road]
        return v + [2.0 * (wanted(b - a) - w) for a, b, w in zip(x, ahead, v)]

    for h in (0.5, 0.25):
        s = [25.0 * i for i in range(1, n + 1)] + [wanted(25.0)] * n
        s[0] += 0.5
        for k in range(round(300 / h)):
            s = extrapolated(f, s, k * h, h)
            if k + 1 == round(150 / h):
                print(f"phantom-jam, steps of {h}, t = 150: v[1] {s[n]!r}")
        print(f"phantom-jam, steps of {h}: x[1] {s[0]!r}, v[1] {s[n]!r}, mean(v) {sum(s[n:]) / n!r}")


def power_grid():
    power = [1.5, 1.5, -1.0, -1.0, -1.0]
    limit, most = 0.6, 1.63
    start = [asin(0.5 / most)] * 2 + [0.0] * 8

    def slope(lines):
        def f(_, s):
            a = [p - 0.1 * w for p, w in zip(power, s[5:])]
            for i, j in lines:
                flow = most * sin(s[i - 1] - s[j - 1])
                a[i - 1] -= flow
                a[j - 1] += flow
            return s[5:] + a

        return f

    for h in (0.004, 0.002):
        # at rest until line 1-3 fails
        lines = [(1, 4), (1, 5), (2, 3), (2, 4), (2, 5), (3, 4)]
        t, s, log = 5.0, start, []

        def excess(s):
            return max((abs(sin(s[i - 1] - s[j - 1])) - limit, (i, j)) for i, j in lines)

        while t < 20:
            step = min(h, 20 - t)
            f = slope(lines)
            after = runge_kutta(f, s, t, t + step, 1)
            if lines and excess(after)[0] > 0:
                # the moment by halving the step; a step of any length from s is as good as a full one
                low, high = 0.0, step
                for _ in range(60):
                    middle = (low + high) / 2
                    if excess(runge_kutta(f, s, t, t + middle, 1))[0] > 0:
                        high = middle
                    else:
                        low = middle
                s = runge_kutta(f, s, t, t + high, 1)
                t += high
                line = excess(s)[1]
                lines.remove(line)
                log.append((line, t))
            else:
                s, t = after, t + step
        print(f"power-grid, steps of {h}: {log}, speeds {s[5:]}")


def heat_conductivity():
    with open(SCENARIOS / "heat-conductivity" / "readings.csv") as file:
        rows = list(csv.DictReader(file))
    n, dx, capacity, conductivity = 40, 0.01, 3.5e6, 40.0
    faces = [2 * conductivity] + [conductivity] * (n - 1) + [2 * conductivity]

    def f(_, x):
        padded = [100.0, *x, 20.0]
        flux = [k * (a - b) / dx for k, a, b in zip(faces, padded, padded[1:])]
        return [(a - b) / (capacity * dx) for a, b in zip(flux, flux[1:])]

    for h in (1.0, 0.5):
        x, t = [20.0] * n, 0.0
        # of the 39 changes, all 0, with a deviation of 0.15
        objective = 39 * log(0.15 * sqrt(2 * pi))
        for row in rows:
            end = float(row["time"])
            x, t = runge_kutta(f, x, t, end, round((end - t) / h)), end
            for name, reading in row.items():
                if name != "time":
                    residual = (float(reading) - x[int(name[4:]) - 1]) / 0.1
                    objective += 0.5 * residual**2 + log(0.1 * sqrt(2 * pi))
        print(f"heat-conductivity, steps of {h}: objective {objective!r}, T[20] {x[19]!r}")


if __name__ == "__main__":
    all_of_them = {
        "heat-conductivity": heat_conductivity,
        "solar-system": solar_system,
        "power-grid": power_grid,
        "phantom-jam": phantom_jam,
        "brusselator-2d": brusselator,
        "gray-scott": gray_scott,
    }
    for name in sys.argv[1:] or all_of_them:
        all_of_them[name]()
