"""The LightningModule of all models: an ensemble of restarts in training."""

import time
from collections.abc import Sequence

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from tasks.batch import Batch
from zoo import kernels
from zoo.kernels import descend
from zoo.training.ensemble import Ensemble, total
from zoo.training.loggers import begins_anew
from zoo.training.recipe import OPTIMIZERS, Recipe, Schedule

CURVES = ("train_loss", "valid_loss", "valid_error")


class Best(nn.Module):
    """The weights of each restart's best epoch: the last of the epochs with the lowest validation error.

    Among epochs of equal error the last one has the smallest learning rate behind it. The validation loss would often
    choose an early one instead, since it grows with confidence while the error still falls.
    """

    weights: Tensor
    error: Tensor
    last_loss: Tensor
    epoch: Tensor

    def __init__(self, weights: Tensor) -> None:
        super().__init__()
        restarts = len(weights)
        self.register_buffer("weights", weights.detach().clone())
        self.register_buffer("error", torch.full((restarts,), torch.inf))
        self.register_buffer("last_loss", torch.full((restarts,), torch.inf))  # on validation, of the last epoch
        self.register_buffer("epoch", torch.full((restarts,), -1))

    def update(self, weights: Tensor, error: Tensor, loss: Tensor, epoch: int, eligible: Tensor) -> None:
        better = (error <= self.error) & eligible & loss.isfinite()
        self.last_loss = loss.nan_to_num(nan=torch.inf)
        self.weights = torch.where(better[:, None], weights.detach(), self.weights)
        self.error = torch.where(better, error, self.error)
        self.epoch = torch.where(better, epoch, self.epoch)

    def restart(self, networks: slice = slice(None)) -> int:
        """Find the restart that validation selects: the lowest error and, among equals, the lowest loss at the end.

        A loss depends on the epoch, so it compares restarts as they end, not at their best epochs.

        Args:
            networks: the restarts of one task, if the ensemble is a pack of several.
        """
        error, loss = self.error[networks].tolist(), self.last_loss[networks].tolist()
        return min(range(len(error)), key=lambda k: (error[k], loss[k], k))


class Mean(nn.Module):
    """A mean of each restart's weights over the steps behind it: of all alike at first, then an exponential one.

    Args:
        weights: (R, P) of all restarts.
        decay: what the exponential mean keeps of itself in a step.
    """

    weights: Tensor
    steps: Tensor

    def __init__(self, weights: Tensor, decay: float) -> None:
        super().__init__()
        self.decay = decay
        self.register_buffer("weights", weights.detach().clone())
        self.register_buffer("steps", torch.zeros(len(weights), 1, dtype=torch.long))

    def begin_anew(self, which: Tensor) -> None:
        """Forget all steps of some restarts, (R,)."""
        self.steps.masked_fill_(which[:, None], 0)

    def add(self, weights: Tensor) -> None:
        """Count the weights after another step."""
        self.steps += 1
        share = (1 / self.steps).clamp(min=1 - self.decay).to(weights)
        self.weights.lerp_(weights.detach(), share)


class EnsembleTraining(pl.LightningModule):
    """R restarts in training, of one task or of several.

    All that a killed run needs to go on as if nothing had happened is a parameter or a buffer of this module.

    A training with a `model` repeats its course with other questions. Its schedule hears the errors of the model's
    validation, and of each restart it keeps the epoch that the model has kept.
    """

    train_loss_curve: Tensor
    valid_loss_curve: Tensor
    valid_error_curve: Tensor
    epochs: Tensor
    seconds: Tensor

    def __init__(
        self,
        ensemble: Ensemble,
        recipe: Recipe,
        tasks: Sequence[str] = ("",),
        model: "EnsembleTraining | None" = None,
    ) -> None:
        """
        Args:
            ensemble: the restarts of each task, one task after another.
            recipe: how they are trained.
            tasks: prefixes of the restarts in the loggers, one per task.
            model: a training that has ended, whose course this one repeats.
        """
        super().__init__()
        self.names = [f"{task}{k}" for task in tasks for k in range(len(ensemble) // len(tasks))]
        self.automatic_optimization = False
        self.ensemble, self.recipe = ensemble, recipe
        restarts = len(ensemble)
        self.schedule = Schedule(recipe, restarts, has_linear_start=ensemble.linear is not None)
        self.best = Best(ensemble.weights)
        self.mean = Mean(ensemble.weights, recipe.average) if recipe.average else None
        for name in CURVES:  # a row an epoch; losses are means over questions
            self.register_buffer(f"{name}_curve", torch.full((recipe.all_epochs, restarts), torch.nan))
        if model is not None:
            for name in CURVES:
                getattr(self, f"{name}_curve").copy_(getattr(model, f"{name}_curve"))
        self.kept = None if model is None else model.best.epoch.clone()  # the epoch of each restart
        self.register_buffer("epochs", torch.zeros((), dtype=torch.long))  # that are behind it
        self.register_buffer("seconds", torch.zeros((), dtype=torch.float64))  # of training, over all attempts

    @property
    def most_epochs(self) -> int:
        return self.recipe.all_epochs if self.kept is None else int(self.kept.max()) + 1

    def configure_optimizers(self) -> torch.optim.Optimizer:
        kind = OPTIMIZERS[self.recipe.optimizer]
        return kind(self.ensemble.parameters(), lr=1.0)  # training_step gives every restart its own rate

    def on_fit_start(self) -> None:
        self._since = time.perf_counter()
        for logger in self.loggers:
            for epoch in range(int(self.epochs) if begins_anew(logger) else 0):  # those before an interruption
                logger.log_metrics(self.metrics(epoch), step=epoch)

    def on_train_epoch_start(self) -> None:
        if self.ensemble.linear is not None:
            self.ensemble.linear.copy_(self.schedule.linear)
        if self.mean is not None:  # weights of the linear start are of another model
            self.mean.begin_anew(self.schedule.linear | (self.schedule.epoch == 0))
        self._rates = self.schedule.rates()[:, None].to(self.ensemble.weights)
        self._clip = torch.tensor(self.recipe.clip)
        self._loss = torch.zeros(len(self.ensemble), device=self.device)
        self._asked = torch.zeros(len(self.ensemble), dtype=torch.long, device=self.device)

    def transfer_batch_to_device(self, batch: object, device: torch.device, dataloader_idx: int) -> object:
        return batch  # it was cut from tables that lie there

    def training_step(self, block: list[Batch]) -> None:
        optimizer = self.optimizers(use_pl_optimizer=False)
        assert isinstance(optimizer, torch.optim.Optimizer)  # not one of several
        for batch in block:
            self.step(batch, optimizer)

    def step(self, batch: Batch, optimizer: torch.optim.Optimizer) -> None:
        loss = self.ensemble.differentiate(batch)
        weights = self.ensemble.weights
        if self.recipe.l2:
            assert weights.grad is not None
            weights.grad.addcmul_(weights.detach(), batch.asked[:, None].to(weights), value=2 * self.recipe.l2)
        self._descend(optimizer)
        if self.mean is not None:
            self.mean.add(weights)
        self._loss += loss
        self._asked += batch.asked

    def _descend(self, optimizer: torch.optim.Optimizer) -> None:
        """Make a step with the gradient of every restart, clipped, at a rate of its own."""
        weights, sgd = self.ensemble.weights, self.recipe.optimizer == "sgd"
        rates = self._rates * self.schedule.warm_up() if self.recipe.warmup_steps else self._rates
        gradient = weights.grad
        assert gradient is not None
        if kernels.usable(weights) and self.recipe.optimizer in ("sgd", "adam"):
            step = weights.detach(), gradient, rates[:, 0], self._clip
            if sgd:
                descend.sgd(*step)
            else:
                descend.adam(*step, optimizer)
            return
        norm = torch.linalg.vector_norm(gradient, dim=1, keepdim=True)
        clip = (self.recipe.clip / norm.clamp(min=1e-6)).clamp(max=1.0)
        with torch.no_grad():
            if sgd:  # at once, which takes a tenth of what `optimizer.step` takes
                weights.addcmul_(gradient, clip * rates, value=-1)
            else:  # the step is made, then shortened
                # a gradient through hundreds of steps in time may overflow; its batch is passed over by this restart
                gradient.mul_(clip).masked_fill_(~norm.isfinite(), 0.0)
                before = weights.clone()
                optimizer.step()
                weights.copy_(before.lerp(weights, rates))

    def on_validation_epoch_start(self) -> None:
        if self.mean is not None:
            self._trained = self.ensemble.weights.detach().clone()
            self._replace(torch.where(self.schedule.linear[:, None], self._trained, self.mean.weights))
        self._evaluated = torch.zeros((), dtype=torch.long, device=self.device)
        self._valid_loss = torch.zeros(len(self.ensemble), device=self.device)
        self._valid_cost = torch.zeros(len(self.ensemble), device=self.device)

    def validation_step(self, batch: Batch) -> None:
        if self.kept is not None:  # it has learned these questions
            return
        answer, terms = self.ensemble(batch)
        # of a batch without questions, which evens out tasks of one program, nothing: not the weight decay either
        self._valid_loss += torch.where(batch.asked > 0, total(terms), 0.0)
        self._valid_cost += self.ensemble.network.cost(answer, batch)
        self._evaluated = self._evaluated + batch.asked  # of each network, where their tasks are not the same

    def on_validation_epoch_end(self) -> None:
        epoch = self.current_epoch
        self.epochs.fill_(epoch + 1)
        if self.kept is None:
            self.train_loss_curve[epoch] = self._loss / self._asked
            self.valid_loss_curve[epoch] = self._valid_loss / self._evaluated
            self.valid_error_curve[epoch] = self._valid_cost / self._evaluated
            # an epoch of the linear start is not eligible: the model of the paper has its softmax
            eligible = ~self.schedule.finished() & ~self.schedule.linear
        else:
            eligible = self.kept.to(self.device) == epoch
        loss, error = self.valid_loss_curve[epoch], self.valid_error_curve[epoch]
        self.best.update(self.ensemble.weights, error, loss, epoch, eligible)
        if self.mean is not None:
            self._replace(self._trained)
        self.schedule.end_epoch(loss, error)
        if bool(self.schedule.finished().all()):
            self.trainer.should_stop = True
        now = time.perf_counter()
        self.seconds += now - self._since
        self._since = now
        for logger in self.loggers:
            logger.log_metrics(self.metrics(epoch), step=epoch)

    @torch.no_grad()
    def _replace(self, weights: Tensor) -> None:
        self.ensemble.weights.copy_(weights)

    def metrics(self, epoch: int) -> dict[str, float]:
        """The points of all curves at an epoch, by the names that loggers give them."""
        return {
            f"{name}/{network}": value
            for name in CURVES
            for network, value in zip(self.names, getattr(self, f"{name}_curve")[epoch].tolist(), strict=True)
        }
