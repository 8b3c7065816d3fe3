"""What notebooks say of a claim is what its page says; a picture comes first; drawn faces earn no verdict."""

import base64
import re
from dataclasses import replace
from types import SimpleNamespace

import hand
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from conftest import ROOT
from test_book import make_root

from gralib.ages import category_count
from gralib.config import configure
from gralib.errors import UserError
from gralib.evaluation import compare
from gralib.evaluation.protocol import load
from gralib.report import answers, figures, gridfigures, live, notebooks, pages, questions
from gralib.training import grids, records

FACES = hand.people(np.arange(200) % 70)
HALF = np.arange(200) < 100


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A project with what the committed pages are written from."""
    folder = make_root(tmp_path / "project")
    monkeypatch.setattr("gralib.errors.ROOT", folder)
    monkeypatch.setattr("gralib.report.notebooks.ROOT", folder)
    answers.committed.cache_clear()
    yield folder
    answers.committed.cache_clear()


def test_the_committed_answers_are_the_words_of_the_committed_pages():
    answers.committed.cache_clear()
    for claim in answers.committed().claims:
        block = answers.committed().block(claim)
        assert block in (ROOT / f"reports/claims/{claim}.md").read_text(), claim
        assert block.startswith("**Claim.** ") and block.count("**What stays open.** ") == 1


def test_parts_that_go_the_other_way_stand_beside_the_verdict():
    part = {"role": "part", "what": "one module", "value": -0.02, "low": -0.03, "high": -0.01, "unit": "shares"}
    first = {"role": "primary", "verdict": "supported", "exploratory": False, "value": 0.1, "low": 0.05, "high": 0.15,
             "unit": "shares", "seeds": 5, "faces": 40.0, "groups": 30.0, "finding": "better"}  # fmt: skip
    parts = [part | {"verdict": "contradicted"}, part | {"verdict": "inconclusive"},
             part | {"verdict": "contradicted", "what": "two", "role": "other recipe"},
             part | {"verdict": "contradicted", "what": "three"}]  # fmt: skip
    claim = answers.committed().claims["C7"]
    said = "**supported**: +10.0 points [+5.0, +15.0], 5 seeds, 40 test faces in 30 groups. Because: better."
    assert answers.verdict(claim, [first, *parts[1:3]]) == said
    assert answers.verdict(claim, [first, *parts]) == (
        f"{said} But *contradicted*, of its parts: one module, −2.0 points [−3.0, −1.0]; "
        "three, −2.0 points [−3.0, −1.0]."
    )
    assert answers.verdict(claim, [first | {"verdict": "inconclusive"}, *parts]).endswith("Because: better.")


def test_answers_and_route_follow_the_runs(root, made_up):
    rule = load().rules["C10"]
    for seed in range(5):
        config = load().runs_of(rule.primary, rule.primary.pairs[0][0], seed, "tuned")[0]
        made_up(root / records.KEPT, config, synthetic=False, skill=0.4)
    pages.build(publish=True)
    known = answers.committed()
    assert known.first("C10")["verdict"] == "supported" and known.first("C4")["verdict"] == "not run"
    for claim in known.claims:
        assert known.block(claim) in (root / f"reports/claims/{claim}.md").read_text(), claim
    shown = answers.answer("C10", "C2").data
    assert "**Verdict.** **supported**: +" in shown and "33,019,013 where the paper has 33 million" in shown
    assert "**What stays open.** How it is on other faces than those of UTKFace, another recipe than `tuned`" in shown
    published = (root / "reports/notebooks/README.md").read_text().splitlines()
    for mine, theirs in zip(
        notebooks.committed_route().splitlines()[2:], published[-len(notebooks.ROUTE) :], strict=True
    ):
        words = [line.split(" | ")[1:4] for line in (mine, theirs)]
        words[1][2] = re.sub(r"\[(C\d+)\]\(.*?\)", r"\1", words[1][2])
        assert words[0][:2] == words[1][:2] and words[0][2].rstrip(" |") == words[1][2].rstrip(" |")
        name = re.search(r"(\w+)\.ipynb", mine)[1]
        trains = {"start": "nothing", "utkface": "3 networks a fold", "depth": "12 networks a seed"}
        assert words[0][1] == trains.get(name, words[0][1])
    drawn = answers.first_picture(["C10"], pytest.fail)
    assert drawn.axes[0].get_title("left") == "C10: differences on real faces, as committed"
    plt.close(drawn)


def test_what_is_not_run_says_so_and_shows_the_question(monkeypatch):
    book = answers.committed()
    rows = [row | {"verdict": "not run", "value": float("nan")} for row in book.rows["C4"]]
    waiting = replace(book, rows=book.rows | {"C4": rows})
    monkeypatch.setattr(answers, "committed", lambda: waiting)
    assert answers.first_picture(["C4"], lambda: "drawn") == "drawn"
    said = "All of it: not all runs that decide are there. `gra reproduce C4` trains them."
    assert said in answers.answer("C4").data


@pytest.mark.parametrize("call", [answers.answer, lambda claim: answers.first_picture([claim], dict)])
def test_an_unknown_claim_is_one_line(call):
    with pytest.raises(UserError, match=r"^claim: expected one of C4, C8, .*, got 'C99'$"):
        call("C99")


def gates(name, seeds, right, synthetic=False):
    setting = {"gate": 0.0} if name == "naive" else {"gate": "trainable"}
    return [hand.gender_run(hand.in_grid("gate_ablation", setting, seed)[0], FACES, right, synthetic=synthetic)
            for seed in seeds]  # fmt: skip


@pytest.mark.parametrize(
    ("seeds", "synthetic", "word"),
    [
        ([0, 1], True, "no verdict: synthetic faces"),
        ([0], True, "no verdict: synthetic faces"),
        ([0], False, "no verdict: one seed"),
        ([0, 1], False, "worse"),
    ],
)
def test_drawn_faces_and_one_seed_earn_no_verdict(seeds, synthetic, word):
    found = compare.sides(
        "gate_ablation",
        gates("naive", seeds, HALF & False, synthetic) + gates("learned", seeds, HALF | True, synthetic),
    )
    table = compare.gains(found, "accuracy", "trainable gate")
    assert list(table["verdict"]) == [word]
    assert table["gain"].tolist() == [-1]


def test_a_point_appears_for_every_finished_run():
    shown = live.Live("gate_ablation", [], "by hand")
    rows = len(grids.GRIDS["gate_ablation"].settings)
    for runs in ([], gates("naive", [0], HALF), gates("naive", [0, 1], HALF) + gates("learned", [0], HALF | True)):
        figure = shown.draw(runs)
        (ax,) = figure.axes
        points = {label.get_text(): line.get_xdata().tolist() for label, line in
                  zip(ax.get_yticklabels(), ax.lines, strict=True)}  # fmt: skip
        assert len(points) == rows and sum(map(len, points.values())) == len(runs)
        assert f"by hand; {len(runs)} run" in ax.texts[0].get_text()
        assert ax.get_ylim() == (-0.7, rows - 0.3), "every row is seen"
        plt.close(figure)
    assert points["gate 0 (naive attention)"] == [50, 50] and points["trainable gate"] == [100]


def test_in_a_notebook_the_picture_is_replaced_and_elsewhere_nothing_is_shown(monkeypatch):
    shown, replaced = [], []
    handle = SimpleNamespace(update=lambda data, raw: replaced.append((data["text/plain"], raw)))
    monkeypatch.setattr("IPython.display.display", lambda data, display_id, **_: display_id and (
        shown.append(data) or handle))  # fmt: skip
    live.Live("gate_ablation", [], "by hand")(gates("naive", [0], HALF))
    assert (shown, replaced) == ([], [])
    monkeypatch.setattr("IPython.core.getipython.get_ipython", lambda: "a kernel")
    live.Live("gate_ablation", [], "by hand")(gates("naive", [0], HALF))
    assert [data["text/plain"] for data in shown] == ["0 runs finished so far"]
    assert base64.b64decode(shown[0]["image/png"]).startswith(b"\x89PNG")
    assert replaced == [("1 run finished so far", True)]


@pytest.mark.parametrize(
    ("runs", "constant", "ends"),
    [
        ([80, 82, 84, 86, 120], 75, (72.9, 123.1)),  # the constant predictor stands near, so it is seen
        ([80, 82, 84, 86, 120], 125, (76.9, 127.1)),
        ([80, 82, 84, 86, 120], 200, (76.9, 123.1)),  # far off
        ([80, 82, 84, 86, 1000], 200, (78.5, 89.5)),  # and a run far from all others
    ],
)
def test_an_axis_holds_what_is_near(runs, constant, ends):
    table = pd.DataFrame(
        {"runs": [np.array(runs[:2]), np.array(runs[2:])], "low": [79.0, 83.0], "high": [90.0, max(runs) + 1.0],
         "constant predictor": constant}
    )  # fmt: skip
    assert gridfigures._ends(table) == pytest.approx(ends)


def test_the_committed_differences_of_several_claims_are_named_by_claim():
    shown = answers.first_picture(["C4", "C8"], lambda: pytest.fail("both have runs"))
    said = {label.get_text().partition(": ")[0] for ax in shown.figure.axes for label in ax.get_yticklabels()}
    assert said >= {"C4", "C8"}
    plt.close("all")


def test_masks_share_one_scale():
    stages = [np.full((2, 4, 4, 3), 0.5), np.random.default_rng(0).uniform(0.45, 0.55, (2, 2, 2, 3))]
    figure = figures.masks(np.zeros((2, 32, 32, 3), "uint8"), stages, "by hand")
    drawn = [image.get_clim() for ax in figure.axes for image in ax.get_images() if image.get_array().ndim == 2]
    assert drawn == [(0, 1)] * 4
    assert len(figure.axes) == 3 * 2 + 1, "a row of faces, one a stage, and the scale"
    assert figure.get_size_inches().tolist() == pytest.approx([3.3, 4.25])
    assert figure.get_suptitle().endswith("(by hand)") and figure._suptitle.get_position()[0] < 0.1
    wide = figures.masks(np.zeros((1, 32, 32, 3), "uint8"), [np.linspace(-0.8, 0.7, 16).reshape(1, 4, 4, 1)], "")
    assert wide.axes[1].get_images()[0].get_clim() == (-0.8, 1)
    plt.close("all")


def test_the_pictures_of_equations_agree_with_the_layers():
    keras = pytest.importorskip("keras")
    from gralib.model.attention import ATTENTIONS, GatedAttention, MaskActivation
    from gralib.model.optimizer import FlatNadam

    x = np.random.default_rng(0).normal(size=(1, 6, 6, 4)).astype("float32")
    for kind in ATTENTIONS:
        np.testing.assert_allclose(questions.masks_of(x[0])[kind], np.asarray(MaskActivation(kind)(x))[0], atol=1e-5)
    mask = np.asarray(MaskActivation("mixed")(x))
    for gamma in (0.0, 0.3, 1.0):
        layer = np.asarray(GatedAttention(gate=gamma)([mask, x]))
        np.testing.assert_allclose(questions.gated(mask, gamma, x), layer, atol=1e-6)
    optimizer = FlatNadam()
    optimizer.build([keras.Variable(np.zeros(2, "float32"))])
    optimizer.follow(configure("laptop", recipe="tuned"), 1000)
    line = questions.schedule(warmup=configure("laptop", recipe="tuned").warmup).lines[1]
    expected = [float(optimizer.rate(float(step))) for step in (50, 300, 900)]
    np.testing.assert_allclose(np.interp([5, 30, 90], *line.get_data()), expected, atol=0.02)
    plt.close("all")


def test_wrong_labels_are_as_often_as_the_study_makes_them():
    from gralib.training.label_noise import flip

    config = configure("smoke", task="age_category", label_noise=0.3)
    table = hand.people(np.full(20000, 34.0))
    changed = flip(config, table, np.arange(len(table)))["age"] // 10
    share = np.bincount(changed.astype(int), minlength=category_count(10)) / len(table)
    np.testing.assert_allclose(share, questions.confused(0.3, category_count(10))[3], atol=0.01)


def test_the_committed_results_are_found_from_a_folder_outside_the_repository(tmp_path, monkeypatch):
    monkeypatch.setattr("gralib.errors.ROOT", tmp_path)
    answers.committed.cache_clear()
    assert answers.committed().first("C2")["verdict"] == "supported"
    assert questions.reported().get_yticklabels()
    assert "(start.ipynb)" in notebooks.committed_route()
    plt.close("all")
    answers.committed.cache_clear()
