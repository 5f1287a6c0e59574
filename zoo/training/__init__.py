"""One training loop for every model, restarts as one vectorised ensemble."""
