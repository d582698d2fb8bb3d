"""Callbacks for training libraries, and a search for scikit-learn. Each module imports its own library and none of the others.

Callbacks do their work in the process of the trial, and know nothing of the sweep but the trial that they report to. One metric is
reported as a number, which is the sweep's first metric. A list of metrics is reported under their names, with the sweep's first
metric among them.
"""
