"""One training loop for every model, restarts as one vectorised ensemble."""

FIGURES, CHECKPOINT = "figures.pt", "last.ckpt"  # in the folder of a pack: of one that is done, and of one that is not
