"""TensorBoard's curves and hyperparameters as an exporter of asyncsweep."""
