"""One file a paper; the file's name is what follows `model=` on the command line."""
