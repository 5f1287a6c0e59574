"""The five tasks of the Neural Turing machine's paper, drawn anew for every step of training."""
