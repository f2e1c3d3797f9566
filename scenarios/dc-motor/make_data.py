"""Makes trace.csv: what a tachometer and a current probe would have recorded on the motor of scenario.toml.

    python3 make_data.py > trace.csv

A 12 V step is applied at t = 0.1 s to a motor with R = 1.3 ohm, K = 0.052 N m/A, b = 1.2e-4 N m s,
L = 2.4 mH, J = 9.0e-5 kg m^2. Current and speed obey a linear system with real eigenvalues s1, s2, so the
response to the step is a sum of two exponentials, written out below; noise is normal with standard deviations 0.05 A and
1.5 rad/s, from Python's Mersenne twister with seed 1978, current before speed in each row. Values are rounded
to the resolution of the instruments, 0.001 A and 0.01 rad/s. Standard library only.
"""

from math import exp, sqrt
from random import Random

R, K, b, L, J, V, START = 1.3, 0.052, 1.2e-4, 2.4e-3, 9.0e-5, 12.0, 0.1

# i' = (V - R i - K w) / L, w' = (K i - b w) / J: trace, determinant, eigenvalues, equilibrium
trace = -R / L - b / J
determinant = (R * b + K * K) / (L * J)
root = sqrt(trace * trace - 4 * determinant)
s1, s2 = (trace + root) / 2, (trace - root) / 2
i_end, w_end = V * b / (R * b + K * K), V * K / (R * b + K * K)


def response(tau):
    """Current and speed tau seconds after the step, from rest: i'(0) = V / L, w'(0) = 0."""
    if tau <= 0:
        return 0.0, 0.0
    e1, e2 = exp(s1 * tau), exp(s2 * tau)

    def sum_of_exponentials(end, slope):
        # y = end + c1 e1 + c2 e2 with y(0) = 0 and y'(0) = slope
        c1 = (slope + end * s2) / (s1 - s2)
        return end + c1 * e1 + (-end - c1) * e2

    return sum_of_exponentials(i_end, V / L), sum_of_exponentials(w_end, 0.0)


if __name__ == "__main__":
    noise = Random(1978)
    print("time,current,speed")
    for k in range(101):
        t = k / 200
        current, speed = response(t - START)
        print(f"{t:.3f},{current + noise.gauss(0, 0.05):.3f},{speed + noise.gauss(0, 1.5):.2f}")
