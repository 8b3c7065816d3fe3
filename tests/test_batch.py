"""The batch as it would go to a cluster: what its jobs are and ask for. `make test-cluster` runs it on one."""

import re
import shlex
import subprocess
import sys

import pytest
from conftest import ROOT

from gralib.training import grids


def planned(*words):
    command = [sys.executable, "-m", "snakemake", "-n", "-F", "--nolock", "--profile", "profiles/slurm", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


@pytest.mark.parametrize(("preset", "asked"), [("smoke", (3000, 20, 0)), ("paper", (16000, 240, 1))])
def test_memory_time_and_gpus_go_by_preset_and_by_the_runs_of_a_job(preset, asked):
    result = planned("grids", "--config", f"preset={preset}", "seeds=1")
    assert result.returncode == 0, result.stdout + result.stderr
    pattern = r"grids-part-(\d+)\.runs\n(?: .*\n)* +resources: .*mem_mb=(\d+),.*runtime=(\d+), gpu=(\d+)"
    jobs = re.findall(r"output: .*" + pattern, result.stdout)
    parts = grids.parts_of(run for name in grids.GRIDS for run in grids.configs_of(name, 1, preset=preset))
    memory, minutes, gpus = asked
    expected = {(n, memory, minutes * len(part), gpus) for n, part in enumerate(parts, 1)}
    assert {tuple(map(int, job)) for job in jobs} == expected


def test_one_grid_alone_is_its_runs_and_its_notebook():
    result = planned("grids", "--config", "preset=smoke", "grid=depth", "seeds=1")
    assert result.returncode == 0, result.stdout + result.stderr
    assert set(re.findall(r"^rule (grid_\w+):", result.stdout, re.M)) == {"grid_depth", "grid_part"}


def test_a_quote_in_a_path_is_part_of_it(tmp_path):
    folder = tmp_path / "it's"
    folder.mkdir()
    (folder / "001A02.JPG").touch()
    result = planned("-p", "--config", "dataset=fgnet", f"root={folder}", "preset=smoke")
    assert result.returncode == 0, result.stdout + result.stderr
    calls = re.findall(r"^Shell command: (gra (?:data|run|notebook fgnet) .*)$", result.stdout, re.M)
    called = [shlex.split(call) for call in calls]
    found = {word.removeprefix("data_root=") for words in called for word in words if str(folder) in word}
    assert (len(called), found) == (4, {str(folder)})


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--config", "seeds=many"], "make study: seeds: expected a number from 0 (as each grid says), got 'many'"),
        (
            ["grids", "--config", "grid=deep"],
            f"make grids: grid: expected one of {', '.join(grids.GRIDS)}, got 'deep'",
        ),
        (["grids", "--config", "dataset=fgnet"], "make grids: dataset: the grids are of utkface, got 'fgnet'"),
    ],
)
def test_wrong_settings_end_in_one_line(words, message):
    result = planned(*words)
    assert result.returncode == 1
    assert message in result.stderr
