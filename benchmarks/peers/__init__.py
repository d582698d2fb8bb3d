"""The peers, one adapter file each; `python -m benchmarks.peers NAME WORKLOAD '{"n_trials": 200}'` runs one in this interpreter."""
