"""The protocol: rules as data, the runs made from it, and rules that come before their runs."""

import json
import shutil
import subprocess
from collections import Counter
from itertools import pairwise
from types import SimpleNamespace

import pandas as pd
import pytest
from conftest import ROOT
from typer.testing import CliRunner

from gralib import protocolcli
from gralib.cli import app
from gralib.config import TASKS, RunConfig, shape
from gralib.errors import UserError
from gralib.evaluation import claims, ruledates, simulation
from gralib.evaluation.outcomes import probe_of
from gralib.evaluation.protocol import Protocol, load, parse
from gralib.evaluation.verdicts import bounds
from gralib.report import datasets
from gralib.training import batch, records

TEXT = (ROOT / "reports/protocol.yaml").read_text()


@pytest.fixture(scope="module")
def protocol():
    return load()


def test_every_claim_with_runs_has_estimand_seeds_and_looks(protocol):
    for rule in protocol.claims:
        assert rule.estimand.endswith("."), rule.id
        if rule.primary:
            assert len(rule.seeds) >= 5 and bounds(tuple(n / rule.looks[-1] for n in rule.looks)), rule.id
            assert all(look % 5 == 0 for look in rule.looks), f"{rule.id}: a look at less than all faces"
            assert rule.shares(rule.looks[-1])[-1] == 1, rule.id
    assert protocol.rules["C4"].shares(5) == (0.5,)
    margins = {rule.id: rule.primary.margin for rule in protocol.claims if rule.primary}
    assert (margins["C4"], margins["C15"], margins["C6"]) == (0.01, 0.01, 0.01)
    assert (margins["C8"], margins["C11"], margins["C7"], margins["C9"]) == (0.02, 0.02, 0, 0.2)


def test_seed_s_tests_fold_s_mod_5(protocol):
    runs = [run for run in protocol.all_configs() if run.dataset == "utkface"]
    assert all(run.fold == run.seed % 5 for run in runs if run.network != "hog")
    assert {run.held_out for run in runs} == {0.0}
    assert {run.fold for run in protocol.all_configs() if run.dataset == "fgnet"} == set(range(82))


def test_runs_come_once_those_that_decide_most_first(protocol):
    runs = protocol.all_configs()
    assert max(Counter(runs).values()) == 1
    for claim in protocol.general.order:
        assert set(protocol.configs(claim)) <= set(runs)
        rule = protocol.rules[claim]
        asked = [run for c in rule.contrasts for seed in c.seeds or rule.seeds for side in sum(c.pairs, ())
                 if not side.constant for run in protocol.runs_of(c, side, seed, rule.recipe)]  # fmt: skip
        assert set(protocol.configs(claim)) == set(asked), f"{claim}: all that its verdict may need"
    assert all(protocol.stage(number) for number in range(protocol.stages)), "no stage without runs"
    first = {run for claim in protocol.general.order for run in protocol.wave(claim, 0, primary=True)}
    assert set(runs[: len(first)]) == first < set(protocol.stage(0)), "primaries before parts"
    assert set(runs[:15]) == set(protocol.wave(protocol.general.order[0], 0, primary=True))
    late = [i for i, run in enumerate(runs) if 5 <= run.seed < 10 and run.dataset == "utkface"]
    assert max(runs.index(run) for run in protocol.wave("C6", 0)[::10]) < min(late)


def test_runs_of_one_compiled_network_follow_one_another(protocol):
    for claim in ("C4", "C7", "C11"):
        shapes = [shape(run) for run in protocol.wave(claim, 0)]
        changes = 1 + sum(a != b for a, b in pairwise(shapes))
        assert changes == len(set(shapes))


def test_a_claim_that_was_decided_gets_no_more_seeds(protocol):
    gone = set(protocol.stage(1)) - set(protocol.stage(1, {"C4": 5}))
    assert gone and gone <= set(protocol.wave("C4", 1))
    assert protocol.stage(0, {"C4": 5}) == protocol.stage(0)
    assert protocol.stage(1, {"C4": 10}) == protocol.stage(1)


def test_a_claim_is_exploratory_where_the_file_says_so(protocol):
    marked = {claim["id"] for claim in parse(TEXT)["claims"] if claim.get("exploratory")}
    assert {rule.id for rule in protocol.claims if rule.exploratory} == marked


def change(path, value):
    """Return the protocol with one thing changed, `path` such as 'claims.3.primary.margin'."""
    content = parse(TEXT)
    *parents, last = (int(p) if p.isdigit() else p for p in path.split("."))
    place = content
    for parent in parents:
        place = place[parent]
    place[last] = value
    return content


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("claims.3.primary.margin", 0, "margin: expected one above 0"),
        ("claims.6.primary.margin", -0.1, "claims.6.primary.margin: Input should be greater than or equal to 0"),
        ("claims.3.primary.rule", "guess", "claims.3.primary.rule: Input should be 'superiority'"),
        ("claims.3.looks", [5], "C4: looks: expected to rise to 10, the seeds, got"),
        ("claims.3.looks", [7, 5, 10], "C4: looks: expected to rise to 10, the seeds, got"),
        ("claims.3.seeds", [0, 0, 1, 2, 3, 4, 5, 6, 7, 8], "C4: seeds: expected each once"),
        ("claims.3.primary.pairs.0.0.gates", 1, "gates: expected a setting of a run, join, faces or constant"),
        ("claims.3.id", "C1", "claims: expected each id once"),
        ("claims.0.rule", None, "C1: expected a primary, or rule: exact or none"),
        ("claims.3.planned", False, "C4: why: expected the reason"),
        ("general.order", ["C4"], "order: expected every claim with runs once"),
        ("general.amendments", [{"date": "today", "claims": ["C4"], "reason": "x"}], "date: String should match"),
        ("claims.3.seen", True, "claims.3.seen: Extra inputs are not permitted"),
    ],
)
def test_a_wrong_protocol_is_refused_on_one_line(path, value, message, tmp_path):
    (tmp_path / "protocol.yaml").write_text(json.dumps(change(path, value)))
    with pytest.raises(UserError, match=message) as refused:
        load(tmp_path / "protocol.yaml")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("data", [
    b"date: 2026-13-45\n", b"claims: \xff\xfe\n", b"claims: [\n", b"- 1\n", b"", b"\0",
    b"a: !!python/object:os.system x\n",
])  # fmt: skip
def test_a_damaged_protocol_is_refused_on_one_line(data, tmp_path):
    (tmp_path / "protocol.yaml").write_bytes(data)
    with pytest.raises(UserError, match=r"protocol\.yaml: ") as error:
        load(tmp_path / "protocol.yaml")
    assert len(str(error.value).splitlines()) == 1


def test_a_missing_protocol_is_named(tmp_path):
    with pytest.raises(UserError, match="expected the protocol"):
        load(tmp_path / "none.yaml")


def test_rates_are_of_a_method_and_a_recipe():
    protocol = Protocol.model_validate(change("general.rates", {"levi_hassner": 0.0005}))
    contrast = protocol.rules["C11"].parts[1]
    both = [protocol.runs_of(contrast, side, 0, "tuned")[0].learning_rate for side in contrast.pairs[0]]
    assert both == [RunConfig().learning_rate, 0.0005]
    assert protocol.runs_of(contrast, contrast.pairs[0][1], 0, "keras")[0].learning_rate == RunConfig().learning_rate


# Rules before runs.


def git(folder, *words):
    done = subprocess.run(
        ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *words],
        cwd=folder, check=True, capture_output=True, text=True,
    )  # fmt: skip
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path):
    """A repository with the protocol committed."""
    folder = tmp_path / "repo"
    folder.mkdir()
    git(folder, "init", "-q")
    commit(folder, TEXT, "The protocol")
    return folder


def commit(folder, content, message):
    (folder / "protocol.yaml").write_text(content if isinstance(content, str) else json.dumps(content))
    return commit_all(folder, message)


def commit_all(folder, message):
    git(folder, "add", ".")
    git(folder, "commit", "-q", "--allow-empty", "-m", message)
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def a_run(protocol, made_up, tmp_path):
    """A function that makes one run of C4 at a commit."""

    def make(commit, finished="2030-01-01T00:00:00+00:00"):
        config = protocol.wave("C4", 0)[0]
        return made_up(tmp_path / "runs", config, synthetic=False, commit=commit, finished=finished)

    return make


def checked(folder, runs, claim="C4"):
    path = folder / "protocol.yaml"
    return next(c for c in ruledates.check(load(path), runs, path) if c.claim == claim)


def test_a_rule_before_its_run_passes_and_one_edited_after_it_fails(repository, a_run):
    before = git(repository, "rev-parse", "HEAD")
    run = a_run(before)
    assert not checked(repository, [run]).fails
    commit(repository, change("claims.4.estimand", "Another rule."), "C5 alone")
    good = checked(repository, [run])
    assert not good.fails and before[:8] in good.line and run.record.run_id in good.line
    assert "no run yet" in checked(repository, [run], "C14").line
    (repository / "protocol.yaml").write_text(json.dumps(change("claims.3.primary.margin", 0.02)))
    assert checked(repository, [run]).fails, "an edit that is not committed yet"
    commit(repository, change("claims.3.primary.margin", 0.02), "A wider margin, once the result was seen")
    late = checked(repository, [run])
    assert late.fails and "after 1 of its 1 runs" in late.line
    commit(repository, change("claims.3.primary.margin", 0.01), "And back")
    assert checked(repository, [run]).fails, "a rule taken back is a rule written after the run"


def test_what_all_rules_share_is_part_of_each(repository, a_run):
    run = a_run(git(repository, "rev-parse", "HEAD"))
    commit(repository, change("general.rates", {"residual": 0.002}), "Another rate")
    assert checked(repository, [run]).fails
    assert not checked(repository, [run], "C1").fails


def test_comments_layout_and_other_claims_do_not_date_a_rule(repository, a_run):
    before = git(repository, "rev-parse", "HEAD")
    commit(repository, "# a comment\n" + TEXT, "A comment")
    assert ruledates.rule_dates(repository / "protocol.yaml")["C4"].commit == before


def test_an_amended_rule_passes_only_as_exploratory(repository, a_run):
    run = a_run(git(repository, "rev-parse", "HEAD"))
    content = change("claims.3.primary.margin", 0.02)
    content["general"]["amendments"] = [{"date": "2030-01-02", "claims": ["C4"], "reason": "the margin was a slip"}]
    commit(repository, content, "Amended")
    found = checked(repository, [run])
    assert found.fails and found.line.endswith("; amended 2030-01-02")
    content["claims"][3]["exploratory"] = True
    commit(repository, content, "Exploratory now")
    assert not checked(repository, [run]).fails


def test_a_run_of_an_unknown_commit_is_dated(repository, a_run):
    assert not checked(repository, [a_run("f" * 40)]).fails
    assert checked(repository, [a_run(None, finished="2001-01-01T00:00:00+00:00")]).fails


def test_a_protocol_that_was_taken_away_and_came_back_is_as_young_as_its_return(repository, a_run):
    git(repository, "rm", "-q", "protocol.yaml")
    gone = commit_all(repository, "Away")
    back = commit(repository, TEXT, "And back")
    assert ruledates.rule_dates(repository / "protocol.yaml")["C4"].commit == back
    assert checked(repository, [a_run(gone)]).fails and not checked(repository, [a_run(back)]).fails


def test_without_history_nothing_is_known(tmp_path, a_run):
    (tmp_path / "protocol.yaml").write_text(TEXT)
    found = checked(tmp_path, [a_run(None)])
    assert not found.fails and "unknown" in found.line
    assert ruledates.digests("[1, 2]") == {} == ruledates.digests("a: [")


def test_a_shallow_clone_knows_nothing(repository, tmp_path, a_run):
    commit(repository, change("claims.4.estimand", "Another rule."), "More")
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{repository}", "clone")
    assert "unknown" in checked(tmp_path / "clone", [a_run(None)]).line


# The commands.


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project folder with the protocol and no runs, committed."""
    (tmp_path / "reports").mkdir()
    for name in ("protocol.yaml", "claims.yaml", "equations.json"):
        shutil.copy(ROOT / "reports" / name, tmp_path / "reports")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "The protocol")
    monkeypatch.setattr("gralib.errors.ROOT", tmp_path)
    return tmp_path


def gra(*words):
    return CliRunner().invoke(app, ["protocol", *words])


def test_the_runs_are_counted_by_claim(project, protocol, made_up):
    made_up(project / records.STORE, protocol.wave("C4", 0)[0], synthetic=False)
    lines = gra("runs").stdout.splitlines()
    assert f"C4: {len(protocol.configs('C4'))} runs, 1 done" in lines
    count = len(protocol.all_configs())
    assert lines[-1].startswith(f"all: {count} runs, each once, 1 done, {count - 1} left: about ")


def test_check_prints_a_line_a_claim_and_fails_after_an_edit(project, protocol, made_up):
    head = git(project, "rev-parse", "HEAD")
    made_up(project / records.STORE, protocol.wave("C4", 0)[0], synthetic=False, commit=head)
    good = gra("check")
    rules, amendments = protocol.rules, protocol.general.amendments
    firsts = [line.split(":")[0] for line in good.stdout.splitlines()]
    assert good.exit_code == 0 and firsts[: len(rules)] == list(rules)
    assert [words.split(",")[0] for words in firsts[len(rules) :]] == [f"amendment of {a.date}" for a in amendments]
    assert amendments and all(a.reason in good.stdout for a in amendments)
    edited = json.dumps(change("claims.3.estimand", "Something else."))
    (project / "reports/protocol.yaml").write_text(edited)
    bad = gra("check")
    assert bad.exit_code == 1 and "FAILS C4" in bad.stdout
    assert isinstance(bad.exception, UserError) and str(bad.exception).endswith("younger: C4")


def test_the_decision_table_has_the_dates_of_rules_and_of_first_runs(project, protocol, made_up):
    run = made_up(project / records.STORE, protocol.wave("C4", 0)[0], synthetic=False)
    table = claims.decide(protocol, [run], ruledates.rule_dates())
    assert set(table["rule_commit"]) == {git(project, "rev-parse", "HEAD")}
    assert table.drop_duplicates("id")["id"].tolist() == list(protocol.rules)
    first = table.set_index("id")["first_run"].groupby(level=0).first()
    assert first["C4"] == "2026-01-01T00:00:00+00:00" and first["C14"] == ""


def test_the_simulation_is_written(project, monkeypatch):
    monkeypatch.setattr(simulation, "table", lambda: pd.DataFrame({"coverage": [0.95]}))
    assert gra("simulate").exit_code == 0
    assert (project / protocolcli.SIMULATION).read_text() == "coverage\n0.95\n"


def test_runs_are_trained_stage_by_stage_on_real_faces_alone(project, protocol, monkeypatch, drawn):
    refused = gra("run", "--root", str(drawn))
    assert "expected real faces" in str(refused.exception)
    asked = []
    monkeypatch.setattr("gralib.data.faces.open_faces", lambda *_: SimpleNamespace(synthetic=False))
    monkeypatch.setattr(batch, "run_grid", lambda configs, *_, then: (asked.append((configs, then)) or [], []))
    assert gra("run", "--root", str(drawn)).exit_code == 0
    stages = [[c for c in protocol.stage(n) if c.dataset == "utkface"] for n in range(protocol.stages)]
    assert asked == [(configs, protocolcli.probe) for configs in stages]
    monkeypatch.setattr(batch, "run_grid", lambda *_, then: ([], ["one: broke"]))
    assert "one: broke" in str(gra("run", "--root", str(drawn)).exception)


def test_the_runs_that_a_data_sets_page_shows_are_planned(protocol):
    planned = set(protocol.all_configs())
    for name in protocol.general.folds:
        shown = [
            protocol.runs_of(datasets._plain(name, task), datasets.protocol_of(name), 0, "tuned")[0]
            for task in TASKS[name]
        ]
        assert planned.intersection(shown), name


def test_only_networks_that_know_a_label_of_the_other_set_are_asked(project, protocol, made_up, monkeypatch):
    """FG-NET publishes no gender."""
    plain, store = protocol.plain_configs(), project / records.STORE
    mine = [config for config in plain if config.dataset == "utkface"]
    first = {task: next(c for c in mine if c.task == task) for task in ("gender", "age_category")}
    for config in first.values():
        made_up(store, config, synthetic=False)
    table = pd.DataFrame({"age": [3.0, 40.0], "age_group": [None, None], "gender": [None, None]})
    monkeypatch.setattr(
        "gralib.data.faces.open_faces", lambda *_: SimpleNamespace(synthetic=False, dataset="fgnet", table=table)
    )
    asked = []
    monkeypatch.setattr("gralib.training.across.probe", lambda run, faces: asked.append(run.record.config))
    assert "expected networks of other data sets, their weights here" in str(gra("across").exception)
    for path in store.glob("*/record.json"):
        path.with_name("weights.npz").touch()
    said = gra("across", "--dataset", "fgnet").stdout
    assert asked == [first["age_category"]] and said.startswith("1 network asked about the faces of fgnet")


def test_networks_are_looked_into_where_a_score_asks_for_it(protocol):
    def probes(claim, condition):
        contrast = protocol.rules[claim].primary
        run = protocol.runs_of(contrast, contrast.pairs[0][condition], 0, "tuned")[0]
        return {probe_of(score) for score in protocol.scores_of(run)}

    assert probes("C8", 0) >= {"orientation"} and probes("C8", 1) >= {"orientation"}
    assert "blocks" in probes("C16", 1) and "blocks" in probes("C19", 0)
    assert probes("C11", 1) == {""}


@pytest.mark.parametrize(
    ("weights", "scores", "expected"),
    [
        (True, {"accuracy"}, []),
        (True, {"accuracy", "rotation_loss"}, ["orientation"]),
        (True, {"feature_growth", "rotation_loss"}, ["orientation", "blocks"]),
        (False, {"feature_growth", "rotation_loss"}, []),
    ],
)
def test_only_a_network_that_is_here_is_looked_into(weights, scores, expected, tmp_path, monkeypatch):
    run, looked = SimpleNamespace(folder=tmp_path, record=SimpleNamespace(config="its own")), []
    if weights:
        (tmp_path / "weights.npz").touch()
    for module, name in (("perturb", "orientation"), ("inspection", "blocks")):
        monkeypatch.setattr(f"gralib.training.{module}.probe", lambda run, faces, name=name: looked.append(name))
    asked = SimpleNamespace(scores_of=lambda config: scores if config == "its own" else set())
    protocolcli.probe(run, "faces", asked)
    assert looked == expected
