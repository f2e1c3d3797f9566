"""Makes counts.csv: what a count of prey and predators would have given, had they followed scenario.toml with a known appetite.

    python3 make_data.py > counts.csv

A predator eats 1.6 x/(1 + 0.6 x) prey in a week where there are x (Holling's disc equation). The equations are solved by the classical
Runge-Kutta method in steps of 1/1000 week, whose errors are below the rounding of the file; the counts are multiplied by log-normal errors
of 2 % from Python's Mersenne twister with seed 1959, prey before predator in each row. Standard library only.
"""

from math import exp
from random import Random


def slope(x, y):
    eaten = 1.6 * x * y / (1 + 0.6 * x)
    return x * (1 - x / 8) - eaten, 0.5 * eaten - 0.7 * y


def step(x, y, h):
    a, b = slope(x, y)
    c, d = slope(x + h / 2 * a, y + h / 2 * b)
    e, f = slope(x + h / 2 * c, y + h / 2 * d)
    g, k = slope(x + h * e, y + h * f)
    return x + h / 6 * (a + 2 * c + 2 * e + g), y + h / 6 * (b + 2 * d + 2 * f + k)


if __name__ == "__main__":
    noise = Random(1959)
    x, y = 4.0, 1.0
    print("week,prey,predator")
    for sample in range(61):
        errors = [exp(0.02 * noise.gauss(0, 1)) for _ in range(2)]
        print(f"{sample / 2:.1f},{x * errors[0]:.4f},{y * errors[1]:.4f}")
        for _ in range(500):
            x, y = step(x, y, 1e-3)
