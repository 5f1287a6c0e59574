"""The playground: PyTorch's operators in the reader's browser, and the page that asks networks there."""

import json
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tasks.batch import Questions
from tasks.corpus import Corpus
from tasks.errors import UserError
from tests.browser import one, pick, show, visit
from tests.configs import MODELS, ROOT
from tests.playground import little_world, member
from zoo.playground import graph, page, short, words
from zoo.playground import members as members_
from zoo.playground.members import corpus_of, members
from zoo.pretrained.network import Network
from zoo.records.weights import About
from zoo.training.build import registered

PAGE = ROOT / "results" / "playground.html"

# --- operators

FLOATS = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(0))
INTS = torch.tensor([[3, -1, 2, 0], [7, 2, -5, 1], [4, 4, 0, 2]])
PLACES = torch.tensor([[0, 2, 1, 1], [2, 2, 0, 1]])


class Computed(nn.Module):
    """Whatever a function computes of numbers, whole numbers and places."""

    def __init__(self, compute: Callable[[Tensor, Tensor, Tensor], list[Tensor]]) -> None:
        super().__init__()
        self.compute = compute

    def forward(self, x: Tensor, n: Tensor, at: Tensor) -> list[Tensor]:
        return self.compute(x, n, at)


def alone(x: Tensor, n: Tensor, at: Tensor) -> list[Tensor]:
    positive = x.abs()
    return [
        x.abs(), ~(x > 0), ~n, x.ceil(), x.cos(), x.erf(), x.exp(), x.expm1(), x.floor(), (1 / (x > 0)).isinf(),
        (x.sqrt()).isnan(), positive.log(), positive.log1p(), torch.logical_not(n), -x, x.reciprocal(), x.relu(),
        (2 * x).round(), positive.rsqrt(), x.sigmoid(), x.sign(), x.sin(), positive.sqrt(), x.tanh(), n.float() / 2,
        x.long(), n.bool(), (x > 0).float(), x.clamp(-0.5, 0.5), x.clamp(min=0.1), x.clamp(max=0.1), F.elu(x),
        F.elu(x, 0.5), F.gelu(x), F.gelu(x, approximate="tanh"), F.hardtanh(x), F.leaky_relu(x, 0.2), F.silu(x),
        F.softplus(x), x.clone() + 1,
    ]  # fmt: skip


def pairs(x: Tensor, n: Tensor, at: Tensor) -> list[Tensor]:
    y, yes, m = x[:, :1], x > 0, n[:1] + 3
    return [
        x + y, x + 2, torch.add(x, y, alpha=2), x - y, 1 - x, torch.sub(x, y, alpha=3), x * y, x * 3, x / y, x / 3,
        n // 2, torch.div(n, 2, rounding_mode="trunc"), torch.div(x, y, rounding_mode="floor"), yes & (y > 0),
        yes | (y > 0), yes ^ (y > 0), n & 3, n | 3, n ^ 3, x == 0, x == y, n != 2, x != y, x >= 0.1, x >= y, x > 0.1,
        x > y, x <= 0.1, x <= y, x < 0.1, x < y, torch.logical_and(n, m), torch.logical_or(n, m),
        torch.logical_xor(n, m), torch.maximum(x, y), torch.minimum(x, y), 2**x, x**2, x.abs() ** 0.5, x.abs() ** y,
        n % 3, x % 0.7, n % m, torch.fmod(x, 0.7), torch.where(yes, x, y), torch.where(yes, x, 0.0),
        torch.where(n > 0, n, -1), x.masked_fill(yes, -torch.inf), n + 0.5, n * 123_456_789,
        torch.lerp(x, y.expand_as(x), 0.3),
    ]  # fmt: skip


def shaped(x: Tensor, n: Tensor, at: Tensor) -> list[Tensor]:
    first, rest = x.split([1, 3], dim=2)
    return [
        torch.arange(5) + n[0, 0], torch.arange(6, 0, -2) * 1.0 * x[0, 0, 0], torch.full((2, 3), 1.5) + x[:, :, 0],
        torch.zeros_like(x), torch.ones(3) * x[0, :, 0], x.new_tensor(2.5) * x, x[:, :1].expand(2, 5, 4),
        x[0].expand(3, 3, 4), x.flip(1), x.flip(0, 2), x.permute(2, 0, 1), x.mT, x.repeat(2, 1, 3),
        x[0].repeat(2, 1, 1), x[:, 1], x[:, -1], x[..., 2], x[:, 1:], x[..., ::2], x[:, -2:], x[:, 1:2], first, rest,
        x[:, :1].squeeze(1), x[:, :1].squeeze(), x[:, None], x.unsqueeze(-1), x.flatten(), x.reshape(4, -1),
        x.view(2, 12), torch.cat([x, x[:, :2]], dim=1), torch.cat([x[..., :1], x], dim=-1), torch.stack([x, 2 * x]),
        F.pad(x, (1, 2)), F.pad(x, (0, 0, 2, 0), value=3.0), F.pad(x, (-1, 1)), F.pad(n, (1, 0)), *x.unbind(1),
        *x.chunk(2, dim=2), x.roll(1, 2),
    ]  # fmt: skip


def picked(x: Tensor, n: Tensor, at: Tensor) -> list[Tensor]:
    wide = at[:, :3, None].expand(2, 3, 4)
    return [
        x[:, at], x[0][at], x[at[:, :2] % 2], x[at[0] % 2, at[0]], x[at[0] % 2, :, at[0]], x[:, at[0], at[1]],
        F.embedding(at, x[0]), x.gather(1, wide), x.index_select(1, at[0]), x.index_select(2, at[1]),
        x.scatter(1, wide, 2 * x), x.scatter(1, wide, 1.5), torch.zeros_like(x).scatter_add(1, wide, x),
        x.scatter_add(2, at[:, None], x[:, 1:2]), F.one_hot(at, 3), x.take_along_dim(wide, 1),
    ]  # fmt: skip


def folded(x: Tensor, n: Tensor, at: Tensor) -> list[Tensor]:
    some = n > 0
    return [
        some.all(1), some.all(), some.any(), some.any(0), (x > 0).any((0, 2)), (x > 1).any(1, keepdim=True), x.amax(1),
        x.amax((0, 2)), x.amin(-1, keepdim=True), x.argmax(), x.argmax(1), x.argmin(2, keepdim=True), n.argmax(1),
        *x.max(1), *x.min(2), x.mean(), x.mean(1), x.mean((0, 2), keepdim=True), x.prod(1), x.sum(), x.sum(1),
        x.sum((0, 1)), some.sum(1), x.var(1), x.std(2, correction=0), x.norm(dim=1), x.norm(p=1, dim=2, keepdim=True),
        n.sum(0),
    ]  # fmt: skip


def lined(x: Tensor, n: Tensor, at: Tensor) -> list[Tensor]:
    ordered, places = x.sort(2)
    best, which = x.topk(2, dim=1)
    return [
        x.cumsum(1), n.cumsum(0), x.cumprod(2), x.log_softmax(1), x.softmax(2), x.softmax(0), ordered, places, best,
        which, x.sort(1, descending=True)[0], x.round().sort(stable=True, dim=2)[1],
        F.layer_norm(x, (4,)), F.layer_norm(x, (3, 4), x[0], x[1]),
    ]  # fmt: skip


def multiplied(x: Tensor, n: Tensor, at: Tensor) -> list[Tensor]:
    square = x[..., :3].tril() + 2 * torch.eye(3)
    return [
        x[0] @ x[1].T, x @ x.mT, x @ x[0].T, F.linear(x, x[0], x[0, :, 0]),
        torch.addmm(x[0, :, :3], x[0], x[1].T, alpha=2), torch.baddbmm(x[..., :3], x, x.mT, beta=0.5),
        torch.einsum("bij,bkj->bik", x, x), x[0] @ x[0, 0],
        torch.linalg.solve_triangular(square, x, upper=False),
        torch.linalg.solve_triangular(square.mT, x, upper=True, unitriangular=True),
    ]  # fmt: skip


GROUPS = (alone, pairs, shaped, picked, folded, lined, multiplied)


@cache
def exported(group: Callable) -> tuple[graph.Graphs, list[Tensor]]:
    given = FLOATS, INTS, PLACES
    module, store = Computed(group), graph.Store()
    written = graph.written(module, given, store)
    return graph.Graphs(store.constants, bytes(store.weights), {1: written}), module(*given)


def as_json(tensor: Tensor) -> dict:
    return {"kind": graph.kind_of(tensor.dtype), "shape": list(tensor.shape), "values": tensor.flatten().tolist()}


RUN = """
    const [network, inputs, done] = arguments;
    const as = ({ kind, shape, values }) => tensor(kind, shape, ARRAYS[kind].from(values));
    const spelled = (x) => Number.isFinite(x) ? x : String(x);
    networkOf(network).graph(1).then((graph) => done(run(graph, inputs.map(as)).map(({ kind, shape, values }) => (
      { kind, shape, values: Array.from(values, spelled) }))), (error) => done(String(error)));
"""


@pytest.fixture(scope="module")
def world() -> Corpus:
    return little_world()


@pytest.fixture(scope="module")
def little(tmp_path_factory, world) -> "Little":
    return Little(tmp_path_factory.mktemp("playground"), world)


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.__name__)
def test_operators_compute_what_torch_computes(driver, little, group):
    graphs, expected = exported(group)
    assert graph.missing_operators(graphs) == []
    show(driver, little.file, 1280)
    driver.set_script_timeout(60)
    found = driver.execute_async_script(RUN, graph.as_page_data(graphs), [as_json(x) for x in (FLOATS, INTS, PLACES)])
    assert isinstance(found, list), found
    assert len(found) == len(expected)
    for place, (got, wanted) in enumerate(zip(found, expected, strict=True)):
        assert (got["kind"], got["shape"]) == (graph.kind_of(wanted.dtype), list(wanted.shape)), place
        values = torch.tensor([float(x) for x in got["values"]], dtype=torch.float64)
        torch.testing.assert_close(
            values,
            wanted.double().flatten(),
            rtol=1e-5,
            atol=1e-6,
            equal_nan=True,
            msg=lambda said, at=place: f"{at}: {said}",
        )


def test_every_operator_of_the_interpreter_is_tested():
    tested = {name for group in GROUPS for name in exported(group)[0].of_slots[1]["operators"]}
    assert sorted(graph.known_operators() - tested) == []


def test_python_and_the_page_know_the_same_operators(driver, little):
    show(driver, little.file, 1280)
    assert set(driver.execute_script("return Object.keys(operators)")) == graph.known_operators()


def test_an_operator_that_is_missing_is_named_and_its_model_left_out(world, monkeypatch):
    monkeypatch.setattr(graph, "known_operators", lambda: {"mm"})
    monkeypatch.setattr(page, "LENGTHS", (3,))
    said: list[str] = []
    data = page.page_data([member("memn2n", world)], world, said.append)
    assert (data["models"], data["left_out"]) == ([], ["memn2n"])
    assert re.match(r"left out: memn2n needs .*gather, .*, which zoo/playground/template/operators.js lacks", said[0])


def test_of_networks_that_are_too_large_together_the_largest_is_left_out(world, monkeypatch):
    monkeypatch.setattr(page, "LENGTHS", (3,))
    members, said = [member("memn2n", world, dim=40), member("memn2n", world, "small", dim=4)], []
    whole = page.as_html(members, world, said.append)
    monkeypatch.setattr(page, "LARGEST", len(whole.encode()) - 1)
    fits = page.as_html(members, world, said.append, may_leave_out=True)
    assert said[-1].startswith("left out: memn2n, the largest; with it the page would have ")
    assert '"name":"small"' in fits.replace('": ', '":') and len(fits) < len(whole)
    with pytest.raises(UserError, match="leave a model out: models="):
        page.as_html(members, world, said.append)


def test_floats_are_stored_without_last_bytes_that_are_zero():
    store = graph.Store()
    short, third = torch.tensor([0.5, -1.25]), torch.tensor([1 / 3])
    assert [store.add(one) for one in (short, third, short.clone(), graph.shortened(third, 16))] == [0, 1, 0, 2]
    assert [(of["bytes"], of["at"]) for of in store.constants] == [(3, 0), (4, 8), (3, 16)]
    assert store.weights[:6] == bytes([0, 0, 0, 0xA0, 0x3F, 0xBF])  # the second, third and fourth bytes of both


@pytest.mark.parametrize("bits", short.BITS)
def test_a_shortened_number_is_the_nearest_of_so_many_bits(bits):
    numbers = torch.tensor([1 / 3, -1e-3, 7.77e5, 0.0, 1.0])
    short = graph.shortened(numbers, bits)
    assert not (short.view(torch.int32) % 2 ** (24 - bits)).any()
    assert ((short - numbers).abs() <= numbers.abs() * 2.0**-bits).all()
    assert short[3:].tolist() == [0.0, 1.0]


def test_of_a_model_the_joint_network_of_official_stories_that_errs_least_is_taken(world, monkeypatch, tmp_path):
    def about(error: float, **changes: str) -> About:
        found = member("memn2n", world).about
        facts = found.trainings["joint"].model_copy(update={"valid": {"1": error}})
        return found.model_copy(update={"trainings": {"joint": facts}, **changes})

    others = [about(0.0, family="wikimovies"), about(0.0, source="generated"), about(0.0, protocol="per_task")]
    better, worse = about(1.0), about(2.0)
    monkeypatch.setattr(members_, "available", lambda results_dir: [*others, better, worse])
    monkeypatch.setattr(members_, "network_of", lambda file, task: taken.append(file) or member("memn2n", world))
    taken: list[Path] = []
    for number, one_of in enumerate([*others, better, worse]):
        one_of._file = tmp_path / f"{number}.safetensors"
    assert len(members(tmp_path)) == 1
    assert taken == [better.file]


# --- every model of conf/, with the weights that it was born with, on a page

STORY_MODELS = [name for name, model in registered().items() if model.batch_type is Questions]


class Little:
    """A page of networks that have learned nothing, about the little world."""

    def __init__(self, folder: Path, corpus: Corpus) -> None:
        self.corpus = corpus
        self.members = [member(name, corpus) for name in STORY_MODELS]
        self.members.append(member("memn2n", corpus, "memn2n_short", memory_size=2))
        self.file = folder / "playground.html"
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(page, "LENGTHS", (3,))
            self.said: list[str] = []
            self.file.write_text(page.as_html(self.members, corpus, self.said.append))


def test_the_sweep_has_every_model_that_reads_stories():
    assert len(STORY_MODELS) >= len(MODELS) - 1
    assert {"memn2n", "entnet", "lstm", "dmn", "ntm"} <= set(STORY_MODELS)


ASK = """
    const [model, questions, done] = arguments;
    (async () => {
      const { vocabulary, sentence_length: length } = data.models[model];
      const found = [];
      for (const { story, question } of questions) {
        const read = (text) => idsOf(wordsOf(text), vocabulary);
        const { probabilities, looks } = await asked(networks[model], length, story.map(read), read(question));
        found.push({ probabilities: [...probabilities], looks });
      }
      return found;
    })().then(done, (error) => done(String(error)));
"""


def questions_of(corpus: Corpus, numbers: list[int]) -> list[dict]:
    def text(row: int) -> str:
        return words.text_of(corpus, row)

    test, found = corpus.test, []
    for number in numbers:
        begin, told = int(test.begin[test.story[number]]), int(test.told[number])
        story = [text(row) for row in test.facts[begin : begin + told].tolist()]
        found.append({"story": story, "question": text(int(test.question[number]))})
    return found


def in_torch(member: Network, question: dict, lengths: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Answer with the batch form, in as many slots as the page takes."""
    number = {word: i for i, word in enumerate(member.words)}
    slots = graph.slots_of(member.model, lengths)
    told = [[number[word] for word in said.split()] for said in question["story"]]
    chosen = next((count for count in slots if count >= len(told)), slots[-1])
    asked = [number[word] for word in question["question"].split()]
    inputs = graph.inputs_of(told[-chosen:], asked, chosen, member.sizes.sentence_length)
    return graph.ask(member.model, member.unseen, inputs)


def compare(driver, place: int, member: Network, questions: list[dict], lengths: tuple[int, ...]) -> None:
    """Ask the page and PyTorch: the same answer, its probability within 1e-4, the same looks."""
    driver.set_script_timeout(300)
    found = driver.execute_async_script(ASK, place, questions)
    assert isinstance(found, list), found
    for question, got in zip(questions, found, strict=True):
        probabilities, attention = in_torch(member, question, lengths)
        here = torch.tensor(got["probabilities"], dtype=torch.float32)
        assert int(here.argmax()) == int(probabilities.argmax()), question
        torch.testing.assert_close(here, probabilities, rtol=0, atol=1e-4)
        seen = min(len(question["story"]), attention.shape[1])
        for hop, wanted in zip(got["looks"], attention, strict=True):
            assert hop[: len(hop) - seen] == [None] * (len(hop) - seen)
            torch.testing.assert_close(
                torch.tensor(hop[len(hop) - seen :], dtype=torch.float32), wanted[:seen], rtol=1e-3, atol=1e-4
            )


def test_every_model_answers_in_the_browser_as_in_pytorch(driver, little):
    assert [line for line in little.said if "left out" in line] == []
    show(driver, little.file, 1280)
    questions = questions_of(little.corpus, list(range(12)))
    assert {len(question["story"]) for question in questions} == {1, 2, 3}
    for place, of in enumerate(little.members):
        compare(driver, place, of, questions, (3,))


def test_a_story_is_read_in_the_fewest_slots_that_hold_it(driver, little):
    of = member("kv_memnn", little.corpus)
    graphs = graph.graphs_of(of.model, of.unseen, of.sizes.sentence_length, (1, 3))
    show(driver, little.file, 1280)
    slots = driver.execute_script(
        "const network = networkOf(arguments[0]); return [1, 2, 3, 4].map(network.slotsFor)", graph.as_page_data(graphs)
    )
    assert slots == [1, 3, 3, 3]


@pytest.mark.slow
def test_the_page_of_the_repository_answers_two_hundred_test_questions_as_pytorch_does(driver, official):
    if not PAGE.exists():
        pytest.skip("results/playground.html has not been made yet")
    ours = {of.name: of for of in members(ROOT / "results")}
    data = json.loads(re.search(r'id="data">(.*?)</script>', PAGE.read_text(), re.DOTALL)[1])
    corpus = corpus_of(next(iter(ours.values())), str(official))
    fitting = (corpus.test.told <= data["longest"]).nonzero()[:, 0]
    some = fitting[torch.randperm(len(fitting), generator=torch.Generator().manual_seed(0))[:200]].tolist()
    show(driver, PAGE, 1280)
    for place, of in enumerate(data["models"]):
        compare(driver, place, ours[of["name"]], questions_of(corpus, some), page.LENGTHS)


# --- what a reader does


def texts(driver, selector: str) -> list[str]:
    """Read all texts of the page at once, since answers come one after another."""
    script = "return [...document.querySelectorAll(arguments[0])].map((one) => one.innerText.trim())"
    return driver.execute_script(script, selector)


@pytest.fixture
def reading(driver, little):
    """The page as it is opened; whatever is done with it, it must not complain."""
    show(driver, little.file, 1280)
    settled(driver)
    yield driver
    assert driver.get_log("browser") == []


SETTLED = (
    "return [...document.querySelectorAll('#reading .said, #cards .said')].every((one) => one.textContent !== '…')"
)


def settled(driver) -> None:
    """Wait until every network has answered."""
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(driver, 30).until(lambda _: driver.execute_script(SETTLED))


def told(driver) -> list[str]:
    return texts(driver, "#reading tbody .text")


def test_answers_looks_and_verdicts_are_shown(reading, little):
    first = json.loads(re.search(r'id="data">(.*?)</script>', little.file.read_text(), re.DOTALL)[1])
    story = first["stories"]["1"][0]
    said = [first["sentences"][sentence] for sentence in story["story"]]
    assert [line.lower().rstrip(".") for line in told(reading)] == said
    assert one(reading, "#reading thead strong").text.lower() == story["question"] + "?"
    place = STORY_MODELS.index("memn2n")
    probabilities, attention = in_torch(little.members[place], {"story": said, "question": story["question"]}, (3,))
    column = reading.find_elements("css selector", "#reading .answer")[place]
    answer = little.corpus.words[int(probabilities.argmax())]
    right = answer == story["answer"]
    assert column.find_element("css selector", ".said").text == answer
    assert ("✓" in column.text, "✗" in column.text) == (right, not right)
    assert f"{100 * float(probabilities.max()):.0f} %" in column.find_element("css selector", ".sub").text
    cells = reading.find_elements(
        "css selector", f"#reading tbody tr:first-child td:nth-of-type({place + 1}) .hops > span"
    )
    assert [cell.get_attribute("title").partition(" %")[0] for cell in cells] == [
        f"hop {hop}: {100 * share:.{0 if share >= 0.01 else 1}f}"
        for hop, share in enumerate(attention[:, 0].tolist(), 1)
    ]
    assert re.match(rf"\d+ of {len(little.members)} are right\.", one(reading, "#says").text)


def test_a_sentence_struck_out_is_not_heard_and_those_who_change_are_named(reading, little):
    before = texts(reading, "#reading .said")
    one(reading, "#strike-0").click()
    settled(reading)
    assert one(reading, "#strike-0").get_attribute("aria-pressed") == "true"
    after = texts(reading, "#reading .said")
    changed = [of.name for of, was, now in zip(little.members, before, after, strict=True) if was != now]
    assert changed
    said = one(reading, "#says").text
    assert all(name in said for name in changed)
    assert len(texts(reading, "#reading .was")) == len(changed)
    one(reading, "#strike-0").click()
    settled(reading)
    assert texts(reading, "#reading .said") == before


def test_the_slider_tells_the_story_again(reading, little):
    from selenium.webdriver.common.keys import Keys

    slider = one(reading, "#heard")
    length = len(told(reading))
    slider.send_keys(Keys.HOME)
    settled(reading)
    assert one(reading, "#heard-says").text == f"1 of {length} sentences told"
    assert len(reading.find_elements("css selector", "#reading tr.untold")) == length - 1
    assert not reading.find_elements(
        "css selector", "#reading .right, #reading .wrong"
    )  # the answer is that of the whole
    slider.send_keys(Keys.END)
    settled(reading)
    assert reading.find_elements("css selector", "#reading .right, #reading .wrong")


def test_stories_are_chosen_and_the_address_keeps_them(reading, little):
    before = told(reading)
    one(reading, "#another").click()
    settled(reading)
    assert told(reading) != before
    assert reading.execute_script("return location.hash") == "#task=1&story=2"
    again = told(reading)
    visit(reading, reading.current_url)
    settled(reading)
    assert told(reading) == again
    one(reading, "#empty").click()
    assert (told(reading), reading.execute_script("return location.hash")) == ([], "")
    pick(reading, "task", "1, single supporting fact")
    settled(reading)
    assert told(reading) == before


def test_a_story_is_typed_and_pressed_together_by_keyboard_alone(reading):
    from selenium.webdriver.common.keys import Keys

    one(reading, "#empty").click()
    assert reading.switch_to.active_element.get_attribute("id") == "tell"
    one(reading, "#tell").send_keys("Ada went to the barm\n")
    assert one(reading, "#tell-fault").text == "None of them knows the word “barm”. Did you mean barn?"
    one(reading, "#tell-fault button").send_keys(Keys.ENTER)
    assert told(reading) == ["Ada went to the barn."]
    assert one(reading, "#tell").get_attribute("value") == ""
    for word in ("ben", "ran", "to", "the", "dock", "Tell it"):  # the words that may come next
        reading.find_element("css selector", f'#tell-chips [aria-label="{word}"]').send_keys(Keys.ENTER)
    assert told(reading) == ["Ada went to the barn.", "Ben ran to the dock."]
    one(reading, "#ask").send_keys("where is be")
    assert texts(reading, "#ask-chips button") == ["ben"]
    one(reading, "#ask-chips button").send_keys(Keys.ENTER)
    one(reading, "#ask").send_keys(Keys.ENTER)
    settled(reading)
    assert one(reading, "#reading thead strong").text == "Where is ben?"
    assert re.fullmatch(r"(All \d+|\d+ of \d+) say \w+\.", one(reading, "#says").text)
    one(reading, "#forget-0").click()
    assert told(reading) == ["Ben ran to the dock."]
    one(reading, "#tell").send_keys("where where where where where where\n")
    assert one(reading, "#tell-fault").text == "6 words: a sentence has at most 5."


def test_a_story_ends_where_the_networks_do(reading):
    for _ in range(3 - len(told(reading))):
        one(reading, "#tell").send_keys("ada went to the barn\n")
    assert len(told(reading)) == 3
    one(reading, "#tell").send_keys("ada went to the barn\n")
    assert one(reading, "#tell-fault").text == "A story has at most 3 sentences here; remove one first."


def test_it_fits_a_phone_shows_one_network_at_a_time_and_changes_its_colours(driver, little):
    for file in filter(Path.exists, (little.file, PAGE)):
        show(driver, file, 390)
        settled(driver)
        assert driver.execute_script("return document.documentElement.scrollWidth") == 390
        assert len(texts(driver, "#reading .answer")) == 1
        one(driver, "#card-1").click()
        assert one(driver, "#reading .answer .name").text == one(driver, "#card-1 .name").text
        ground = "return getComputedStyle(document.body).backgroundColor"
        before = driver.execute_script(ground)
        one(driver, "#theme").click()
        assert driver.execute_script(ground) != before
        assert driver.get_log("browser") == []


def test_where_the_table_is_wider_than_the_page_it_scrolls_by_itself(driver, little):
    elements = "[document.getElementById('table'), document.documentElement]"
    for file in filter(Path.exists, (little.file, PAGE)):
        show(driver, file, 800)
        settled(driver)
        table, page = driver.execute_script(f"return {elements}.map((one) => one.scrollWidth - one.clientWidth)")
        assert table > 0
        assert page == 0


SMALL = """
    const targets = [...document.querySelectorAll("button, select, input, a:not(p a, li a)")];
    return targets.filter((one) => one.checkVisibility())
      .map((one) => [one.id || one.textContent, one.getBoundingClientRect()])
      .filter(([, { width, height }]) => width < 24 || height < 24).map(([name]) => name);
"""


def test_targets_are_large_enough_to_be_pressed(reading):
    assert [name for name in reading.execute_script(SMALL) if "skip" not in name] == []


def test_nothing_is_fetched(reading, little):
    assert reading.execute_script("return performance.getEntriesByType('resource').length") == 0
    text = little.file.read_text()
    assert "default-src 'none'" in text
    assert "@import" not in text
    assert "src=" not in text
