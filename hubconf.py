"""Trained networks for torch.hub: torch.hub.load(FOLDER, "memn2n", source="local", task=2, size="1k").

Each model is an entry, and takes the arguments of `zoo.load`. What it returns answers questions; its `model` is a
`torch.nn.Module`.
"""

from functools import partial as _partial

import zoo as _zoo

dependencies = ["torch", "hydra", "pydantic", "safetensors"]

for _name in _zoo.list_models():
    globals()[_name] = _partial(_zoo.load, _name)
