"""Recipes, as a paper trains its model, and the schedule that each restart follows on its own."""

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tasks.errors import UserError, check_names, check_type, nearest

# Optimisers that treat every weight by itself, and whose step is proportional to their rate: so restarts share nothing,
# and each has a rate of its own. Neither holds of adafactor, asgd, lbfgs, muon and rprop.
OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    kind.__name__.lower(): kind
    for kind in (
        torch.optim.SGD,
        torch.optim.Adam,
        torch.optim.AdamW,
        torch.optim.Adadelta,
        torch.optim.Adagrad,
        torch.optim.Adamax,
        torch.optim.NAdam,
        torch.optim.RAdam,
        torch.optim.RMSprop,
    )
}

DRAWN = ("", "story", "question")  # what batches are drawn of; a model that reads by story can read by question, too


@dataclass(frozen=True)
class Recipe:
    """The key `recipe` of a model's yaml; keys that a yaml leaves out have these values."""

    optimizer: str = "sgd"  # one of OPTIMIZERS, with the other settings that torch.optim gives it
    learning_rate: float = 0.01  # on the loss summed over a batch
    batch_size: int = 32
    batched_by: str = ""  # one of DRAWN; empty: as the model reads
    by_length: bool = False  # whether questions after like numbers of sentences share a batch
    mixed: bool = False  # whether stories of any length share a batch; else those of like length do
    epochs: int = 100
    warmup_steps: int = 0  # over which the rate rises linearly from nothing; 0: it is whole from the first step on
    grow_epochs: int = 0  # over which sequences grow from the shortest of the task to its longest; 0: they do not
    anneal_every: int = 25  # epochs after which the rate is multiplied by `anneal_by`, again and again
    anneal_by: float = 0.5
    # epochs after growing, without a better validation error or loss, L2 included, that end a restart; 0: never
    patience: int = 0
    perfect_epochs: int = 0  # epochs without a validation error, one after another, that end a restart; 0: they do not
    clip: float = 40.0  # largest norm of a restart's gradient
    l2: float = 0.0  # weight of all squared weights in the mean loss; losses are told without it
    # what a mean of the weights keeps of itself in each step, validated and tested in their place; 0: there is none
    average: float = 0.0
    refit: bool = False  # whether to train once more, with the questions of validation, to the epoch that it chose
    linear_start_epochs: int = 0  # at most; without softmax in the memory, not counted among `epochs`
    linear_start_rate: float = 0.005
    linear_start_patience: int = 0  # epochs without a better validation loss that end the linear start; 0: never

    @classmethod
    def from_config(cls, given: dict) -> "Recipe":
        defaults = cls()
        check_names("model.recipe", given, [field.name for field in dataclasses.fields(cls)])
        for name, value in given.items():
            default = getattr(defaults, name)
            check_type(f"model.recipe.{name}", value, type(default), default)
            if isinstance(default, str):
                known = tuple(OPTIMIZERS) if name == "optimizer" else DRAWN
                if value not in known:
                    *others, last = (word for word in known if word)
                    near = nearest(value.lower(), list(known))
                    raise UserError(f"model.recipe.{name}={value}: expected {', '.join(others)} or {last}{near}")
                continue
            least = 1 if name in ("batch_size", "epochs", "anneal_every") else 0
            if value < least:
                raise UserError(f"model.recipe.{name}={value}: expected at least {least}")
            if name == "average" and value >= 1:
                raise UserError(f"model.recipe.{name}={value}: expected less than 1")
        return cls(**given)

    @property
    def all_epochs(self) -> int:
        return self.linear_start_epochs + self.epochs

    def shortened(self, max_epochs: int | None) -> "Recipe":
        """Shorten the course to `max_epochs`, with linear start, warm-up, growing and annealing in proportion."""
        if max_epochs is None or max_epochs >= self.all_epochs:
            return self
        if max_epochs < 1:
            raise UserError(f"trainer.max_epochs={max_epochs}: expected at least 1")
        share = max_epochs / self.all_epochs
        linear = min(round(self.linear_start_epochs * share), max_epochs - 1)
        return dataclasses.replace(
            self,
            epochs=max_epochs - linear,
            linear_start_epochs=linear,
            warmup_steps=round(self.warmup_steps * share),
            grow_epochs=round(self.grow_epochs * share),
            anneal_every=max(1, math.ceil(self.anneal_every * share)),
        )


class Schedule(nn.Module):
    """Place of each restart in the recipe; all state is in buffers, so a checkpoint holds it."""

    steps: Tensor
    epoch: Tensor
    linear: Tensor
    lowest_loss: Tensor
    lowest_error: Tensor
    stalled: Tensor
    perfect: Tensor

    def __init__(self, recipe: Recipe, restarts: int, has_linear_start: bool) -> None:
        super().__init__()
        self.recipe = recipe
        self.register_buffer("steps", torch.zeros((), dtype=torch.long))  # of a warm-up
        self.register_buffer("epoch", torch.zeros(restarts, dtype=torch.long))  # of the phase that it is in
        starts_linear = has_linear_start and recipe.linear_start_epochs > 0
        self.register_buffer("linear", torch.full((restarts,), starts_linear))
        # on validation since the phase began
        self.register_buffer("lowest_loss", torch.full((restarts,), torch.inf))
        self.register_buffer("lowest_error", torch.full((restarts,), torch.inf))
        self.register_buffer("stalled", torch.zeros(restarts, dtype=torch.long))  # epochs without a better one
        self.register_buffer("perfect", torch.zeros(restarts, dtype=torch.long))  # the last epochs without an error

    def rates(self) -> Tensor:
        """Learning rate of each restart, (R,); 0 after its end."""
        annealed = self.recipe.learning_rate * self.recipe.anneal_by ** (self.epoch // self.recipe.anneal_every)
        return torch.where(self.linear, self.recipe.linear_start_rate, annealed * ~self.finished())

    def warm_up(self) -> Tensor:
        """Begin another step, and return the share of its rate that every restart has in it, ()."""
        self.steps += 1
        return (self.steps / self.recipe.warmup_steps).clamp(max=1.0)

    def finished(self) -> Tensor:
        out_of_patience = self.stalled >= (self.recipe.patience or math.inf)
        solved = self.perfect >= (self.recipe.perfect_epochs or math.inf)
        return ~self.linear & ((self.epoch >= self.recipe.epochs) | out_of_patience | solved)

    def end_epoch(self, valid_loss: Tensor, valid_error: Tensor) -> None:
        """Move every restart on; its linear start ends when its time is up or its validation loss has stalled.

        After the linear start a lower error is progress too, and the only progress if there are no errors left. While
        sequences grow every epoch counts as progress, because validation, at full length, may get worse for a while.
        """
        better = (valid_loss < self.lowest_loss) & (self.linear | (valid_error > 0))
        better |= ~self.linear & (valid_error < self.lowest_error)
        grows = self.epoch < self.recipe.grow_epochs
        self.lowest_loss = self.lowest_loss.minimum(valid_loss.nan_to_num(nan=torch.inf))
        self.lowest_error = self.lowest_error.minimum(valid_error)
        self.stalled = torch.where(better | grows, 0, self.stalled + 1)
        over = self.epoch + 1 >= self.recipe.linear_start_epochs
        if self.recipe.linear_start_patience:
            over |= self.stalled >= self.recipe.linear_start_patience
        leaves = self.linear & over
        self.epoch = torch.where(leaves, 0, self.epoch + 1)
        self.linear = self.linear & ~leaves
        self.stalled = torch.where(leaves, 0, self.stalled)
        self.perfect = torch.where(leaves | (valid_error > 0), 0, self.perfect + 1)
        for lowest in (self.lowest_loss, self.lowest_error):
            lowest.masked_fill_(leaves, torch.inf)
