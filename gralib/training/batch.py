"""What is left of a grid, trained side by side; stop it any time and call it again."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from multiprocessing import active_children, get_context, parent_process
from pathlib import Path
from signal import SIG_IGN, SIGINT, SIGTERM, signal
from threading import Thread, current_thread, main_thread

import numpy as np

from gralib.config import RunConfig
from gralib.data.faces import Faces
from gralib.progress import Bar, called
from gralib.training import records


def finished(
    configs: Iterable[RunConfig], faces: Faces, store: str | Path = records.STORE
) -> dict[RunConfig, records.Run]:
    """Return the runs of a grid that are done, here or committed, by configuration."""
    found = {config: records.find(config.run_id(faces.fingerprint), (store, records.KEPT)) for config in configs}
    return {config: run for config, run in found.items() if run}


def minutes_left(configs: Sequence[RunConfig], done: dict[RunConfig, records.Run], workers: int) -> float:
    """Return how long the runs left will take: as long as the median finished one each; NaN if nobody knows.

    Where none is finished, committed runs of the same preset, training faces and epochs tell.
    """
    left = len(configs) - len(done)
    known = list(done.values())
    if left and not known:
        alike = ("preset", "train_faces", "epochs")
        committed, _ = records.gather([records.KEPT])
        known = [r for r in committed if all(getattr(r.record.config, a) == getattr(configs[0], a) for a in alike)]
    if not left or not known:
        return 0.0 if not left else np.nan
    return float(np.median([run.record.seconds for run in known])) * left / workers / 60


def left_in_words(configs: Sequence[RunConfig], done: dict[RunConfig, records.Run], workers: int) -> str:
    """Return how many runs there are, how many of them are done and left, and how long the rest will take."""
    minutes = minutes_left(configs, done, workers)
    wait = "none finished yet, so nobody knows how long" if minutes != minutes else f"about {minutes:.0f} minutes"
    return f"{len(configs)} runs, {len(done)} done, {len(configs) - len(done)} left: {wait}"


def run_grid(
    configs: Sequence[RunConfig], root: str | Path, faces: Faces, workers: int = 2, store: str | Path = records.STORE,
    each: Callable[[list[records.Run]], None] | None = None,
    then: Callable[[records.Run, Faces], None] | None = None,
) -> tuple[list[records.Run], list[str]]:  # fmt: skip
    """Train what is left of a grid, `workers` runs at a time, each on one thread; stop it any time and call it again.

    Interrupted (Ctrl-C, SIGTERM) it ends within seconds: nothing that waits is begun, nothing is left running.

    Args:
        configs: the runs; those of one network should follow one another, a worker compiles it once.
        root: of the pictures, as for `gralib.data.faces.open_faces`.
        faces: the same, opened.
        workers: processes side by side.
        store: folder of the runs made here.
        each: is given the runs finished so far, whenever one has.
        then: what a worker does with a run that it has just trained; a function of a module, as processes share it.

    Returns:
        The finished runs in the order of `configs`, and a line for each that failed.
    """
    done = finished(configs, faces, store)
    left = [config for config in configs if config not in done]
    problems: list[str] = []
    if left:
        begun = Bar(total=len(configs), initial=len(done), desc="runs", unit="run")
        with begun as bar, _workers(workers) as pool:
            waiting: dict[Future, RunConfig] = {pool.submit(_one, config, root, store, then): config for config in left}
            for future in as_completed(waiting):
                bar.set_postfix_str(f"last {called(waiting[future])}", refresh=False)
                bar.update()
                if error := future.exception():
                    problems.append(f"{waiting[future].run_id(faces.fingerprint)}: {error}")
                elif each:
                    each(list(finished(configs, faces, store).values()))
        done = finished(configs, faces, store)
    return [done[config] for config in configs if config in done], problems


@contextmanager
def _workers(count: int) -> Iterator[ProcessPoolExecutor]:
    """Yield a pool that stops at once, what it trains and what waits, when it is interrupted (Ctrl-C or SIGTERM).

    What it trains goes on from its last whole epoch when it is asked for again.
    """
    others = active_children()
    pool = ProcessPoolExecutor(count, mp_context=get_context("spawn"), initializer=_obey)
    main = current_thread() is main_thread()
    before = signal(SIGTERM, _interrupt) if main else None
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for worker in set(active_children()) - set(others):
            worker.kill()  # files are written whole or not at all
        raise
    finally:
        pool.shutdown()
        if main:
            signal(SIGTERM, before)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _obey() -> None:
    """Leave Ctrl-C to the process that started this worker, and end when that has ended."""
    signal(SIGINT, SIG_IGN)
    Thread(target=lambda: (parent_process().join(), os._exit(1)), daemon=True).start()  # type: ignore[union-attr]


def _one(
    config: RunConfig, root: str | Path, store: str | Path, then: Callable[[records.Run, Faces], None] | None
) -> None:
    """Train one run in a worker; the pixels come from the cache."""
    from gralib.data.faces import open_faces
    from gralib.training.experiment import run

    faces = open_faces(config.dataset, root, progress=False)
    made = run(config, faces, store, progress="none")
    if then:
        then(made, faces)
