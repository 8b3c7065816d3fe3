"""Grids: the settings they vary, runs they share, labels flipped as asked, going on where it stopped."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from types import SimpleNamespace

import hand
import numpy as np
import pytest

from gralib import ages, notebooks
from gralib.config import configure, shape
from gralib.errors import UserError
from gralib.training import batch, experiment, fit, grids
from gralib.training.label_noise import flip


def test_every_grid_varies_what_it_is_about_and_nothing_else():
    same = {
        "gate_ablation": {"gate", "seed"}, "attention_types": {"attention", "seed"},
        "label_noise": {"label_noise", "gate", "network", "seed"}, "depth": {"gate", "modules", "seed"},
        "orientation": {"gate", "seed"}, "earlier_methods": {"network", "seed"},
        "age_decomposition": {"task", "age_width", "seed"},
    }  # fmt: skip
    for name in grids.GRIDS:
        rows = [config.model_dump() for config in grids.configs_of(name, 2)]
        varied = {key for key in rows[0] if len({str(row[key]) for row in rows}) > 1}
        assert varied == same[name]
        assert len({str(row) for row in rows}) == len(rows)


def test_every_grid_has_its_steps():
    def steps(name, field):
        return list(dict.fromkeys(getattr(config, field) for config in grids.configs_of(name, 1)))

    assert steps("gate_ablation", "gate") == [0.0, 0.25, 0.5, 0.75, 1.0, "trainable"]
    assert steps("attention_types", "attention") == ["mixed", "channel", "spatial"]
    assert steps("label_noise", "label_noise") == [0.0, 0.1, 0.3, 0.5, 0.7]
    assert steps("depth", "modules") == [(1, 1, 1), (2, 2, 2), (3, 3, 3)]
    assert steps("age_decomposition", "age_width") == [5, 10, 20, 117]
    methods = ["gra_net", "residual", "levi_hassner", "savchenko", "separable", "hog"]
    assert steps("earlier_methods", "network") == methods


def test_a_setting_asked_for_by_several_grids_is_one_run():
    asked = [{c.run_id("x") for c in grids.configs_of(n, 1)} for n in ("gate_ablation", "attention_types", "depth")]
    assert len(set.intersection(*asked)) == 1
    assert configure("laptop", train_faces=4000, epochs=12).run_id("x") in set.intersection(*asked)


def test_the_runs_of_a_setting_are_found_by_seed():
    runs = [SimpleNamespace(record=SimpleNamespace(config=c)) for c in grids.configs_of("age_decomposition", 2)[:-3]]
    both, alone = ({"age_width": 20, "join": join} for join in ("both", "category"))
    assert list(grids.by_seed("age_decomposition", alone, runs)) == [0, 1]
    assert list(grids.by_seed("age_decomposition", both, runs)) == [0]
    tasks = [run.record.config.task for run in grids.by_seed("age_decomposition", both, runs)[0]]
    assert tasks == ["age_category", "age_regression"]


def test_parts_hold_every_run_once_and_one_network_each():
    runs = [run for name in grids.GRIDS for run in grids.configs_of(name, grids.GRIDS[name].seeds)]
    parts = grids.parts_of(runs)
    assert sorted(run.canonical() for part in parts for run in part) == sorted({run.canonical() for run in runs})
    assert all(1 <= len(part) <= grids.RUNS_A_JOB and len({shape(run) for run in part}) == 1 for part in parts)
    assert parts == grids.parts_of([*runs, *runs[:9]]), "the same parts for everybody who asks"
    gates = grids.configs_of("gate_ablation", 3)
    assert len(grids.parts_of(gates)) == 3, "gates and seeds share a network"


def test_wrong_grids_are_refused():
    with pytest.raises(UserError, match=r"grid: expected one of gate_ablation, .*, got 'gates'"):
        grids.configs_of("gates", 1)
    with pytest.raises(UserError, match="seeds: expected at least 1, got 0"):
        grids.configs_of("depth", 0)
    with pytest.raises(UserError, match="task: expected one of age_category, age_regression on fgnet, got gender"):
        grids.configs_of("gate_ablation", 1, "fgnet")


@pytest.mark.parametrize("task", ["gender", "age_category"])
def test_as_many_labels_are_wrong_as_asked_for_and_only_those_of_the_rows(task, faces):
    rows = np.flatnonzero(faces.table["gender"].notna())[:200]
    column = "gender" if task == "gender" else "age"
    clean = configure("smoke", task=task)
    assert flip(clean, faces.table, rows) is faces.table
    noisy = clean.model_copy(update={"label_noise": 0.3})
    first, again = (flip(noisy, faces.table, rows) for _ in range(2))
    assert first.equals(again)
    changed = np.flatnonzero(first[column] != faces.table[column])
    changed = changed[first[column].iloc[changed].notna()]
    assert len(changed) == 60
    assert set(changed) <= set(rows)
    if task == "age_category":
        before, after = (ages.encode(t["age"].iloc[changed])[0] for t in (faces.table, first))
        assert (before != after).all()
        assert len(set((after - before) % 12)) > 6
    other = flip(noisy.model_copy(update={"seed": 1}), faces.table, rows)
    assert not other.equals(first)


def test_what_is_left_of_a_grid_and_how_long_it_takes(tmp_path, monkeypatch):
    """Five runs, three of them done in one, two and nine minutes: the median tells."""
    configs = [configure("smoke", seed=seed) for seed in range(5)]
    done = {config: SimpleNamespace(record=SimpleNamespace(seconds=seconds, config=config))
            for config, seconds in zip(configs, (60, 120, 540), strict=False)}  # fmt: skip
    assert batch.minutes_left(configs, done, 2) == 2
    assert batch.left_in_words(configs, done, 1) == "5 runs, 3 done, 2 left: about 4 minutes"
    assert batch.minutes_left(configs[:3], done, 2) == 0
    asked = []
    alike = SimpleNamespace(record=SimpleNamespace(seconds=600, config=configure("smoke", seed=9, gate=0.0)))
    other = SimpleNamespace(record=SimpleNamespace(seconds=6, config=configure("smoke", epochs=99)))
    monkeypatch.setattr(batch.records, "gather", lambda stores: asked.append(stores) or ([alike, other], []))
    assert batch.minutes_left(configs, {}, 1) == 50 and asked == [[batch.records.KEPT]]
    monkeypatch.setattr(batch.records, "gather", lambda stores: ([other], []))
    said = "5 runs, 0 done, 5 left: none finished yet, so nobody knows how long"
    assert batch.left_in_words(configs, {}, 1) == said
    assert batch.run_grid([], tmp_path, SimpleNamespace(fingerprint="x"), store=tmp_path) == ([], [])


@pytest.mark.slow
def test_a_grid_goes_on_with_what_is_left_and_names_what_fails(faces, drawn, tmp_path):
    tiny = {"width": 2, "epochs": 2, "train_faces": 128, "preset": "smoke"}
    configs = [c for c in grids.configs_of("earlier_methods", 2, **tiny) if c.network == "separable"]  # quick to trace
    assert batch.finished(configs, faces, tmp_path) == {}
    assert np.isnan(batch.minutes_left(configs, {}, 2))
    laptop = grids.configs_of("depth", 2, train_faces=6000, epochs=5)
    assert 1 < batch.minutes_left(laptop, {}, 2) / len(laptop) < 10, "committed runs of the same size tell"
    first = experiment.run(configs[0], faces, tmp_path, progress="none")
    done = batch.finished(configs, faces, tmp_path)
    assert batch.minutes_left(configs, done, 2) == pytest.approx(first.record.seconds / 120)
    bad = configs[0].model_copy(update={"batch_size": 512})
    again, problems = batch.run_grid([configs[0], bad, configs[1]], drawn, faces, 1, tmp_path)
    assert [run.record.config for run in again] == configs
    assert again[0].record.finished == first.record.finished, "what was finished was not done again"
    assert len(problems) == 1, "a run that fails is named, and the others go on"
    assert problems[0].startswith(bad.run_id(faces.fingerprint))
    assert "expected at least 512 training faces" in problems[0]


SLOW = """
import os, sys, time
from pathlib import Path
from types import SimpleNamespace
from gralib.training import batch, grids
def slow(config, root, store, then):
    time.sleep(0.5)
    Path(store, config.run_id("x")).touch()
if __name__ == "__main__":
    batch._one = slow
    batch.finished = lambda *_: {}
    batch.run_grid(grids.configs_of("gate_ablation", 3), "", SimpleNamespace(fingerprint="x"), 2, sys.argv[1])
"""


def running(group):
    """Return how many processes of a group are alive."""
    listing = subprocess.run(["ps", "-A", "-o", "pgid=,stat="], capture_output=True, text=True, check=True).stdout
    return sum(line.split()[0] == str(group) and "Z" not in line.split()[1] for line in listing.splitlines())


@pytest.mark.parametrize(("how", "whom"), [("SIGINT", "all"), ("SIGTERM", "one"), ("SIGKILL", "one")])
def test_a_grid_that_is_stopped_stops_at_once_and_leaves_nothing_running(tmp_path, how, whom):
    (tmp_path / "grid.py").write_text(SLOW)
    store = tmp_path / "runs"
    store.mkdir()
    words = [sys.executable, str(tmp_path / "grid.py"), str(store)]
    heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # tests in the background ignore it, and hand that on
    process = subprocess.Popen(words, start_new_session=True, stderr=subprocess.DEVNULL, preexec_fn=heard)
    while len(list(store.iterdir())) < 2:
        assert process.poll() is None
        time.sleep(0.02)
    (os.killpg if whom == "all" else os.kill)(process.pid, signal.Signals[how])
    assert process.wait(10) != 0
    until = time.monotonic() + 10
    while running(process.pid) and time.monotonic() < until:
        time.sleep(0.1)
    assert running(process.pid) == 0
    assert 2 <= len(list(store.iterdir())) <= 4, "of 18"


def trained_by(group):
    """Return how many workers of a group are alive."""
    listing = subprocess.run(["ps", "-A", "-o", "pgid=,args="], capture_output=True, text=True, check=True).stdout
    return sum(line.split()[0] == str(group) and "spawn_main" in line for line in listing.splitlines())


IN_A_CELL = """
import sys
sys.path.insert(0, {folder!r})
from types import SimpleNamespace
import grid
from gralib.training import batch, grids
batch._one, batch.finished = grid.slow, lambda *_: {{}}
batch.run_grid(grids.configs_of("gate_ablation", 3), "", SimpleNamespace(fingerprint="x"), 2, {store!r})
"""


async def replied(client, asked):
    """Return what a kernel says to a cell; a slow one may answer earlier questions of the client first."""
    while True:
        message = await client.get_shell_msg(timeout=20)
        if message["parent_header"].get("msg_id") == asked:
            return message["content"]


async def interrupted_in_a_notebook(folder, store):
    """Run a grid in a kernel, interrupt it when two runs are done; return what the cell ended in, and how soon."""
    manager = notebooks._own_kernel()()
    await manager.start_kernel(cwd=str(folder))
    try:
        client = manager.client()
        client.start_channels()
        await client.wait_for_ready(timeout=60)
        cell = client.execute(IN_A_CELL.format(folder=str(folder), store=str(store)))
        while len(list(store.iterdir())) < 2:
            await asyncio.sleep(0.02)
        group, start = manager.provisioner.pid, time.monotonic()
        await manager.interrupt_kernel()
        ended = (await replied(client, cell)).get("ename")
        took = time.monotonic() - start
        until = time.monotonic() + 10
        while trained_by(group) and time.monotonic() < until:
            await asyncio.sleep(0.1)
        alive = (await replied(client, client.execute("1 + 1")))["status"]
        return ended, took, trained_by(group), alive, group
    finally:
        await manager.shutdown_kernel(now=True)


def test_a_grid_interrupted_in_a_notebook_stops_at_once_and_the_kernel_goes_on(tmp_path):
    (tmp_path / "grid.py").write_text(SLOW)
    store = tmp_path / "runs"
    store.mkdir()
    ended, took, left, alive, group = asyncio.run(interrupted_in_a_notebook(tmp_path, store))
    assert (ended, left, alive) == ("KeyboardInterrupt", 0, "ok")
    assert took < 10
    assert 2 <= len(list(store.iterdir())) <= 4, "of 18"
    until = time.monotonic() + 10
    while running(group) and time.monotonic() < until:
        time.sleep(0.1)
    assert running(group) == 0


LONG = """
import sys
from gralib.data.faces import open_faces
from gralib.config import RunConfig
from gralib.training import batch
if __name__ == "__main__":
    config, root = RunConfig.model_validate_json(sys.argv[1]), sys.argv[2]
    batch.run_grid([config], root, open_faces("utkface", root), 1)
"""


@pytest.mark.xdist_group("grid")
@pytest.mark.slow
def test_what_a_stopped_grid_was_training_goes_on_after_its_last_epoch(faces, drawn, tmp_path, monkeypatch):
    tiny = {"preset": "smoke", "width": 2, "epochs": 15, "train_faces": 128}
    config = next(c for c in grids.configs_of("earlier_methods", 1, **tiny) if c.network == "separable")
    (tmp_path / "grid.py").write_text(LONG)
    words = [sys.executable, str(tmp_path / "grid.py"), config.model_dump_json(), str(drawn)]
    process = subprocess.Popen(words, start_new_session=True, stderr=subprocess.DEVNULL,
                               env={**os.environ, "GRA_ROOT": str(tmp_path)})  # fmt: skip
    folder = tmp_path / "runs" / config.run_id(faces.fingerprint)
    while not (folder / "checkpoint.npz").exists():
        assert process.poll() is None
        time.sleep(0.02)
    process.terminate()
    assert process.wait(10) != 0 and not (folder / "record.json").exists()
    with np.load(folder / "checkpoint.npz", allow_pickle=False) as arrays:
        done = len(json.loads(str(arrays["history"])))
    epochs, made = [], fit.Batches.__init__
    monkeypatch.setattr(fit.Batches, "__init__", lambda self, c, e, *r: (epochs.append(e), made(self, c, e, *r))[0])
    run = experiment.run(config, faces, store=tmp_path / "runs", progress="none")
    assert 1 <= done < 15 and epochs == list(range(done, 15))
    assert len(run.history) == 15


TENS = [5, 15, 25, 35, 45, 55, 65, 75, 85, 115]


@pytest.mark.parametrize(
    ("task", "noise", "truth", "expected"),
    [("gender", "symmetric", TENS, "ffmmmmmmmf"), ("gender", "pairwise", [5, 5, 40] * 4, "mfmmmfffmmmf"),
     ("age_category", "symmetric", TENS, [45, 15, 25, 55, 45, 65, 65, 115, 85, 115]),
     ("age_category", "pairwise", TENS, [15, 15, 25, 25, 45, 45, 65, 85, 85, 115])],
)  # fmt: skip
def test_the_wrong_labels_of_seed_0_are_those_stored(task, noise, truth, expected):
    """A run with wrong labels trains on this draw: after another its record could not be made again."""
    noisy = configure("smoke", task=task, label_noise=0.4, noise=noise, seed=0)
    found = flip(noisy, hand.people(truth), np.arange(len(truth)))
    assert (found["age"].tolist() if task == "age_category" else "".join(g[0] for g in found["gender"])) == expected


def test_pairwise_noise_is_what_people_mistake(faces):
    rows = np.arange(len(faces.table))
    age = faces.table["age"].to_numpy()
    noisy = configure("smoke", task="age_category", label_noise=0.4, noise="pairwise")
    step = flip(noisy, faces.table, rows)["age"] // 10 - faces.table["age"] // 10
    assert set(step) == {-1, 0, 1}
    assert (step != 0).sum() == round(0.4 * len(rows))
    known = np.flatnonzero(faces.table["gender"].notna())
    genders = flip(noisy.model_copy(update={"task": "gender"}), faces.table, known)["gender"]
    changed = known[(genders != faces.table["gender"]).to_numpy()[known]]
    assert age[changed].max() < 13
    assert len(changed) == round(0.4 * (age[known] < 13).sum()) > 0
