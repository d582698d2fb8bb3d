"""A script with an `objective` function and nothing else.

    asyncsweep run objective_only.py --objective objective --x "uniform(-10, 10)" --trials 20

It is the form of Lightning HPO.
"""


def objective(x: float) -> float:
    return (x - 2) ** 2
