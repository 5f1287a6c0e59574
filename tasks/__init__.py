"""Tasks: data as tensors, and nothing that knows a model."""
