"""The playground's second tab: a dialog with a bot that takes orders."""

import json
import re
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tasks.corpus import Corpus
from tasks.dialog.tables import BOT, USER, corpus_of
from tasks.errors import UserError
from tests.browser import one, pick, show, visit
from tests.configs import ROOT
from tests.playground import little_world, member
from tests.tiny_dialog import CITIES, dialogs, write_dialogs
from zoo.commands import parse, playground
from zoo.playground import dialog, graph, page
from zoo.playground.dialog import Bot
from zoo.playground.members import find_bot
from zoo.playground.short import shortened

PAGE = ROOT / "results" / "playground.html"


def without_facts(text: str) -> bytes:
    """Leave out what is told between the turns of dialogs."""
    kept = []
    for lines in text.strip().split("\n\n"):
        turns = [line.partition(" ")[2] for line in lines.splitlines() if "\t" in line]
        kept.append("".join(f"{number} {turn}\n" for number, turn in enumerate(turns, 1)))
    return "\n".join([*kept, ""]).encode()


def corpus(folder: Path, told: dict[str, bytes]) -> Corpus:
    (candidates,) = write_dialogs(folder).rglob("dialog-babi-candidates.txt")
    knowledge = (candidates.parent / "dialog-babi-kb-all.txt").read_bytes()
    return corpus_of(2, told | {"candidates": candidates.read_bytes(), "knowledge": knowledge}, match=False)


@pytest.fixture(scope="module")
def bot(tmp_path_factory) -> Bot:
    sizes = {"train": 20, "valid": 5, "test": 6, "oov": 2}
    told = {part: without_facts(dialogs(size, size, CITIES)) for part, size in sizes.items()}
    read = corpus(tmp_path_factory.mktemp("dialogs"), told)
    return Bot(member("memn2n", read, task="2", dim=6), read)


@pytest.fixture(scope="module")
def file(tmp_path_factory, bot) -> Path:
    file, world = tmp_path_factory.mktemp("page") / "playground.html", little_world()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page, "LENGTHS", (3,))
        file.write_text(page.as_html([member("memn2n", world)], world, lambda said: None, bot=bot))
    return file


def data_of(file: Path) -> dict:
    return json.loads(re.search(r'id="data">(.*?)</script>', file.read_text(), re.DOTALL)[1])


@pytest.fixture
def talking(driver, file):
    """The page with its second tab open; whatever is done with it, it must not complain."""
    show(driver, file, 1280)
    one(driver, "#tab-dialog").click()
    yield driver
    assert driver.get_log("browser") == []


REPLIED = "return dialog.turns.every((turn) => turn.reply !== undefined)"


def replied(driver) -> None:
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(driver, 30).until(lambda _: driver.execute_script(REPLIED))


def in_torch(bot: Bot, turns: list[dict], says: str) -> tuple[Tensor, Tensor]:
    """Answer with the batch form, in as many slots as the page takes."""
    network = bot.network
    number = {word: i for i, word in enumerate(network.words)}
    lines = [line for turn in turns for line in ([USER, *turn["says"].split()], [BOT, *turn["reply"].split()])]
    told = [[number[word] for word in line] for line in lines]
    slots = graph.slots_of(network.model, dialog.LENGTHS)
    chosen = next((count for count in slots if count >= len(told)), slots[-1])
    asked = [number[word] for word in says.split()]
    inputs = graph.inputs_of(told[-chosen:], asked, chosen, network.sizes.sentence_length)
    return graph.ask(network.model, network.unseen, inputs, network.candidates)


def compare(driver, bot: Bot, customers: list[list[dict]]) -> int:
    """Say the customers' lines to the page and to PyTorch, after the replies of the test; count the turns."""
    driver.set_script_timeout(300)
    turns = [(turns[:at], turn["says"]) for turns in customers for at, turn in enumerate(turns)]
    found = driver.execute_async_script(SAY, [{"before": before, "says": says} for before, says in turns])
    assert isinstance(found, list), found
    for (before, says), got in zip(turns, found, strict=True):
        probabilities, attention = in_torch(bot, before, says)
        assert got["reply"] == bot.network.answers[int(probabilities.argmax())]
        assert got["probability"] == pytest.approx(float(probabilities.max()), abs=1e-4)
        looks = torch.tensor(got["looks"]).reshape(len(attention), -1)
        torch.testing.assert_close(looks, attention[:, : looks.shape[1]], rtol=1e-3, atol=1e-4)
    return len(turns)


SAY = """
    const [turns, done] = arguments;
    (async () => {
      const found = [];
      for (const { before, says } of turns) {
        dialog.turns = before;
        await say(says);
        found.push(dialog.turns.pop());
      }
      begin(0);
      return found;
    })().then(done, (error) => done(String(error)));
"""


def test_customers_say_what_those_of_the_test_say(bot):
    data = dialog.dialog_data(bot)
    assert len(data["customers"]) == 6
    for turns in data["customers"]:
        assert [turn["reply"] for turn in turns[:2]] == ["hello what can i help you with today", "where should it be"]
        assert turns[3] == {"says": "<silence>", "reply": turns[3]["reply"]}
        assert turns[3]["reply"].startswith("api_call ")
    assert "<silence>" in data["following"][""]


def test_a_dialog_with_facts_between_its_turns_is_none_to_start_from(tmp_path):
    told = dict.fromkeys(("train", "valid", "test", "oov"), dialogs(3, 0, CITIES).encode())
    read = corpus(tmp_path, told)
    assert dialog.dialog_data(Bot(member("memn2n", read, task="2", dim=6), read))["customers"] == []


def test_replies_are_those_of_pytorch(driver, file, bot):
    show(driver, file, 1280)
    assert compare(driver, bot, data_of(file)["dialog"]["customers"]) == 30


@pytest.mark.slow
def test_the_bot_of_the_repository_replies_two_hundred_times_as_pytorch_does(driver, official):
    if not PAGE.exists() or not data_of(PAGE).get("dialog"):
        pytest.skip("results/playground.html has not been made yet, or has no dialog")
    bot = find_bot(ROOT / "results", str(official))
    if bot is None:
        pytest.skip("the weights of its network are not here")
    show(driver, PAGE, 1280)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dialog, "CUSTOMERS", 25)
        customers = list(dialog._customers(bot.corpus))
    assert compare(driver, bot, customers) >= 200


def test_a_customers_lines_are_said_one_by_one_and_marked(talking, bot, file):
    known = data_of(file)["dialog"]["customers"][0]
    said: list[dict] = []
    for turn in known:
        button = talking.find_elements("css selector", "#next-line")
        if not button:
            break  # the network has left the dialog of the test
        assert button[0].text == ("The customer says nothing" if turn["says"] == "<silence>" else turn["says"])
        probabilities, attention = in_torch(bot, said, turn["says"])
        button[0].click()
        replied(talking)
        reply = bot.network.answers[int(probabilities.argmax())]
        said.append({"says": turn["says"], "reply": reply})
        cell = one(talking, f"#log tr:nth-of-type({2 * len(said)}) th")
        assert one(talking, f"#reply-{len(said) - 1}").text == reply
        assert ("✓" in cell.text, "✗" in cell.text) == (reply == turn["reply"], reply != turn["reply"])
        assert f"{100 * float(probabilities.max()):.0f} %" in cell.text
        shown = [cell.get_attribute("title") for cell in talking.find_elements("css selector", "#log td.heat")]
        assert len(shown) == len(attention) * 2 * (len(said) - 1)
    assert said
    one(talking, "#again").click()
    assert not talking.find_elements("css selector", "#log td")
    assert one(talking, "#log .none").text == "The customer speaks first."


def test_somebody_says_something_of_their_own(talking):
    one(talking, "#say").send_keys("greek fod please\n")
    assert one(talking, "#say-fault").text == "It does not know the word “fod”. Did you mean food?"
    one(talking, "#say-fault button").click()
    replied(talking)
    assert one(talking, "#log .customer").text == "greek food please"
    assert not talking.find_elements("css selector", "#log .right, #log .wrong, #next-line")  # nobody knows any more
    one(talking, "#say").send_keys("in ")
    assert "oslo" in [chip.text for chip in talking.find_elements("css selector", "#say-chips button")]


def test_tabs_are_changed_by_keyboard_and_the_address_keeps_the_customer(talking):
    from selenium.webdriver.common.keys import Keys

    pick(talking, "customer", "3")
    assert talking.execute_script("return location.hash") == "#customer=3"
    visit(talking, talking.current_url)
    assert one(talking, "#customer").get_attribute("value") == "2"
    assert not one(talking, "#stories").is_displayed()
    one(talking, "#tab-dialog").send_keys(Keys.ARROW_LEFT)
    assert talking.switch_to.active_element.get_attribute("id") == "tab-stories"
    assert one(talking, "#stories").is_displayed() and not one(talking, "#dialog").is_displayed()
    assert talking.execute_script("return location.hash") == "#task=1&story=1"


def test_it_fits_a_phone(driver, file):
    for html in (file, PAGE) if PAGE.exists() and data_of(PAGE).get("dialog") else (file,):
        show(driver, html, 390)
        one(driver, "#tab-dialog").click()
        one(driver, "#next-line").click()
        replied(driver)
        assert driver.execute_script("return document.documentElement.scrollWidth") == 390


def test_without_a_bot_there_is_one_tab_and_it_is_not_shown(driver, tmp_path):
    world, file = little_world(), tmp_path / "playground.html"
    file.write_text(page.as_html([member("memn2n", world)], world, lambda said: None))
    show(driver, file, 1280)
    assert not one(driver, "#tabs").is_displayed()
    assert not one(driver, "#dialog").is_displayed()
    assert driver.get_log("browser") == []


def test_what_tables_say_of_unseen_words_is_left_out_unless_a_reply_needs_it(bot):
    network, corpus = bot
    before, after = network.model.words, shortened(network, corpus).words  # tables A, C, B, W^T
    assert [bool(table[corpus.unseen].any()) for table in after] == [False, False, False, True]
    torch.testing.assert_close(after[:, ~corpus.unseen], before[:, ~corpus.unseen], rtol=1e-3, atol=0)


def test_without_the_dialogs_the_command_makes_the_page_and_says_why(tmp_path, capsys, monkeypatch):
    def missing(results_dir, data_dir):
        raise UserError("the dialog tasks are not in data\n  to download them: …")

    world = little_world()
    monkeypatch.setattr(playground, "members", lambda results_dir, models: [member("memn2n", world)])
    monkeypatch.setattr(playground, "corpus_of", lambda network, data_dir: world)
    monkeypatch.setattr(playground, "find_bot", missing)
    playground.main(parse("playground", playground.GRAMMAR, [f"out={tmp_path / 'page.html'}"]))
    assert "without a dialog: the dialog tasks are not in data\n" in capsys.readouterr().err
    assert data_of(tmp_path / "page.html")["dialog"] is None
