"""Records of runs and published figures → one table a data source, size and protocol. Nothing else is read."""
