"""python -m tests.mutants [pattern …]: put small bugs into a copy of the project, and see whether the tests notice.

A mutant is a text replacement. Each is made in a copy of the tree, in a temporary folder, where the named tests run
with it; nothing here changes the working tree. A pattern chooses mutants by their beginning, a word of a file's path
or a name of a test. Before the mutants the same tests run without any, because tests that fail anyway notice nothing.

The program ends with 1 if a mutant passes its tests, or takes them more than a minute. Mutants that change nothing are
marked as equivalent, and are to pass.
"""

import argparse
import contextlib
import importlib
import os
import re
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent
LONGEST = 60  # seconds in which a bug is to be noticed
LEFT_BEHIND = (".git", ".ci", "__pycache__", "*.egg-info", ".*_cache", "unfinished", "repeated", "build", "dist")
LIBRARIES = ("torch", "pytorch_lightning", "hydra", "numpy", "pydantic", "rich", "hypothesis")  # loaded once, for all
NO_TEST = "no test has run"


class Mutant(NamedTuple):
    """A bug."""

    name: str
    file: str
    old: str  # occurs once in the file
    new: str
    tests: str  # that should notice it, in tests/, separated by blanks
    is_equivalent: bool = False


MUTANTS = (
    # --- those that passed all tests once, and the others of the same study
    Mutant(
        "T01", "zoo/training/train.py",
        "valid = [kind.evaluation_batches(corpus, corpus.valid, network)",
        "valid = [kind.evaluation_batches(corpus, corpus.test, network)",
        "test_selection.py",
    ),
    Mutant(
        "T14", "zoo/training/train.py",
        "ensemble.weights.copy_(of.best.weights[mine])", "ensemble.weights.copy_(of.ensemble.weights[mine])",
        "test_selection.py",
    ),
    Mutant(
        "T05", "zoo/training/train.py",
        '[config["seed"] + k for k in range(config["restarts"])]', '[config["seed"]] * config["restarts"]',
        "test_selection.py",
    ),
    Mutant(
        "T06", "zoo/kinds/stories.py",
        "return restart * 1_000_003 + self.epoch", "return self.epoch",
        "test_ensemble.py::test_restarts_draw_by_seed_and_epoch_alone",
    ),
    Mutant(
        "T21", "zoo/kinds/stories.py",
        "100 * wrong[:, task == one].double()", "100 * wrong.double()",
        "test_run.py::TestRun::test_joint_training_is_tested_task_by_task",
    ),
    Mutant(
        "T13", "zoo/training/module.py",
        "eligible = ~self.schedule.finished() & ~self.schedule.linear", "eligible = ~self.schedule.finished()",
        "test_ensemble.py::TestSelection",
    ),
    Mutant(
        "T15", "zoo/training/train.py",
        '"weights": ensemble.of(selected)', '"weights": ensemble.of(0)',
        "test_selection.py",
    ),
    Mutant(
        "T16", "zoo/kinds/attention.py",
        "in trace.attention[restart, row]", "in trace.attention[0, row]",
        "test_look.py",
    ),
    Mutant(
        "T09", "zoo/training/module.py",
        'self.register_buffer("error", torch.full((restarts,), torch.inf))',
        'self.register_buffer("error", torch.full((restarts,), torch.inf), persistent=False)',
        "test_run.py::test_a_training_that_stops_goes_on_as_an_undisturbed_one",
    ),
    Mutant(
        "T08", "zoo/training/recipe.py",
        'self.register_buffer("epoch", torch.zeros(restarts, dtype=torch.long))',
        'self.register_buffer("epoch", torch.zeros(restarts, dtype=torch.long), persistent=False)',
        "test_run.py::test_a_training_that_stops_goes_on_as_an_undisturbed_one",
    ),
    Mutant(
        "K15", "tasks/algorithmic/task.py",
        '("validation", seed), device)', '("test", seed), device)',
        "test_algorithmic.py::TestSequencesOfATask::test_to_choose_by_are_others_than_those_to_test_with",
    ),
    Mutant(
        "K16", "tasks/algorithmic/task.py",
        'fresh.form("validation", number)', 'fresh.form("training", number)',
        "test_algorithmic.py::TestSequencesOfATask::test_to_choose_by_are_others_than_those_to_test_with",
    ),
    Mutant(
        "K09", "tasks/babi/sources.py",
        "[*parse(test.data, test.name), *official]", "official",
        "test_sources.py",
    ),
    Mutant(
        "K06", "tasks/babi/generator.py",
        "parts = texts if len(questions) > 1 else (*texts, *questions)", "parts = (*texts, *questions)",
        "test_generator.py::test_other_questions_about_the_same_sentences_make_no_other_story",
    ),
    Mutant(
        "K04", "tasks/corpus.py",
        "unseen[answers if replies is None else replies.words[answers]] = False",
        "unseen[[] if replies is None else replies.words[answers]] = False",
        "test_corpus.py",
    ),
    Mutant(
        "R05", "zoo/families/babi.py",
        "return all(task in row.errors for task in TASKS)", "return len(row.errors) >= len(TASKS) - 1",
        "test_leaderboard.py",
    ),
    Mutant(
        "R03", "zoo/families/board.py",
        "sum(error > self.fails_above", "sum(error >= self.fails_above",
        "test_run.py::test_a_run_shows_its_figures_and_the_paper_s",
    ),
    Mutant(
        "R11", "zoo/commands/repeat.py",
        'found += [] if same else [f"{name} differ"]', "found += []",
        "test_repeat.py::test_answers_and_curves_that_differ_are_named_of_the_task_that_was_asked_for",
    ),
    Mutant(
        "R19", "zoo/records/identity.py",
        '"data_sha256": data.fingerprint,', '"data_sha256": "",',
        "test_records.py::test_other_data_make_another_run",
    ),
    Mutant(
        "R20", "zoo/records/environment.py",
        '"dirty": None if changed is None else bool(changed)', '"dirty": False',
        "test_records.py::test_changes_that_git_does_not_know_are_recorded",
    ),
    Mutant(
        "M05", "zoo/models/dmn_plus.py",
        "self.l2 * squares * (batch.answer != PAD).sum()", "self.l2 * squares",
        "test_dmn_plus.py",
    ),
    Mutant(
        "M06", "zoo/models/dmn_plus.py",
        "self.W_2, self.W_attend, self.U_attend, self.W_m,", "self.W_2, self.W_m,",
        "test_dmn_plus.py",
    ),
    Mutant(
        "M12", "zoo/models/lstm.py",
        "self.b = nn.Parameter(torch.cat([torch.zeros(dim), torch.ones(dim), torch.zeros(2 * dim)]))",
        "self.b = nn.Parameter(torch.zeros(4 * dim))",
        "test_lstm.py",
    ),
    Mutant(
        "M12b", "zoo/models/lstm.py",
        "forget_little = torch.cat([torch.zeros(dim), torch.ones(dim), torch.zeros(2 * dim)])",
        "forget_little = torch.zeros(4 * dim)",
        "test_lstm.py",
    ),
    Mutant(
        "M26", "zoo/parts/slots.py",
        "(told + count + 1)).int() + 1", "told).int() + 1",
        "test_memn2n.py",
    ),
    Mutant(
        "R14", "tasks/files.py",
        'tempfile.mkstemp(dir=folder, prefix=f".{name}.", suffix=_ending())',
        "os.open(folder / name, os.O_RDWR | os.O_CREAT | os.O_TRUNC), str(folder / name)",
        "test_files.py",
    ),
    Mutant(
        "R18", "tasks/release.py",
        "        if size > LARGEST:\n", "        if False:\n",
        "test_official.py::test_a_member_larger_than_any_file_of_the_release_is_not_read",
    ),
    Mutant(
        "S03", "zoo/runs/plan.py",
        '    check_whole("seed", config["seed"], 0, 2**31 - 1)\n', "",
        "test_run.py::test_a_mistake_gets_one_clear_message",
    ),
    Mutant(
        "R16", "tasks/release.py",
        "place.parent.parts == folder and re.fullmatch", "re.fullmatch",
        "test_official.py::test_an_archive_writes_nothing_where_it_is_read",
    ),
    Mutant(
        "R21", "zoo/families/algorithmic.py",
        "bits, wrong = statistics.median(got.bits), statistics.median(got.wrong_bits)",
        "bits, wrong = statistics.fmean(got.bits), statistics.fmean(got.wrong_bits)",
        "test_families.py::test_bits_of_sequences_are_medians_or_those_of_the_selected_restart",
    ),
    Mutant(
        "M18", "zoo/models/ntm.py",
        "back, stay, forth = s.softmax", "forth, stay, back = s.softmax",
        "test_ntm.py", True,
    ),
    Mutant(
        "T10", "zoo/training/callbacks.py",
        "end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:\n        if self",
        "start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:\n        if self",
        "test_run.py::test_a_training_that_stops_goes_on_as_an_undisturbed_one",
    ),
    # --- training
    Mutant(
        "train-clip", "zoo/training/module.py",
        "clip = (self.recipe.clip / norm.clamp(min=1e-6)).clamp(max=1.0)", "clip = torch.ones_like(norm)",
        "test_kernels.py::test_a_step_of_the_optimizer_is_the_plain_one",
    ),
    Mutant(
        "train-best-first", "zoo/training/module.py",
        "better = (error <= self.error)", "better = (error < self.error)",
        "test_ensemble.py::TestSelection",
    ),
    Mutant(
        "train-best-nan", "zoo/training/module.py",
        "& eligible & loss.isfinite()", "& eligible",
        "test_run.py::test_a_run_that_never_had_a_finite_loss_leaves_no_record",
    ),
    Mutant(
        "train-restart-by-loss", "zoo/training/module.py",
        "key=lambda k: (error[k], loss[k], k)", "key=lambda k: (error[k], k)",
        "test_ensemble.py::TestSelection",
    ),
    Mutant(
        "train-loss-mean", "zoo/training/module.py",
        "self._loss / self._asked", "self._loss",
        "test_ensemble.py::test_curves_are_means_over_questions_and_percents_of_them",
    ),
    Mutant(
        "train-valid-loss-mean", "zoo/training/module.py",
        "self._valid_loss / self._evaluated", "self._valid_loss",
        "test_ensemble.py::test_curves_are_means_over_questions_and_percents_of_them",
    ),
    Mutant(
        "train-curve-shift", "zoo/training/module.py",
        "self.valid_error_curve[epoch] = self._valid_cost", "self.valid_error_curve[epoch - 1] = self._valid_cost",
        "test_selection.py",
    ),
    Mutant(
        "train-empty-batch", "zoo/training/module.py",
        "torch.where(batch.asked > 0, total(terms), 0.0)", "total(terms)",
        "test_together.py::test_each_task_is_learned_as_it_is_alone[wmn]",
    ),
    Mutant(
        "train-slice", "zoo/training/train.py",
        "mine = slice(number * len(seeds), (number + 1) * len(seeds))", "mine = slice(0, len(seeds))",
        "test_together.py::test_each_training_has_the_figures_of_its_own_networks",
    ),
    Mutant(
        "train-examples", "zoo/training/train.py",
        '"examples": examples * len(ensemble)', '"examples": examples',
        "test_selection.py",
    ),
    Mutant(
        "train-finished-rate", "zoo/training/recipe.py",
        "annealed * ~self.finished()", "annealed",
        "test_ensemble.py::TestSchedule",
    ),
    Mutant(
        "train-anneal", "zoo/training/recipe.py",
        "anneal_by ** (self.epoch // self.recipe.anneal_every)", "anneal_by ** (self.epoch / self.recipe.anneal_every)",
        "test_ensemble.py::TestSchedule",
    ),
    Mutant(
        "train-linear-patience", "zoo/training/recipe.py",
        "over |= self.stalled >=", "over |= self.stalled >",
        "test_ensemble.py::TestSchedule",
    ),
    Mutant(
        "train-pack-filler-asked", "zoo/training/packing.py",
        'torch.full_like(table[:, :1], PAD) if name == "answer" else table[:, :1]', "table[:, :1]",
        "test_together.py",
    ),
    Mutant(
        "train-pack-nothing-asked", "zoo/training/packing.py",
        "nothing = some._replace(answer=torch.full_like(some.answer, PAD))", "nothing = some",
        "test_together.py",
    ),
    Mutant(
        "train-mean-of-the-linear-start", "zoo/training/module.py",
        "self.schedule.linear | (self.schedule.epoch == 0)", "self.schedule.linear",
        "test_ensemble.py::test_the_mean_of_the_weights_is_validated_and_selected_and_trained_on_are_the_weights",
    ),
    Mutant(
        "train-mean-stays-in-place", "zoo/training/module.py",
        "self._replace(self._trained)", "pass",
        "test_ensemble.py::test_the_mean_of_the_weights_is_validated_and_selected_and_trained_on_are_the_weights",
    ),
    Mutant(
        "train-refit-judged-by-what-it-learned", "zoo/kinds/stories.py",
        '(judged or ensemble) if part == "valid" else ensemble', "ensemble",
        "test_refit.py::test_validation_judges_the_first_training",
    ),
    Mutant(
        "train-refit-any-epoch", "zoo/training/module.py",
        "eligible = self.kept.to(self.device) == epoch", "eligible = self.kept.to(self.device) >= epoch",
        "test_refit.py::test_an_epoch_of_the_linear_start_is_not_kept_for_its_lower_error",
    ),
    Mutant(
        "train-l2-once-a-batch", "zoo/training/module.py",
        "batch.asked[:, None].to(weights), value", "torch.ones_like(weights), value",
        "test_ensemble.py::test_l2_is_part_of_the_mean_loss",
    ),
    Mutant(
        "train-mixed-sorted", "zoo/kinds/stories.py",
        "if self.mixed else self.alike(", "if False else self.alike(",
        "test_ensemble.py::test_mixed_batches_hold_stories_of_any_length",
    ),
    Mutant(
        "train-last-batch", "zoo/kinds/stories.py",
        "if whole < self.rows:", "if False:",
        "test_ensemble.py::test_an_epoch_asks_every_question_once",
    ),
    Mutant(
        "train-batch-order", "zoo/kinds/stories.py",
        "generator=Generator().manual_seed(self.epoch))", "generator=Generator().manual_seed(0))",
        "test_ensemble.py::test_stories_of_like_length_share_a_batch_and_each_restart_has_its_own_order",
    ),
    Mutant(
        "train-sequences-again", "zoo/kinds/sequences.py",
        "first = self.epoch * len(self)", "first = 0",
        "test_sequences.py::test_a_run_that_goes_on_sees_what_it_would_have_seen",
    ),
    Mutant(
        "train-predict-order", "zoo/kinds/stories.py",
        "place = batches.order.argsort()", "place = batches.order",
        "test_models.py::test_predictions_are_those_of_the_questions_in_order",
    ),
    Mutant(
        "train-dialogs", "zoo/kinds/stories.py",
        "return mistakes > 0,", "return mistakes > 1,",
        "test_dialog.py::test_a_dialog_with_one_wrong_reply_is_wrong_and_each_test_set_has_its_own_replies",
    ),
    Mutant(
        "train-oldest-fact", "zoo/kinds/stories.py",
        "torch.where(split.support == NONE, told, split.support)], dim=1).amin(1)",
        "torch.where(split.support == NONE, told, split.support)], dim=1).amax(1)",
        "test_selection.py",
    ),
    Mutant(
        "train-tape", "zoo/kinds/sequences.py",
        "n: t[restart, 0]", "n: t[0, 0]",
        "test_sequences.py::test_the_tape_that_is_kept_is_that_of_the_selected_restart",
    ),
    Mutant(
        "train-facts-found", "zoo/kinds/attention.py",
        "return (least > others) &", "return (least >= others) &",
        "test_ensemble.py::test_facts_are_found_where_they_get_most_attention",
    ),
    Mutant(
        "train-cost-padding", "zoo/interface.py",
        "~batch.right(answer.scores.argmax(-1)) & (batch.answer != PAD)", "~batch.right(answer.scores.argmax(-1))",
        "test_models.py::test_places_without_a_question_cost_nothing",
    ),
    Mutant(
        "train-nats", "zoo/interface.py",
        "(nats * batch.mask).sum(-1) / math.log(2)", "(nats * batch.mask).sum(-1)",
        "test_sequences.py::test_costs_are_those_of_the_bits_that_are_asked_for",
    ),
    # --- models
    Mutant(
        "model-hops-shared", "zoo/models/memn2n.py",
        "o = recall(p, table[self.output_of[hop]], slots)", "o = recall(p, table[self.input_of[hop]], slots)",
        "test_memn2n.py",
    ),
    Mutant(
        "model-gate", "zoo/models/gated_memn2n.py",
        "u = o * gate + u * (1 - gate)", "u = u * gate + o * (1 - gate)",
        "test_memn2n.py",
    ),
    Mutant(
        "model-entnet-slope", "zoo/models/entnet.py",
        "return torch.where(x > 0, x, self.slope * x)", "return x.relu()",
        "test_entnet.py",
    ),
    Mutant(
        "model-gru", "zoo/parts/cells.py",
        "return candidate + z * (h - candidate)", "return h + z * (candidate - h)",
        "test_recurrences.py",
    ),
    Mutant(
        "model-heads-scale", "zoo/parts/heads.py",
        ".transpose(1, 2) / math.sqrt(d)", ".transpose(1, 2)",
        "test_wmn.py",
    ),
    Mutant(
        "model-ntm-sharpening", "zoo/models/ntm.py",
        "(1 + F.softplus(gamma)) *", "F.softplus(gamma) *",
        "test_ntm.py",
    ),
    Mutant(
        "model-transformer-sees-question", "zoo/models/transformer.py",
        "(0, 1), value=self.sees_question)", "(0, 1), value=True)",
        "test_transformer.py",
    ),
    Mutant(
        "model-universal-transformer-remainder", "zoo/models/universal_transformer.py",
        "rest = torch.where(stop, 1 - spent, 0.0)", "rest = torch.where(stop, of_step, 0.0)",
        "test_universal_transformer.py",
    ),
    Mutant(
        "model-universal-transformer-prior", "zoo/models/universal_transformer.py",
        "(log_p.exp() * (log_p - prior))", "(log_p.exp() * (prior - log_p))",
        "test_universal_transformer.py",
    ),
    Mutant(
        "model-delta-net-at-once", "zoo/models/delta_net.py",
        'self.entity, self.writes, self.rule == "tpr"', "self.entity, self.writes, False",
        "test_delta_net.py",
    ),
    Mutant(
        "model-delta-net-move", "zoo/models/delta_net.py",
        "r2 - r1, torch.zeros_like(e1)", "r2, torch.zeros_like(e1)",
        "test_delta_net.py",
    ),
    Mutant(
        "model-delta-net-fade", "zoo/parts/fast_weights.py",
        "torch.where(heard, now - of_story, -torch.inf)", "torch.where(heard, -of_story, -torch.inf)",
        "test_delta_net.py",
    ),
    Mutant(
        "model-dnc-precedence", "zoo/parts/linked.py",
        "        L = link(w, p, L)\n        p = (1 - w.sum(-1, keepdim=True)) * p + w",
        "        p = (1 - w.sum(-1, keepdim=True)) * p + w\n        L = link(w, p, L)",
        "test_dnc.py::test_every_step_is_that_of_the_transcription",
    ),
    Mutant(
        "model-dnc-usage", "zoo/parts/linked.py",
        "written = rows.writing.detach()", "written = rows.writing",
        "test_dnc.py::test_no_gradient_flows_from_usage_into_what_was_written_with",
    ),
    Mutant(
        "model-dnc-allocation", "zoo/parts/linked.py",
        "(each.cumsum(-1) - each).exp()", "each.cumsum(-1).exp()",
        "test_dnc.py::test_allocation_takes_rows_by_rising_usage_and_ties_in_order",
    ),
    Mutant(
        "model-dnc-dropout", "zoo/models/dnc.py",
        "State(h if kept is None else h * kept, c", "State(h, c",
        "test_dnc.py::test_dropout_has_one_mask_for_all_of_a_story",
    ),
    Mutant(
        "kernel-computer-order", "zoo/kernels/computer.cpp",
        "return at_least(i) < at_least(j)", "return at_least(i) > at_least(j)",
        "test_kernels.py::test_options_have_kernels_too",
    ),
    Mutant(
        "kernel-computer-norm", "zoo/kernels/computer.cpp",
        "of[i] - mean - scaled[i] * along", "of[i] - mean",
        "test_kernels.py::test_kernels_are_the_plain_form",
    ),
    Mutant(
        "kernel-correct-mask", "zoo/kernels/correct.cpp",
        "j = i - i % z.at_once; j < wide", "j = i; j < wide",
        "test_kernels.py::test_kernels_are_the_plain_form",
    ),
    Mutant(
        "empty-places", "zoo/kinds/stories.py",
        "place = (~asked).sort(dim=1, stable=True)", "place = asked.sort(dim=1, stable=True)",
        "test_ensemble.py::test_leaving_out_empty_places_changes_nothing",
    ),
    Mutant(
        "model-qrn-backwards", "zoo/parts/queries.py",
        "scan_back(keep, backwards * new)", "scan(keep, backwards * new)",
        "test_qrn.py",
    ),
    Mutant(
        "model-qrn-closed", "zoo/models/qrn.py",
        "CLOSED = -2.5", "CLOSED = 2.5",
        "test_qrn.py",
    ),
    Mutant(
        "model-memnn-margin", "zoo/models/memnn.py",
        "costs = (self.margin - wins).relu()", "costs = (-wins).relu()",
        "test_memnn.py",
    ),
    Mutant(
        "model-dmn-end", "zoo/models/dmn.py",
        "right = torch.where(support == NONE, end, support)", "right = torch.where(support == NONE, 0, support)",
        "test_dmn.py",
    ),
    Mutant(
        "model-kv-mask", "zoo/models/kv_memnn.py",
        "p = torch.where(shown, scores, -torch.inf).softmax(dim=-1)", "p = scores.softmax(dim=-1)",
        "test_kv_memnn.py",
    ),
    Mutant(
        "model-types", "zoo/parts/candidates.py",
        ".view(-1, *entities.shape).any(-1)", ".view(-1, *entities.shape).all(-1)",
        "test_dialog.py::TestRanking::test_scores_are_sums_over_the_words_of_a_candidate_and_its_types",
    ),
    Mutant(
        "model-position-encoding", "zoo/parts/encoders.py",
        "tilt = (j - (length + 1) / 2) / length, 4 / dim", "tilt = (j - (length + 1) / 2) / length, 2 / dim",
        "test_memn2n.py",
    ),
    Mutant(
        "model-wmn-biases-decay", "zoo/models/wmn.py",
        "self.t_up, self.g_1, self.g_2, self.g_3, self.f)", "self.t_up, self.g_1, self.g_2, self.g_3)",
        "test_wmn.py",
    ),
    Mutant(
        "model-open-unseen", "zoo/models/dmn_plus.py",
        "noise = kept / (1 - self.dropout)", "noise = kept.float()",
        "test_dmn_plus.py",
    ),
    # --- kernels, and what runs without them
    Mutant(
        "kernel-damaged", "zoo/kernels/build.py",
        "return len(content) > 32 and", "return len(content) > 32 or",
        "test_kernels.py::test_a_damaged_library_is_built_again",
    ),
    Mutant(
        "kernel-flags", "zoo/kernels/build.py",
        '_target(program), " ".join(FLAGS).encode()]', "_target(program)]",
        "test_kernels.py::test_other_flags_make_another_library",
    ),
    Mutant(
        "kernel-no-compiler", "zoo/kernels/__init__.py",
        "if build.compiler() is None:\n        return False", "if build.compiler() is None:\n        return True",
        "test_kernels.py::test_without_a_compiler_the_plain_form_runs",
    ),
    Mutant(
        "kernel-wish", "zoo/kernels/__init__.py",
        "        _wish is not False\n        and all(", "        all(",
        "test_kernels.py::test_none_is_called_where_they_are_switched_off",
    ),
    Mutant(
        "kernel-double", "zoo/kernels/__init__.py",
        'one.dtype == torch.float32 and one.device.type == "cpu"', 'one.device.type == "cpu"',
        "test_lstm.py",
    ),
    Mutant(
        "kernel-sgd-clip", "zoo/kernels/descend.cpp",
        "return factor > 1 ? 1 : factor;", "return factor;",
        "test_kernels.py::test_a_step_of_the_optimizer_is_the_plain_one",
    ),
    # --- tasks
    Mutant(
        "task-held-out", "tasks/babi/tables.py",
        'splits["train"], splits["valid"] = splits["train"].hold_out(HELD_OUT)',
        'splits["valid"] = splits["train"].hold_out(HELD_OUT)[1]',
        "test_official.py test_sources.py",
    ),
    Mutant(
        "task-support", "tasks/babi/text.py",
        "place = position[int(given) - 1]", "place = position[min(int(given), len(position) - 1)]",
        "test_text.py",
    ),
    Mutant(
        "task-parts-share", "tasks/babi/generator.py",
        "        elsewhere |= here\n", "",
        "test_generator.py::test_parts_have_their_questions_and_share_no_story",
    ),
    Mutant(
        "task-known", "tasks/babi/generator.py",
        "elsewhere = {fingerprint(story) for story in known}", "elsewhere = set()",
        "test_generator.py test_sources.py::test_nothing_that_is_tested_on_fills_a_missing_file",
    ),
    Mutant(
        "task-transfer", "tasks/babi/sources.py",
        "self.stories.tell(task, held_out(self.questions), known)", "self.stories.tell(task, held_out(self.questions))",
        "test_sources.py",
    ),
    Mutant(
        "task-order", "tasks/babi/generator.py",
        'key=("test", "valid", "train").index', 'key=("train", "valid", "test").index',
        "test_generator.py",
    ),
    Mutant(
        "task-window", "tasks/corpus.py",
        "start = split.begin[story] + told - kept", "start = split.begin[story]",
        "test_corpus.py",
    ),
    Mutant(
        "task-join-answers", "tasks/corpus.py",
        "torch.cat([ids[s.answer] for s, ids in zip(splits, word_ids, strict=True)])",
        "torch.cat([s.answer for s in splits])",
        "test_corpus.py test_official.py::TestRealRelease::test_joint_tables",
    ),
    Mutant(
        "task-cache-stamp", "tasks/babi/tables.py",
        "made_of = hashlib.sha256(stamp.encode())", "made_of = hashlib.sha256()",
        "test_official.py",
    ),
    Mutant(
        "task-fingerprint", "tasks/babi/tables.py",
        "digest.update(part.encode() + hashlib.sha256(text.data).digest())", "digest.update(part.encode())",
        "test_records.py::test_other_data_make_another_run",
    ),
    Mutant(
        "task-not-released", "tasks/babi/official.py",
        'if not of_task["generated"] and not of_task', 'if of_task["generated"] and not of_task',
        "test_official.py",
    ),
    Mutant(
        "task-download", "tasks/release.py",
        'pooch.retrieve(url, f"sha256:{sha256}"', "pooch.retrieve(url, None",
        "test_official.py::TestDownload",
    ),
    Mutant(
        "task-range", "tasks/algorithmic/task.py",
        "torch.randint(low, top + 1,", "torch.randint(low, max(top, low + 1),",
        "test_algorithmic.py::TestSequencesOfATask::test_have_every_form_of_the_range_and_no_other",
    ),
    Mutant(
        "task-step-seed", "tasks/algorithmic/task.py",
        '_seed("training", step, seed)) for seed in seeds)', '_seed("training", step)) for seed in seeds)',
        "test_algorithmic.py::TestSequencesOfATask::test_follow_from_seed_and_step",
    ),
    Mutant(
        "task-recall-last", "tasks/algorithmic/generators.py",
        "chosen = torch.randint(items - 1,", "chosen = torch.randint(1 if items == 1 else max(1, items - 2),",
        "test_algorithmic.py::test_every_item_but_the_last_is_shown_again",
    ),
    Mutant(
        "task-lock", "tasks/files.py",
        "        fcntl.flock(handle, fcntl.LOCK_EX)\n        with contextlib.suppress(FileNotFoundError)",
        "        with contextlib.suppress(FileNotFoundError)",
        "test_files.py",
    ),
    Mutant(
        "lease-stale", "tasks/leases.py",
        "not dead and silent < seconds", "not dead",
        "test_leases.py",
    ),
    Mutant(
        "lease-dead", "tasks/leases.py",
        "not dead and silent < seconds", "silent < seconds",
        "test_leases.py",
    ),
    Mutant(
        "lease-once", "tasks/leases.py",
        "os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644", "os.O_WRONLY | os.O_CREAT, 0o644",
        "test_leases.py",
    ),
    Mutant(
        "lease-old-look", "tasks/leases.py",
        "if other > number:", "if False:",
        "test_leases.py",
    ),
    Mutant(
        "lease-lost", "tasks/leases.py",
        "self._lost or _newest(self.folder) != self.number", "self._lost",
        "test_leases.py",
    ),
    Mutant(
        "lease-clocks", "tasks/leases.py",
        "time.time() + _ahead(folder) - touched", "time.time() - touched",
        "test_leases.py",
    ),
    Mutant(
        "lease-beats", "tasks/leases.py",
        "            os.utime(self.file)\n", "",
        "test_leases.py",
    ),
    Mutant(
        "place-once", "tasks/files.py",
        "            os.link(temporary, file)\n", "            os.replace(temporary, file)\n",
        "test_files.py",
    ),
    Mutant(
        "task-checksum", "tasks/tensors.py",
        "if head.removeprefix(HEAD).decode(errors=\"replace\") != hashlib.sha256(data).hexdigest():", "if False:",
        "test_files.py",
    ),
    # --- records
    Mutant(
        "record-checksum", "zoo/records/record.py",
        "if record.sha256 not in (None, _digest(data)):", "if False:",
        "test_records.py::test_what_somebody_has_edited_since_is_noticed",
    ),
    Mutant(
        "record-arrays-checksum", "zoo/records/arrays.py",
        "if record.arrays_sha256 not in (None, hashlib.sha256(data).hexdigest()):", "if False:",
        "test_records.py",
    ),
    Mutant(
        "record-newest", "zoo/records/store.py",
        "*_plain(runs[one[1]]), one[0])", "*_plain(runs[one[1]]), -one[0])",
        "test_explain.py test_records.py",
    ),
    Mutant(
        "record-weights-first", "zoo/records/store.py",
        "(before_others(runs[one[1]]), *", "(*",
        "test_explain.py",
    ),
    Mutant(
        "record-official-first", "zoo/records/store.py",
        'return record.source == "official", not', "return True, not",
        "test_records.py test_explain.py",
    ),
    Mutant(
        "record-names-first", "zoo/records/store.py",
        'return record.source == "official", not record.renamed', 'return record.source == "official", True',
        "test_records.py test_explain.py",
    ),
    Mutant(
        "record-name-taken", "zoo/records/store.py",
        'while (runs / f"{title}-{record[\'identity\']}-{finished:%Y%m%d%H%M%S}.json").exists():', "while False:",
        "test_records.py",
    ),
    Mutant(
        "record-rounded", "zoo/records/stories.py",
        "[round(float(figure), 4) for figure in figures]", "[round(float(figure), 0) for figure in figures]",
        "test_selection.py",
    ),
    Mutant(
        "record-predictions-part", "zoo/records/stories.py",
        '("" if part == "test" else f"_{part}")', '""',
        "test_dialog.py::test_a_dialog_with_one_wrong_reply_is_wrong_and_each_test_set_has_its_own_replies",
    ),
    Mutant(
        "record-selected-forged", "zoo/records/stories.py",
        "if alone and got.valid_errors[got.selected] > min(got.valid_errors):", "if False:",
        "test_verify.py",
    ),
    Mutant(
        "record-errors-forged", "zoo/records/stories.py",
        "if not agree(got.test_errors, errors,", "if False and not agree(got.test_errors, errors,",
        "test_verify.py",
    ),
    Mutant(
        "record-neutral", "zoo/records/identity.py",
        "if full in NEUTRAL and value == NEUTRAL[full]:", "if full in NEUTRAL:",
        "test_records.py",
    ),
    # --- families and the leaderboard
    Mutant(
        "board-rank", "zoo/families/board.py",
        "rank = (len(record.tasks), record.environment.finished, record.name)",
        "rank = (record.environment.finished, len(record.tasks), record.name)",
        "test_leaderboard.py",
    ),
    Mutant(
        "board-order", "zoo/families/board.py",
        "(1 if self.measure.less_is_better else -1)", "1",
        "test_families.py",
    ),
    Mutant(
        "board-unknown-commit", "zoo/families/board.py",
        "if record.dirty or record.dirty is None:", "if record.dirty:",
        "test_leaderboard.py::test_code_that_is_not_known_is_marked",
    ),
    Mutant(
        "board-published-elsewhere", "zoo/families/babi.py",
        '        if record.source != "official" or record.world or record.renamed:\n            return []\n', "",
        "test_leaderboard.py",
    ),
    Mutant(
        "board-published-changed", "zoo/families/babi.py",
        'if not record.published and any(override.startswith("model.") for override in record.overrides):', "if False:",
        "test_leaderboard.py",
    ),
    Mutant(
        "board-spread", "zoo/families/babi.py",
        "fixed(statistics.stdev(means), 3)", "fixed(statistics.pstdev(means), 3)",
        "test_leaderboard.py",
    ),
    Mutant(
        "board-unfilled", "zoo/families/babi.py",
        "if str(task) not in row.record.filled]", "]",
        "test_leaderboard.py",
    ),
    Mutant(
        "board-facts-found", "zoo/families/babi.py",
        "found = [got.facts_found[got.selected] for", "found = [got.facts_found[0] for",
        "test_leaderboard.py",
    ),
    Mutant(
        "board-selected", "zoo/records/record.py",
        "return self.test_errors[self.selected]", "return min(self.test_errors)",
        "test_leaderboard.py",
    ),
    Mutant(
        "board-first-screen", "zoo/families/babi.py",
        "statistics.fmean(got.valid_errors[got.selected] for got", "statistics.fmean(got.error for got",
        "test_leaderboard.py",
    ),
    Mutant(
        "board-dialog-mean", "zoo/families/dialog.py",
        "return statistics.fmean(known) if len(known) == len(of_tasks) else None",
        "return statistics.fmean(known) if known else None",
        "test_report.py",
    ),
    Mutant(
        "board-hits-mean", "zoo/families/wikimovies.py",
        "100 - got.valid_errors[got.selected]", "100 - min(got.test_errors)",
        "test_families.py::test_hits_are_those_of_the_selected_restart_on_test_and_on_validation",
    ),
    Mutant(
        "board-sequences-selected", "zoo/families/algorithmic.py",
        "return record.validated.bits[record.validated.selected]", "return record.validated.bits[0]",
        "test_families.py::test_bits_of_sequences_are_medians_or_those_of_the_selected_restart",
    ),
    Mutant(
        "board-remark", "zoo/leaderboard/report.py",
        "worse * figure.difference > REMARKED", "figure.difference > REMARKED",
        "test_report.py",
    ),
    Mutant(
        "board-page-script", "zoo/leaderboard/html.py",
        '"DATA": text.replace("<", "\\\\u003c"),', '"DATA": text,',
        "test_page.py::test_text_of_a_record_cannot_end_the_script",
    ),
    Mutant(
        "board-slices", "zoo/leaderboard/page.py",
        "np.bincount(place[known & wrong[of_task]],", "np.bincount(place[known],",
        "test_page.py::test_slices_count_questions_and_mistakes",
    ),
    Mutant(
        "board-gone", "zoo/leaderboard/provenance.py",
        "return GONE if whole else UNKNOWN", "return UNKNOWN",
        "test_page.py::test_the_history_is_git_s_and_stays_what_it_was_as_head_goes_on",
    ),
    Mutant(
        "board-interval", "zoo/leaderboard/statistics.py",
        "COVERED = 95", "COVERED = 90",
        "test_page.py::test_the_interval_is_the_bootstrap_of_the_mean",
    ),
    Mutant(
        "board-ties", "zoo/leaderboard/statistics.py",
        "2 * sizes.index(size) + sizes.count(size) + 1", "2 * sizes.index(size) + 2",
        "test_page.py::test_the_paired_test_is_exact_with_ties",
    ),
    # --- runs and commands
    Mutant(
        "run-again", "zoo/runs/run.py",
        'if earlier and not config["rerun"]:', "if False:",
        "test_selection.py::test_the_same_run_is_not_made_twice",
    ),
    Mutant(
        "run-other-code", "zoo/runs/cells.py",
        "{_code_of(plan)[:12]}", "{_code_of(plan)[:0]}",
        "test_run.py::test_only_other_code_begins_interrupted_work_anew",
    ),
    Mutant(
        "run-fingerprint", "zoo/runs/fingerprint.py",
        'digest.update(f"{name}\\0".encode() + file.read_bytes() + b"\\0")', 'digest.update(f"{name}\\0".encode())',
        "test_fingerprint.py",
    ),
    Mutant(
        "run-imports", "zoo/runs/known.py",
        "        if target not in known:\n", "        if False:\n",
        "test_repeat.py::test_a_record_that_names_code_of_its_own_is_refused_before_anything_is_imported",
    ),
    Mutant(
        "run-overrides-free", "zoo/runs/again.py",
        "if not name.startswith(FREE):", "if False:",
        "test_repeat.py::test_a_record_that_names_code_of_its_own_is_refused_before_anything_is_imported",
    ),
    Mutant(
        "run-seed-of-part", "zoo/runs/again.py",
        '"seed": part.seed,', '"seed": settings["seed"],',
        "test_join.py",
    ),
    Mutant(
        "run-bounds", "zoo/runs/bounds.py",
        "KEPT * NUMBER * weights * restarts,", "KEPT * NUMBER * weights,",
        "test_run.py::test_memory_for_all_restarts_is_counted",
    ),
    Mutant(
        "run-interrupted", "zoo/runs/messages.py",
        "sys.exit(STOPPED)", "sys.exit(1)",
        "test_run.py::test_an_interrupted_program_ends_with_130",
    ),
    Mutant(
        "run-join-selects", "zoo/commands/join.py",
        "found.append((error, known[-1] if len(known) else np.inf, before + k, part))",
        "found.append((error, 0.0, before + k, part))",
        "test_join.py::test_one_restart_is_selected_and_curves_that_end_early_are_filled_up",
    ),
    Mutant(
        "run-join-seeds", "zoo/commands/join.py",
        "        if seed != after:\n", "        if False:\n",
        "test_join.py::test_what_is_no_one_run_is_not_joined",
    ),
    Mutant(
        "run-verify-identity", "zoo/commands/verify.py",
        "if records.identity_of(record.settings, record.kind) != record.identity:", "if False:",
        "test_verify.py",
    ),
    Mutant(
        "run-explain-right", "zoo/commands/explain.py",
        "right = f\", {shown['said']}, \" in f\", {shown['answer']}, \"", "right = shown['said'] in shown['answer']",
        "test_explain.py::test_any_of_several_answers_is_right",
    ),
    # --- kernels, neutral options, checksums, verifying and kills
    Mutant(
        "new-neutral-nested", "zoo/records/identity.py",
        'without_neutral(value, f"{full}.")', "without_neutral(value)",
        "test_records.py",
    ),
    Mutant(
        "new-ids-order", "zoo/records/identity.py",
        'task["ids"] = sorted(task["ids"])', "pass",
        "test_records.py::test_where_and_how_a_run_is_made_does_not_decide_its_identity",
    ),
    Mutant(
        "new-digest-without-tasks", "zoo/records/record.py",
        'own = {name: value for name, value in record.items() if name != "sha256"}',
        'own = {name: value for name, value in record.items() if name not in ("sha256", "workers")}',
        "test_records.py",
    ),
    Mutant(
        "new-arrays-sealed-empty", "zoo/records/record.py",
        'hashlib.sha256(arrays).hexdigest()', 'hashlib.sha256(arrays[:64]).hexdigest()',
        "test_records.py",
    ),
    Mutant(
        "new-verify-alike", "zoo/commands/verify.py",
        "== (now.rounding, now.versions,", "== (part.environment.rounding, now.versions,",
        "test_forged.py",
    ),
    Mutant(
        "new-verify-better", "zoo/commands/verify.py",
        "abs(statistics.fmean(before) - statistics.fmean(after)) > TOLERANCE",
        "statistics.fmean(before) - statistics.fmean(after) > TOLERANCE",
        "test_forged.py",
    ),
    Mutant(
        "new-verify-seed", "zoo/commands/verify.py",
        "random.Random(seed).sample", "random.Random(0).sample",
        "test_forged.py",
    ),
    Mutant(
        "new-verify-name", "zoo/commands/verify.py",
        'if record.name.split("-")[-2] != record.identity:', "if False:",
        "test_forged.py",
    ),
    Mutant(
        "new-verify-noted", "zoo/commands/verify.py",
        "whole += [] if found else [record]", "whole += [record]",
        "test_forged.py",
    ),
    Mutant(
        "new-verify-repeated", "zoo/commands/verify.py",
        '"no" if serious else "within 2 points" if differences else "to the bit"', '"to the bit"',
        "test_forged.py",
    ),
    Mutant(
        "new-orphans-all", "zoo/records/store.py",
        'if not (results_dir / "runs" / f"{left.stem}.json").exists():', "if True:",
        "test_records.py",
    ),
    Mutant(
        "new-temporary-unlocked", "tasks/files.py",
        "            fcntl.flock(handle, fcntl.LOCK_EX)\n        if", "            pass\n        if",
        "test_files.py",
    ),
    Mutant(
        "new-temporary-once", "tasks/files.py",
        "if os.fstat(handle).st_nlink:", "if True:",
        "test_files.py",
    ),
    Mutant(
        "new-temporary-stays", "tasks/files.py",
        "    remove_left(file.parent)\n", "",
        "test_files.py",
    ),
    Mutant(
        "new-sigterm", "zoo/runs/messages.py",
        "signal.signal(signal.SIGTERM, signal.default_int_handler)", "signal.signal(signal.SIGTERM, signal.SIG_IGN)",
        "test_run.py::test_sigterm_ends_a_program_as_an_interrupt_does",
    ),
    Mutant(
        "record-moment", "zoo/records/store.py",
        '        moment = (stage / "moment").read_text()\n', "",
        "test_kills.py::test_a_run_that_was_killed_while_it_wrote_leaves_nothing",
    ),
    Mutant(
        "new-threads", "zoo/runs/workers.py",
        "    torch.set_num_threads(threads)\n    if maker", "    if maker",
        "test_run.py::test_a_run_has_the_threads_that_it_was_given_in_every_process",
    ),
    Mutant(
        "new-worker-threads", "zoo/runs/workers.py",
        "    torch.set_num_threads(threads)\n    end_with", "    end_with",
        "test_run.py::test_a_run_has_the_threads_that_it_was_given_in_every_process",
    ),
    Mutant(
        "new-kernel-header", "zoo/kernels/build.py",
        'key = _key(program, [HERE / "common.h", HERE / f"{name}.cpp"])', 'key = _key(program, [HERE / f"{name}.cpp"])',
        "test_kernels.py::test_another_header_makes_another_library_and_another_digest_in_records",
    ),
    Mutant(
        "new-kernel-shared-gradient", "zoo/kernels/__init__.py",
        "gradient.sum(0) if gradient.dim() > one.dim()", "gradient[0] if gradient.dim() > one.dim()",
        "test_kernels.py::test_the_gradient_of_what_restarts_share_is_the_sum_of_theirs",
    ),
    Mutant(
        "new-kernel-switched", "zoo/kernels/__init__.py",
        "    finally:\n        _wish = before\n", "    finally:\n        pass\n",
        "test_kernels.py::test_a_switch_holds_for_its_block_only",
    ),
    Mutant(
        "new-kernel-scratch", "zoo/kernels/build.py",
        "        shutil.rmtree(left, ignore_errors=True)\n", "        pass\n",
        "test_kernels.py::test_what_a_process_that_was_killed_while_it_compiled_has_left_is_removed",
    ),
)  # fmt: skip


def main(patterns: list[str], unchecked: bool = False) -> int:
    """Try the chosen mutants, print what came out, and return the exit status."""
    chosen = [mutant for mutant in MUTANTS if not patterns or any(map(_is_meant(mutant), patterns))]
    wrong = [fault for mutant in chosen if (fault := _fault(mutant))]
    if wrong or not chosen:
        print("\n".join(wrong) or f"no mutant is meant by {' '.join(patterns)}", file=sys.stderr)
        return 1
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    for name in LIBRARIES:
        importlib.import_module(name)
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        copy = Path(folder) / "tree"
        shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*LEFT_BEHIND), symlinks=True)
        if not unchecked:
            failed, seconds = _failed(copy, sorted({test for mutant in chosen for test in mutant.tests.split()}), 3600)
            if failed:
                print(f"without any mutant: {failed}", file=sys.stderr)
                return 1
            print(f"{len(chosen)} mutants; all of their tests pass without them, in {seconds:.0f} s", flush=True)
        survivors = [mutant.name for mutant in chosen if not _is_as_expected(mutant, copy)]
    noticed = len(chosen) - len(survivors)
    print(f"{noticed} of {len(chosen)} are as expected" + (f"; not: {', '.join(survivors)}" if survivors else ""))
    return 1 if survivors else 0


def _is_meant(mutant: Mutant):
    return lambda pattern: mutant.name.startswith(pattern) or pattern in mutant.file or pattern in mutant.tests


def _fault(mutant: Mutant) -> str:
    """Say why a mutant cannot be made; empty if it can."""
    if [other.name for other in MUTANTS].count(mutant.name) > 1:
        return f"{mutant.name}: two mutants have this name"
    found = (ROOT / mutant.file).read_text().count(mutant.old)
    if found != 1:
        return f"{mutant.name}: {mutant.file} has its text {found} times, expected once"
    return "" if mutant.old != mutant.new else f"{mutant.name}: it changes nothing"


def _is_as_expected(mutant: Mutant, copy: Path) -> bool:
    """Make a mutant in the copy, run its tests, print its line, and take it back."""
    file = copy / mutant.file
    whole = file.read_text()
    file.write_text(whole.replace(mutant.old, mutant.new))
    try:
        failed, seconds = _failed(copy, mutant.tests.split(), LONGEST)
    finally:
        file.write_text(whole)
    said = failed or ("equivalent" if mutant.is_equivalent else "SURVIVES")
    print(f"{mutant.name:34} {'yes' if failed else 'no':4} {seconds:5.1f} s  {said}", flush=True)
    return failed != "too slow" and not failed.startswith(NO_TEST) and bool(failed) != mutant.is_equivalent


def _failed(copy: Path, tests: list[str], limit: float) -> tuple[str, float]:
    """Run tests until one fails; return its name, empty if none did, and the seconds that it took."""
    began = time.monotonic()
    with tempfile.TemporaryFile("w+") as said:
        child = os.fork()  # of a process that has loaded the libraries, and nothing of the project
        if not child:
            _run_tests(copy, tests, said.fileno())
        status = None
        while status is None and time.monotonic() - began < limit:
            done, status = os.waitpid(child, os.WNOHANG)
            if not done:
                status = None
                time.sleep(0.02)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)  # with what it has started
        seconds = time.monotonic() - began
        if status is None:
            os.waitpid(child, 0)
            return "too slow", seconds
        if status == 0:
            return "", seconds
        said.seek(0)
        text = said.read()
    first = re.search(r"^(?:FAILED|ERROR) (?:tests/)?(\S+)", text, re.MULTILINE)
    if first:
        return first[1], seconds
    lines = text.strip().splitlines() or ["nothing was said"]
    return f"{NO_TEST}: {lines[-1]}", seconds


def _run_tests(copy: Path, tests: list[str], said: int) -> None:
    """Run pytest in this process, a child, and end it."""
    os.setsid()
    os.dup2(said, 1)
    os.dup2(said, 2)
    os.chdir(copy)
    # without files of compiled code, which are told apart by seconds and sizes only
    os.environ |= {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    sys.dont_write_bytecode = True
    sys.path[:] = [str(copy), *(place for place in sys.path if place and Path(place).resolve() != ROOT)]
    for name in [name for name in sys.modules if name.partition(".")[0] in ("tests", "tasks", "zoo")]:
        del sys.modules[name]
    options = ["-x", "-q", "-n0", "-p", "no:cacheprovider", "--no-header", "-rfE", "--durations=0"]
    status = 70
    try:
        status = pytest.main([*options, *(f"tests/{test}" for test in tests)])
    finally:
        sys.stdout.flush()
        os._exit(int(status))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("patterns", nargs="*")
    parser.add_argument("--unchecked", action="store_true", help="do not run the tests without a mutant first")
    sys.exit(main(**vars(parser.parse_args())))
