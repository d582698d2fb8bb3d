"""What `executors` measures: sweeps on SSH hosts in network namespaces, and on clusters of Dask and Ray on this machine."""
