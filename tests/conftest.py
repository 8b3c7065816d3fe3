"""What the tests share: drawn faces in UTKFace's layout, and the real ones where they are at hand."""

import os
from functools import cache, lru_cache
from pathlib import Path

import made_networks
import numpy as np
import pandas as pd
import pytest
import tiny
from filelock import FileLock

from gralib import backend
from gralib.data.faces import open_faces

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared" / "data"

LONGEST = ("test_notebooks", "test_experiment", "test_jax", "test_export", "test_grids", "test_surroundings",
           "test_network", "test_contributing", "test_shipped", "test_hostile")  # fmt: skip
"""Files of tests by how long they take, those of half a minute and more."""


def pytest_configure(config):
    """Start Keras where tests run: not for those of tables alone, which are told so, nor beside workers that do."""
    beside_workers = config.getoption("numprocesses", None) and not hasattr(config, "workerinput")
    if os.environ.get("KERAS_BACKEND") == "none" or beside_workers:
        return
    backend.start(1)
    from gralib.training import fit

    for name in ("_compiled", "_layout"):  # a study trains one kind of network after another, tests in any order
        setattr(fit, name, lru_cache(maxsize=12)(getattr(fit, name).__wrapped__))


@pytest.fixture(scope="session")
def common(tmp_path_factory):
    """A folder that all workers of this session share: what one of them made the others find."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "common"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def twins(common):
    """A folder for synthetic faces, and for the tiny runs on them."""
    return common / "drawn"


@pytest.fixture(scope="session")
def faces(twins):
    """Synthetic faces in UTKFace's layout, flaws included, decoded."""
    return tiny.draw("utkface", twins)


@pytest.fixture(scope="session")
def drawn(faces, twins):
    """The folder they are in."""
    return twins / "utkface"


@pytest.fixture(scope="session")
def tiny_run(twins):
    """A function that returns a run of `tiny.RUNS`, trained when first asked for; to be read (see `tiny.copied`)."""
    return cache(lambda name: tiny.train(name, twins))


@pytest.fixture(scope="session")
def tiny_network(tiny_run, common):
    """The file of the tiny gender network, exported with its gates, once a session; to be read."""
    from gralib.export import export

    path = common / "gender.onnx"
    with FileLock(common / ".gender.onnx.lock"):
        return path if path.exists() else export(tiny_run("gender"), path, gates=True)


@pytest.fixture(scope="session")
def real_utkface():
    """The genuine UTKFace archive, research-only and never in the repository."""
    path = SHARED / "utkface.tar"
    if not path.exists():
        pytest.skip("the real UTKFace pictures are not on this machine")
    return path


@pytest.fixture(scope="session")
def real_faces(real_utkface, tmp_path_factory):
    """The same, decoded."""
    return open_faces("utkface", real_utkface, cache=tmp_path_factory.mktemp("real"), progress=False)


@pytest.fixture(scope="session")
def shared():
    """The folder of genuine files, research-only and never in the repository."""
    if not (SHARED / "fgnet.tar").exists():
        pytest.skip("the real files are not on this machine")
    return SHARED


@pytest.fixture(scope="session")
def made_up(faces):
    """A function that writes a finished run with made-up outputs to a store: for what reads records."""
    from gralib import labels
    from gralib.config import RunConfig, configure
    from gralib.data import splits
    from gralib.training import experiment, records

    def ideal(config, table):
        """Return the outputs of a network that knows everything."""
        truth = labels.targets(config.model_copy(update={"network": "gra_net"}), table)
        return truth if config.task != "age_regression" else np.repeat(truth[:, 1:], len(labels.class_names(config)), 1)

    def make(store, task, synthetic=True, skill=0.0, finished="2026-01-01T00:00:00+00:00", commit=None, data=faces,
             **changes):  # fmt: skip
        """Write the run of a task under the smoke preset with `changes`, or that of a whole configuration.

        `skill` from 0 to 1 is how far the outputs lean to the truth; `data` the faces it was made on.
        """
        config = task if isinstance(task, RunConfig) else configure("smoke", task=task, epochs=3, **changes)
        task = config.task
        parts = splits.split(config, data.table)
        known = data.table[labels.LABEL[task]].notna().to_numpy()
        train, validation, test = (rows[known[rows]] for rows in (parts.train, parts.validation, parts.test))
        count = len(labels.class_names(config))
        outputs = np.random.default_rng(config.seed).dirichlet(np.ones(count), len(test))
        outputs += skill * (ideal(config, data.table.iloc[test]) - outputs)
        experiment.write_faces(store, data)
        constants = experiment.constants_of(config, data.table.iloc[train])
        history = pd.DataFrame({"epoch": [1, 2, 3], "train_loss": [3.0, 2, 1], "validation_loss": [3.0, 1, 2]})
        record = records.Record(
            schema_version=3,
            run_id=config.run_id(data.fingerprint),
            config=config,
            fingerprint=data.fingerprint,
            synthetic=synthetic,
            account=data.account.to_dict(orient="records"),
            faces={"train": len(train), "validation": len(validation), "test": len(test)},
            leakage=[{"shared with training": "byte-identical picture", "test faces concerned": 0, "test faces": 1}],
            constants=constants,
            chosen_epoch=2,
            trainable_parameters=7,
            parameters=9,
            gate_reach=0.5,
            gates={"stage1_module1": 0.4},
            seconds=1,
            faces_per_second=10,
            environment={"packages": {"keras": "3", "made-up": "0"}, "backend": "made-up", "device": "none",
                         "threads": 1, "commit": commit, "clean": None},
            finished=finished,
        )  # fmt: skip
        gates = pd.DataFrame({f"gate_stage{i}_module1": [0.5, 0.45, 0.4 - i / 100] for i in (1, 2, 3)})
        return records.write(store / record.run_id, record, test, outputs, history.join(gates))

    return make


@pytest.fixture(scope="session")
def networks(common):
    """A folder like that of the shipped networks, of such as are made by hand: gender with gates, age without."""
    folder = common / "by-hand"
    with FileLock(common / "by-hand.lock"):
        return folder if folder.exists() else made_networks.write(folder)


def pytest_collection_modifyitems(items):
    """Put the files that take longest first, so that no worker has a long one left when the others are done."""
    order = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path.stem, len(order)))
