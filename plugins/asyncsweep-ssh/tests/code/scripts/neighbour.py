"""What the script imports from its own folder."""


def doubled(x):
    return 2 * x
