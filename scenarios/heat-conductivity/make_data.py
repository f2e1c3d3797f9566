"""Makes readings.csv: what ten thermometers in a bar would have recorded, had its conductivity been the one written below.

    python3 make_data.py > readings.csv

The bar of scenario.toml, 0.4 m long in 40 cells, begins at 20 degrees C; one end is kept at 100, the other at 20. Its conductivity is 40
W/(m K), less by 25 around x = 0.13 m and more by 30 around x = 0.29 m. The equations of the cells are solved by the classical
Runge-Kutta method in steps of 0.05 s, whose errors are below the rounding of the file; normal errors of 0.1 degrees are from
Python's Mersenne twister with seed 1822, one thermometer after another in each row. Standard library only.
"""

from math import exp
from random import Random

CELLS, DX, CAPACITY = 40, 0.01, 3.5e6
HOT, COLD = 100.0, 20.0
THERMOMETERS = [3, 7, 11, 15, 19, 23, 27, 31, 35, 38]      # cells, counted from 1


def conductivity(x):
    return 40 - 25 * exp(-(((x - 0.13) / 0.04) ** 2)) + 30 * exp(-(((x - 0.29) / 0.05) ** 2))


K = [conductivity((i + 0.5) * DX) for i in range(CELLS)]
# of the faces: between two centres half a cell of each, at the ends half a cell
FACES = [2 * K[0]] + [2 * a * b / (a + b) for a, b in zip(K, K[1:])] + [2 * K[-1]]


def slope(temperature):
    padded = [HOT, *temperature, COLD]
    flux = [k * (a - b) / DX for k, a, b in zip(FACES, padded, padded[1:])]
    return [(a - b) / (CAPACITY * DX) for a, b in zip(flux, flux[1:])]


def step(x, h):
    def moved(k, h):
        return [a + h * b for a, b in zip(x, k)]

    a = slope(x)
    b = slope(moved(a, h / 2))
    c = slope(moved(b, h / 2))
    d = slope(moved(c, h))
    return [x + h / 6 * (a + 2 * b + 2 * c + d) for x, a, b, c, d in zip(x, a, b, c, d)]


if __name__ == "__main__":
    noise = Random(1822)
    temperature = [COLD] * CELLS
    print("time," + ",".join(f"cell{i}" for i in THERMOMETERS))
    for sample in range(1, 31):
        for _ in range(2400):
            temperature = step(temperature, 0.05)
        row = [f"{temperature[i - 1] + 0.1 * noise.gauss(0, 1):.2f}" for i in THERMOMETERS]
        print(f"{120 * sample}," + ",".join(row))
