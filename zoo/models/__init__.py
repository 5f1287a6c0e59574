"""One file per paper. The name of the file follows `model=` on the command line."""
