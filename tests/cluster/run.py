"""The synthetic study on a Slurm of two nodes started here, a job and a node killed in mid-training.

`make test-cluster` runs the study and a grid once on this machine's processors and once as Slurm jobs, the study
submitted twice at the same time, and compares the records. It writes what it measured to build/cluster.json. Slurm has
a network of its own that is loopback alone, and process numbers of its own: a node is all that runs under its number
1, so killing that is a power cut, and nothing outlives this script.
"""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from gralib import surroundings
from gralib.training import grids, records

ROOT = Path(__file__).resolve().parents[2]
NEEDED = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "unshare", "ip", "make")
APART = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
REAP = ["bash", "-c", '"$@"; exit $?', "bash"]
"""Number 1 of the processes must bury those whose parents died; a shell does."""
NODES = ("n1", "n2")
LIMIT = 3600
"""Seconds after which the test gives up."""
VOLATILE = ("seconds", "faces_per_second", "finished")
"""What may differ between two records of one run; and the commit."""
SLURM = """
ClusterName=gra
SlurmctldHost=localhost
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=10
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
MpiDefault=none
ReturnToService=2
SlurmdTimeout=10
KillWait=5
MinJobAge=3600
NodeName=n1 NodeHostname=localhost Port=6821 CPUs=1 RealMemory=10000
NodeName=n2 NodeHostname=localhost Port=6822 CPUs=1 RealMemory=10000
PartitionName=all Nodes=ALL Default=YES State=UP
"""


class Cluster:
    """Slurm on loopback: munged, slurmctld and a slurmd a node, all children of this process."""

    def __init__(self, folder: Path):
        self.folder = folder
        (folder / "state").mkdir()
        (folder / "etc").mkdir()
        (folder / "etc/slurm.conf").write_text(SLURM.format(folder=folder))
        subprocess.run(["mount", "--bind", folder / "etc", "/etc/slurm"], check=True)  # seen by our processes alone
        key = folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        places = {"socket": "socket", "key-file": "key", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
        munge = [f"--{option}={folder}/munge.{end}" for option, end in places.items()]
        self.start("munged", "munged", "--foreground", "--force", *munge)
        wait(lambda: (folder / "munge.socket").exists(), "munged to start")
        self.start("slurmctld", "slurmctld", "-D")
        self.nodes = {name: self.boot(name) for name in NODES}
        wait(lambda: self.state() == dict.fromkeys(NODES, "idle"), "two idle nodes")

    def start(self, name: str, *words: str) -> subprocess.Popen:
        """Start a daemon; what it says goes to a file of its name."""
        with (self.folder / f"{name}.out").open("ab") as out:
            return subprocess.Popen(words, stdout=out, stderr=out, stdin=subprocess.DEVNULL)

    def boot(self, name: str) -> subprocess.Popen:
        """Start a node."""
        (self.folder / name).mkdir(exist_ok=True)
        return self.start(name, *APART, *REAP, "slurmd", "-D", "-N", name)

    def cut(self, name: str) -> None:
        """Take a node's power, and give it back when Slurm has missed it."""
        self.nodes[name].kill()
        self.nodes[name].wait()
        wait(lambda: self.state()[name].startswith("down"), f"Slurm to miss {name}")
        self.nodes[name] = self.boot(name)

    def state(self) -> dict[str, str]:
        """Return the state of every node by name."""
        return dict(line.split("|") for line in said("sinfo", "--noheader", "--Node", "--format=%N|%t").splitlines())

    def jobs(self) -> list[dict[str, str]]:
        """Return all jobs so far as Slurm knows them."""
        listing = said("squeue", "--noheader", "--states=all", "--format=%i|%T|%N|%k")
        return [dict(zip(("id", "state", "node", "what"), ln.split("|"), strict=True)) for ln in listing.splitlines()]

    def restarts(self) -> int:
        """Return how often Slurm itself started a job anew."""
        return sum(int(n) for n in re.findall(r"\bRestarts=(\d+)", said("scontrol", "show", "jobs")))


def said(*words: str) -> str:
    """Return what a command of Slurm prints; nothing while its daemon is not there yet."""
    return subprocess.run(words, capture_output=True, text=True, timeout=60).stdout


def wait(ready, what: str, *studies: subprocess.Popen) -> Any:
    """Wait for something and return it; not for ever, nor beyond the failure of a study."""
    while not (found := ready()):
        if time.monotonic() > DEADLINE:
            raise SystemExit(f"test-cluster: waited too long for {what}")
        if any(study.poll() for study in studies):
            raise SystemExit(f"test-cluster: a study failed before {what}; see the logs in {OUT}")
        time.sleep(1)
    return found


def make(folder: Path, name: str, *words: str) -> subprocess.Popen:
    """Start make in a copy of the project; what it says goes to a log."""
    environment = {**os.environ, "GRA_ROOT": str(folder), "PYTHONPATH": str(folder)}
    command = ["make", "ENV=", f"BIN={Path(sys.executable).parent}", "CORES=2", *words]
    with (OUT / f"{name}.log").open("wb") as log:
        return subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL)


def copy(folder: Path) -> Path:
    """Copy the project without what was made in it, so that nothing there is touched."""
    made = (".git", ".venv", "build", "runs", "cache", "data", ".snakemake", "__pycache__")
    return shutil.copytree(ROOT, folder, ignore=lambda at, names: [n for n in names if n in made and Path(at) == ROOT])


class Runs:
    """The runs in a copy's store as they come, and those whose record was written twice."""

    def __init__(self, folder: Path):
        self.folder, self.written, self.redone = folder / "runs", {}, set()

    def look(self) -> set[str]:
        """Return the finished runs."""
        for path in self.folder.glob("*/record.json"):
            mark = path.stat().st_mtime_ns
            if self.written.setdefault(path.parent.name, mark) != mark:
                self.redone.add(path.parent.name)
        return set(self.written)

    def epochs(self) -> dict[str, int]:
        """Return the runs in mid-training, and the epochs behind them."""
        found = {}
        for path in self.folder.glob("*/checkpoint.npz"):
            if path.parent.name not in self.look():
                with np.load(path, allow_pickle=False) as arrays:
                    found[path.parent.name] = len(json.loads(str(arrays["history"])))
        return found


def at_work(cluster: Cluster, runs: Runs) -> tuple[str, dict[str, str], int] | None:
    """Return a run in mid-training, its job, and the epochs behind it."""
    for job in cluster.jobs():
        task = job["what"].rpartition("_train_wildcards_")[2].replace("_", "-")
        for run, epochs in runs.epochs().items():
            if job["state"] == "RUNNING" and f"-{task}-" in run and job["what"].startswith(f"rule_{run.split('-')[0]}"):
                return run, job, epochs
    return None


def part_at_work(cluster: Cluster, runs: Runs) -> tuple[dict[str, str], int] | None:
    """Return a part of the grid in mid-work: its job, and how many of its runs are finished."""
    done = {run.record.config for run in records.gather([runs.folder])[0]}
    for job in cluster.jobs():
        number = re.search(r"grid_part_wildcards_(\d+)$", job["what"])
        if number and job["state"] == "RUNNING":
            part = grids.parts_of(grids.configs_of(GRID, SEEDS, preset="smoke"))[int(number[1]) - 1]
            if 0 < (finished := len(done & set(part))) < len(part):
                return job, finished
    return None


def content(folder: Path) -> dict[str, str]:
    """Return the records and tables of a copy's runs by file, without what may differ."""
    found = {}
    for path in sorted((folder / "runs").glob("*/*")):
        if path.name == "record.json":
            record = json.loads(path.read_text())
            for name in VOLATILE:
                del record[name]
            for name in ("commit", "clean"):
                del record["environment"][name]
            found[f"{path.parent.name}/{path.name}"] = json.dumps(record, sort_keys=True)
        elif path.name.endswith((".csv", ".csv.bz2")):
            found[f"{path.parent.name}/{path.name}"] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def went_on(folder: Path, run: str) -> int:
    """Return the first epoch in the last log that tells of a run."""
    logs = [p for p in (folder / "build/slurm").rglob("*.log") if f"{run}: epoch " in p.read_text(errors="replace")]
    text = max(logs, key=lambda path: path.stat().st_mtime).read_text(errors="replace")
    return int(text.split(f"{run}: epoch ")[1].split("/")[0])


def main(folder: Path) -> None:
    """Run the study here and on Slurm, and compare."""
    here, there = (copy(folder / part) for part in ("here", "there"))
    with (there / "profiles/slurm/config.yaml").open("a") as profile:
        profile.write("\nslurm-init-seconds-before-status-checks: 5\n")  # ask more often than a busy cluster likes
    began = time.monotonic()
    local = make(here, "local", *STUDY)
    wait(lambda: local.poll() == 0, "the study on this machine", local)
    alone = time.monotonic() - began
    print(f"the study on this machine: {alone:.0f} s", flush=True)
    local = make(here, "local-grid", *GRIDS)
    wait(lambda: local.poll() == 0, "the grid on this machine", local)

    cluster, runs = Cluster(folder), Runs(there)
    began = time.monotonic()
    first, second = (make(there, name, *STUDY, PROFILE) for name in ("first", "second"))
    run, job, epochs = wait(lambda: at_work(cluster, runs), "a run in mid-training", first)
    killed = {run: epochs}
    said("scancel", job["id"])
    print(f"killed job {job['id']} ({run}) after epoch {epochs}", flush=True)
    run, job, epochs = wait(lambda: runs.look() and at_work(cluster, runs), "one finished, one in training", first)
    killed[run] = epochs
    print(f"killed node {job['node']} ({run}) after epoch {epochs}; {len(runs.written)} finished", flush=True)
    cluster.cut(job["node"])
    wait(lambda: runs.look() and first.poll() == second.poll() == 0, "both submissions to end", first, second)
    spent = time.monotonic() - began
    studied = set(runs.written)

    grid = make(there, "grid", *GRIDS, PROFILE)
    job, behind = wait(lambda: part_at_work(cluster, runs), "a part of the grid in mid-work", grid)
    said("scancel", job["id"])
    print(f"killed job {job['id']} ({job['what']}) after {behind} of its runs", flush=True)
    wait(lambda: runs.look() and grid.poll() == 0, "the grid to end", grid)
    jobs = cluster.jobs()
    asked = Counter(job["what"] for job in jobs)

    logs = [(OUT / f"{name}.log").read_text() for name in ("first", "second")]
    left, right = content(here), content(there)
    same = [key for key in left if left[key] == right.get(key)]
    again = {run: went_on(there, run) for run in killed}
    facts = {
        "commit": surroundings.commit()["commit"],
        "study": STUDY[1],
        "grid": GRIDS[1],
        "nodes": len({job["node"] for job in jobs if job["node"]}),
        "jobs": len(jobs),
        "killed": {"jobs": 2, "nodes": 1},
        "resubmitted": {"by Snakemake": len(jobs) - len(asked), "by Slurm": cluster.restarts()},
        "epochs behind when killed": killed,
        "first epoch after": again,
        "submissions at once": 2,
        "jobs of the one that waited": min(log.count("has been submitted with") for log in logs),
        "jobs of the grid's runs": len({job["what"] for job in jobs if "grid_part" in job["what"]}),
        "runs of a part behind when killed": behind,
        "runs": {"study": len(studied), "grid": len(runs.written) - len(studied)},
        "runs redone": len(runs.redone),
        "files compared": len(left),
        "files identical": len(same),
        "seconds of the study on this machine": round(alone),
        "seconds of the study on the cluster": round(spent),
    }
    (OUT / "cluster.json").write_text(json.dumps(facts, indent=1) + "\n")
    print(json.dumps(facts, indent=1))
    wrong = [key for key in left.keys() | right.keys() if left.get(key) != right.get(key)]
    if wrong or runs.redone or not left:
        raise SystemExit(f"test-cluster: differ: {sorted(wrong)}; redone: {sorted(runs.redone)}")
    if any(again[run] <= killed[run] for run in killed) or facts["nodes"] < 2:
        raise SystemExit(f"test-cluster: expected trainings to go on after {killed} on two nodes, got {again}")


OUT = ROOT / "build"
GRID, SEEDS = "gate_ablation", 2
STUDY = ("study", "SETTINGS=dataset=utkface")
GRIDS = ("grids", f"SETTINGS=dataset=utkface grid={GRID} seeds={SEEDS}")
PROFILE = "PROFILE=profiles/slurm"
DEADLINE = time.monotonic() + LIMIT
if __name__ == "__main__":
    if "GRA_CLUSTER" in os.environ:
        subprocess.run(["hostname", "localhost"], check=True)
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        subprocess.run(["ip", "address", "add", "127.0.0.2/8", "dev", "lo"], check=True)  # 127.0.0.1 alone: no network
        sys.exit(main(Path(os.environ["GRA_CLUSTER"])))
    missing = [name for name in NEEDED if not shutil.which(name)]
    if missing:
        sys.exit(f"test-cluster: needs {', '.join(missing)}; on Debian: apt install slurm-wlm munge iproute2")
    if os.geteuid():
        sys.exit("test-cluster: expected to be root, as Slurm's daemons must be")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("test-cluster: stopped"))
    OUT.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="gra-cluster-") as name:
        command = [*APART, "--net", "--uts", *REAP, sys.executable, *sys.argv]
        sys.exit(subprocess.run(command, env={**os.environ, "GRA_CLUSTER": name}).returncode)
