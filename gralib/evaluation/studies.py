"""Which finished runs belong to one study."""

from collections.abc import Iterable

from gralib.config import TASKS, Task, configure
from gralib.evaluation.study import Study
from gralib.training.records import Run

STANDARD = (
    "network", "gate", "attention", "upsampling", "groups", "modules", "mask_depths", "age_width", "label_noise",
    "train_faces",
)  # fmt: skip


def is_standard(run: Run) -> bool:
    """Tell whether a run is of the network as it is, trained on all faces its preset gives: no run of a grid."""
    config = run.record.config
    plain = configure(config.preset)
    return all(getattr(config, name) == getattr(plain, name) for name in STANDARD)


def studies(runs: Iterable[Run]) -> list[Study]:
    """Group runs that differ in nothing but task and fold; real faces first, then by name."""
    groups: dict[str, dict[Task, list[Run]]] = {}
    for run in sorted(runs, key=lambda run: (run.record.config.task, run.record.config.fold)):
        record = run.record
        config = record.config.model_copy(update={"fold": 0, "task": TASKS[record.config.dataset][0]})
        groups.setdefault(config.run_id(record.fingerprint), {}).setdefault(record.config.task, []).append(run)
    found = [Study({t: members[t] for t in TASKS[_dataset(members)] if t in members}) for members in groups.values()]
    return sorted(found, key=lambda s: (s.first.record.synthetic, s.first.record.config.preset == "smoke", s.slug))


def _dataset(members: dict[Task, list[Run]]) -> str:
    return next(iter(members.values()))[0].record.config.dataset
