"""Sizes that no run can have, refused before anything is allocated; memory is estimated from below."""

from collections.abc import Iterable, Mapping

from tasks.errors import check_whole
from tasks.machine import check_memory
from zoo.interface import MemoryNetwork

# options that count layers, heads or rounds, all of which every batch goes through
LAYERS = ("hops", "layers", "passes", "reads", "heads", "read_heads", "write_heads")
MOST_LAYERS = 1000
SMALL = 3000  # the sum of a network's sizes; its weights then fit anywhere
NUMBER = 4  # bytes
KEPT = 3  # copies of all weights: themselves, their gradient, those of the best epoch


def check_layers(model: Mapping) -> None:
    """Refuse more layers than a network can go through."""
    for name in LAYERS:
        if type(model.get(name)) is int and model[name] > MOST_LAYERS:
            check_whole(f"model.{name}", model[name], 1, MOST_LAYERS)


def is_small(model: Mapping, sizes: Iterable[int]) -> bool:
    """Tell from its numbers that a network is too small to need `check_networks`, which loads much of torch."""
    return sum(value for value in model.values() if type(value) is int and value > 0) + sum(sizes) <= SMALL


def check_networks(network: MemoryNetwork, restarts: int, batch_size: int) -> None:
    """Refuse restarts whose weights, or the stories of whose batches, do not fit into this machine's memory.

    Args:
        network: one of them; its weights need not be allocated (`torch.device("meta")`).
        restarts: networks side by side.
        batch_size: questions or sequences.
    """
    weights = sum(parameter.numel() for parameter in network.parameters())
    check_memory(
        f"restarts={restarts}, {weights:,} weights each",
        KEPT * NUMBER * weights * restarts,
        "type fewer restarts, or a smaller network",
    )
    slots = getattr(network, "window", 1)
    check_memory(
        f"restarts={restarts} model.recipe.batch_size={batch_size}, stories of {slots:,} slots",
        2 * NUMBER * restarts * batch_size * slots,
        "type fewer restarts, smaller batches or fewer slots",
    )
