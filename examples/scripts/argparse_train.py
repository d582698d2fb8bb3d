"""A training with argparse, as it is run by hand.

    python argparse_train.py --lr 0.01
    asyncsweep run argparse_train.py --lr "log_uniform(1e-4, 1e-1)" --trials 20 --parallel 2

Two of its lines tell a sweep how it goes; by hand they do nothing, and say so.
"""

import argparse

import asyncsweep


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--lr", type=float, default=0.01)
    parser.add_argument("--optimizer", choices=["sgd", "adam"], default="sgd")
    parser.add_argument("--epochs", type=int, default=10)
    args = parser.parse_args()

    weight = 0.0
    for epoch in range(args.epochs):
        gradient = 2 * (weight - 3)
        weight -= args.lr * (gradient if args.optimizer == "sgd" else (1 if gradient > 0 else -1))
        loss = (weight - 3) ** 2
        asyncsweep.report(loss=loss, step=epoch)  # ends the script here when the pruner says so
    asyncsweep.finish(loss=loss)
    print(f"lr={args.lr:g} {args.optimizer}: loss {loss:.4f}")


if __name__ == "__main__":
    main()
