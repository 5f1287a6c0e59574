"""Tasks: data sets and generators, read into tensors. No module here knows a model."""
