"""The algorithmic tasks: what is asked for follows from what is shown, by programs that know nothing of tensors."""

import hashlib
import math

import pytest
import torch

from tasks.algorithmic.generators import TASKS, arcsine, optimal_bits
from tasks.algorithmic.task import SequenceTask
from tasks.batch import Sequences
from tasks.errors import UserError
from tests.configs import config
from zoo.runs.data import load_data

NAMES = sorted(TASKS)
FORMS = {  # small ones
    "copy": (3,),
    "repeat_copy": (2, 3),
    "associative_recall": (4,),
    "dynamic_ngrams": (40,),
    "priority_sort": (6, 4),
}


def algorithm(name: str, *overrides: str) -> SequenceTask:
    return load_data(config(f"task={name}", *overrides)).trainings[name]


def some(name: str, count: int = 20, seed: int = 0) -> Sequences:
    task = algorithm(name).train.task
    return task.draw(count, torch.Generator().manual_seed(seed), *FORMS[name])


def lists(batch: Sequences) -> list[tuple[list, list, list]]:
    return list(zip(*(table.tolist() for table in batch), strict=True))


def copied(shown: list[list[float]]) -> list[list[float]]:
    return [vector[:8] for vector in shown[: [vector[8] for vector in shown].index(1)]]


def repeated(shown: list[list[float]]) -> list[list[float]]:
    end = [vector[8] for vector in shown].index(1)
    times = round(shown[end][9] * math.sqrt(sum((n - 5.5) ** 2 for n in range(1, 11)) / 10) + 5.5)
    return [[*vector[:8], 0] for _ in range(times) for vector in shown[:end]] + [[0] * 8 + [1]]


def recalled(shown: list[list[float]]) -> list[list[float]]:
    items, query, asking = [], [], False
    for vector in shown:
        if vector[7]:
            asking = True
        elif asking:
            query.append(vector[:6])
        elif vector[6]:
            items.append([])
        else:
            items[-1].append(vector[:6])
    return items[items.index(query[:3]) + 1]


def ordered(shown: list[list[float]]) -> list[list[float]]:
    end = [vector[9] for vector in shown].index(1)
    return [vector[:8] for vector in sorted(shown[:end], key=lambda vector: -vector[8])][:4]


ANSWERS = {"copy": copied, "repeat_copy": repeated, "associative_recall": recalled, "priority_sort": ordered}


@pytest.mark.parametrize("name", sorted(ANSWERS))
def test_what_is_asked_for_follows_from_what_is_shown(name):
    for shown, targets, mask in lists(some(name)):
        asked = [target for target, here in zip(targets, mask, strict=True) if here]
        assert asked == ANSWERS[name](shown)
        assert mask == sorted(mask)  # first all is shown, then all is asked for
        assert all(value == 0 for vector, here in zip(shown, mask, strict=True) if here for value in vector)
        assert all(value == 0 for target, here in zip(targets, mask, strict=True) if not here for value in target)


def test_every_item_but_the_last_is_shown_again():
    batch = some("associative_recall", 200)
    asked = {shown.index(next(v for v in shown[17:] if not v[7])) // 4 for shown, _, _ in lists(batch)}
    assert asked == {0, 1, 2}


def test_the_next_bit_is_asked_for_once_five_are_known():
    for shown, targets, mask in lists(some("dynamic_ngrams")):
        assert [bit for (bit,) in shown[1:]] == [bit for (bit,) in targets[:-1]]
        assert mask == [False] * 4 + [True] * 35


def test_a_table_of_its_own_decides_about_each_next_bit():
    """Over many long sequences, the share of ones in a context is spread as Beta(1/2, 1/2): often near 0 or 1."""
    task = algorithm("dynamic_ngrams").train.task
    batch = task.draw(100, torch.Generator().manual_seed(1), 3000)
    shares = []
    for shown, _, _ in lists(batch):
        bits = "".join(str(int(bit)) for (bit,) in shown)
        after = [bits[i + 5] for i in range(len(bits) - 5) if bits[i : i + 5] == bits[5:10]]
        shares.append(after.count("1") / len(after))
    assert sum(share < 0.1 or share > 0.9 for share in shares) > 30  # a fair coin's would all lie in between
    drawn = arcsine(torch.Generator().manual_seed(2), 100_000)
    assert float(drawn.mean()) == pytest.approx(0.5, abs=0.01)
    assert float(drawn.var()) == pytest.approx(1 / 8, abs=0.005)


def test_the_optimal_predictor_counts():
    batch = some("dynamic_ngrams")
    for (shown, targets, _), got in zip(lists(batch), optimal_bits(batch, 5).tolist(), strict=True):
        bits = [int(bit) for (bit,) in [shown[0], *targets]]
        seen, cost = {}, 0.0
        for place in range(5, len(bits)):
            ones, zeros = seen.get(tuple(bits[place - 5 : place]), (0, 0))
            chance = (ones + 0.5) / (ones + zeros + 1)
            cost -= math.log2(chance if bits[place] else 1 - chance)
            seen[tuple(bits[place - 5 : place])] = (ones + bits[place], zeros + 1 - bits[place])
        assert got == pytest.approx(cost)


def test_the_optimum_of_6_grams_of_200_bits():
    test = algorithm("dynamic_ngrams").test
    assert 120 < test.optimal(0) < 132  # of 195 bits; other counts than its own do worse
    assert algorithm("copy").test.optimal(0) is None


@pytest.mark.parametrize(
    ("name", "digest"),
    [
        ("associative_recall", "22e5d0582fa2"),
        ("copy", "dc1b4f0ef1c5"),
        ("dynamic_ngrams", "94de68e7b61c"),
        ("priority_sort", "62b03050b415"),
        ("repeat_copy", "a9d594366478"),
    ],
)
def test_the_first_sequences_stay_as_they_are(name, digest):
    batch = algorithm(name).train.draw(0, [0], 2)
    said = repr([[[round(value, 4) for value in vector] for vector in shown] for shown in batch.inputs[0].tolist()])
    assert hashlib.sha256(said.encode()).hexdigest()[:12] == digest, said


def test_the_first_copy_can_be_looked_at():
    shown = algorithm("copy").train.draw(0, [0], 1).inputs[0, 0]
    rows = ["".join("#" if value else "." for value in vector) for vector in shown.int().tolist()]
    assert rows == [".##.#.#..", "###..#.#.", "........#", ".........", "........."]


@pytest.mark.parametrize("name", NAMES)
class TestSequencesOfATask:
    def test_follow_from_seed_and_step(self, name):
        fresh = algorithm(name).train
        both, second = fresh.draw(7, [3, 4], 5), fresh.draw(7, [4], 5)
        for one, other in zip(both, second, strict=True):
            assert one[1].equal(other[0])
        assert not both.inputs[0].equal(both.inputs[1])
        assert not any(one.inputs.equal(both.inputs) for one in (fresh.draw(8, [3, 4], 5), fresh.draw(9, [3, 4], 5)))

    def test_have_every_form_of_the_range_and_no_other(self, name):
        fresh = algorithm(name).train
        forms = [fresh.form("training", step) for step in range(400)]
        for (low, high), numbers in zip(fresh.ranges, zip(*forms, strict=True), strict=True):
            assert set(numbers) == set(range(low, high + 1))

    def test_grow_from_the_smallest_form_to_the_whole_range(self, name):
        fresh = algorithm(name).train
        smallest, largest = fresh.task.smallest, tuple(high for _, high in fresh.ranges)
        assert not fresh.task.wrong(*smallest)
        assert any(fresh.task.wrong(number - 1) for number in smallest if number > 1) or set(smallest) == {1}
        assert fresh.form("training", 3, grown=0.0) == smallest
        assert [fresh.form("training", step, grown=1.0) for step in range(9)] == [
            fresh.form("training", step) for step in range(9)
        ]
        greatest = smallest
        for quarter in range(1, 5):
            forms = [fresh.form("training", step, grown=quarter / 4) for step in range(200)]
            assert not any(fresh.task.wrong(*form) for form in forms)
            most = tuple(map(max, zip(*forms, strict=True)))
            assert all(new >= old for new, old in zip(most, greatest, strict=True)) and most != greatest
            greatest = most
        assert greatest == largest
        short, long = (max(fresh.draw(step, [0], 1, grown).mask.shape[2] for step in range(5)) for grown in (0.01, 1.0))
        assert short < long

    def test_to_evaluate_are_the_same_every_time_and_others_than_one_learns_from(self, name):
        task = algorithm(name, "task.valid_size=80", "task.test_size=3")
        first, again = list(task.valid), list(task.valid)
        assert sum(len(batch.mask) for batch in first) == len(task.valid) == 80
        assert all(one.inputs.equal(other.inputs) for one, other in zip(first, again, strict=True))
        other_seed = algorithm(name, "task.valid_size=80", "task.seed=1")
        assert not next(iter(other_seed.valid)).inputs.equal(first[0].inputs)
        for number, form in enumerate(task.valid.forms[:8]):  # nothing that is shown early in training
            shown = next(task.valid.of_form(number)).inputs
            for step in (step for step in range(8) if task.train.form("training", step) == form):
                assert not task.train.draw(step, [0], 2).inputs[0].equal(shown)

    def test_to_choose_by_are_others_than_those_to_test_with(self, name):
        task = algorithm(name, "task.valid_size=120")
        form = ",".join(
            f"{part}:{value}" for part, value in zip(task.train.task.form, task.valid.forms[0], strict=True)
        )
        test = algorithm(name, f"task.test=[{{{form}}}]", "task.test_size=3").test
        assert test.forms == task.valid.forms[:1]
        assert not next(test.of_form(0)).inputs.equal(next(task.valid.of_form(0)).inputs)
        if any(low < high for low, high in task.train.ranges):  # nor do their forms follow those of training
            assert task.valid.forms != [task.train.form("training", step) for step in range(len(task.valid.forms))]

    def test_to_evaluate_are_drawn_alike_for_every_device(self, name):
        task = algorithm(name, "task.valid_size=80", "task.test_size=3").to("meta")  # which cannot draw
        assert {batch.inputs.device.type for part in (task.valid, task.test) for batch in part} == {"meta"}

    def test_of_a_large_test_come_in_several_batches(self, name):
        task = algorithm(name, "task.test_size=900")
        form = len(task.test.forms) - 1
        parts = list(task.test.of_form(form))
        assert len(parts) > 1
        assert sum(len(part.mask) for part in parts) == 900


@pytest.mark.parametrize(
    ("name", "override", "said"),
    [
        ("copy", "task.train.length=[20,1]", "task.train.length=[20, 1]: expected the least first, as in"),
        ("copy", "task.train.length=20", "task.train.length=20: expected the least and the greatest"),
        ("copy", "task.train.length=[0,4]", "task.train.length=0: expected a whole number of at least 1"),
        ("copy", "task.train.length=[1,many]", "task.train.length=many: expected a whole number"),
        ("copy", "task.options.bits=0", "task.options.bits=0: expected a whole number of at least 1"),
        ("copy", "task.test=[]", "task.test=[]: expected a list of forms, as in task.test=[{length:20}]"),
        ("copy", "task.test=[{lenght:5}]", "task.test.0.lenght is not an option; did you mean 'length'?"),
        ("repeat_copy", "task.test=[{length:5}]", "task.test.0 lacks repeats: expected length, repeats"),
        ("copy", "task.epoch=0", "task.epoch=0: expected a whole number of at least 1"),
        ("copy", "task.valid_size=5", "task.valid_size=5: expected a whole number of at least 40"),
        ("associative_recall", "task.train.items=[1,6]", "task.train: items=1, expected at least 2"),
        ("dynamic_ngrams", "task.test=[{length:5}]", "task.test: length=5, expected more than the 5 of the context"),
        ("priority_sort", "task.test=[{length:4,kept:5}]", "task.test: kept=5, expected at most the length, 4"),
        ("priority_sort", "task.train.kept=[9,21]", "task.train: kept=21, expected at most the length, 20"),
        ("copy", "protocol=joint", "protocol=joint: copy has one training, on endless sequences; leave"),
    ],
)
def test_a_mistake_gets_one_clear_message(name, override, said):
    with pytest.raises(Exception) as caught:
        algorithm(name, override)
    error = caught.value
    while not isinstance(error, UserError):
        error = error.__cause__
    assert said in str(error)
