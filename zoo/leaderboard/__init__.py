"""Records of runs and published figures → one table per data source, size and protocol. Nothing else is read."""
