"""Callbacks for training libraries, and a search for scikit-learn. Each module imports its own library and none of the others.

They do their work in the process of the trial, so they know nothing of the sweep but the trial that they report to.
"""
