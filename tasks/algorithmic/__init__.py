"""The five tasks of the paper on Neural Turing machines; sequences are drawn anew for every training step."""
