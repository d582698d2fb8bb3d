"""A script with an `objective` function and nothing else, the form of Lightning HPO.

asyncsweep run objective_only.py --objective objective --x "uniform(-10, 10)" --trials 20
"""


def objective(x: float) -> float:
    return (x - 2) ** 2
