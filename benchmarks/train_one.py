"""Train one network for a few steps in a process of its own and print what it took, as JSON.

python benchmarks/train_one.py WHO WIDTH THREADS STEPS   WHO: gralib, resattention, torch-eager or torch-compile

A shared machine changes its speed within seconds, so the clock runs over several windows of steps: the best of them
is what the machine can do, the median what it did.
"""

import json
import os
import resource
import statistics
import sys
import time

WINDOWS = 6


def since_start() -> float:
    """Return the seconds since this process started, its interpreter included."""
    ticks = int(open("/proc/self/stat").read().rsplit(")", 1)[1].split()[19])  # noqa: PTH123, SIM115
    uptime = float(open("/proc/uptime").read().split()[0])  # noqa: PTH123, SIM115
    return uptime - ticks / os.sysconf("SC_CLK_TCK")


def data(faces: int):
    """Return random faces (n, 32, 32, 3) uint8 and one-hot genders."""
    import numpy as np

    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (faces, 32, 32, 3)).astype("uint8"), np.eye(2, dtype="float32")[
        rng.integers(0, 2, faces)
    ]


def windows(work) -> list[float]:
    """Return the seconds of every window of steps; one more before them warms up."""
    work()
    spent = []
    for _ in range(WINDOWS):
        begin = time.perf_counter()
        work()
        spent.append(time.perf_counter() - begin)
    return spent


def keras_fit(model, batches, first) -> tuple[float, list[float], int]:
    """Fit one step, then all batches again and again: first step, seconds of the windows, parameters."""
    model.fit(*first, verbose=0)
    started = since_start()
    spent = windows(lambda: model.fit(*batches, verbose=0))
    return started, spent, sum(v.numpy().size for v in model.trainable_variables)


def gralib(width, threads, steps):
    """Our own training step, as `gralib.training.fit` prepares it, augmentation included."""
    from gralib import backend

    backend.start(threads)
    import numpy as np

    from gralib.config import configure
    from gralib.training.augmentation import Batches
    from gralib.training.fit import prepare

    config = configure("laptop", width=width)
    pixels, truth = data(64 * steps)
    model = prepare(config, steps)
    rows = np.arange(len(pixels))
    first = Batches(config, 0, pixels, rows[:64], truth[:64])
    return keras_fit(model, [Batches(config, 1, pixels, rows, truth)], [first])


def resattention(width, threads, steps):
    """The published package, compiled and fitted as its users do: Keras' defaults, Nadam."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import keras
    from opponents import resattention as build

    pixels, truth = data(64 * steps)
    model = build(width)
    model.compile(keras.optimizers.Nadam(1e-3), "binary_crossentropy")
    scaled = pixels / 127.5 - 1
    return keras_fit(model, [scaled, truth, 64], [scaled[:64], truth[:64], 64])


def torch_steps(width, threads, steps, compiled):
    """The same network in PyTorch, channels-last, its own Nadam."""
    import torch
    from opponents import torch_gra_net

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    pixels, truth = data(64 * steps)
    model = torch_gra_net(width)
    run = torch.compile(model) if compiled else model
    optimizer = torch.optim.NAdam(model.parameters(), 1e-3)

    def step(i):
        x = torch.from_numpy(pixels[i * 64 : (i + 1) * 64]).permute(0, 3, 1, 2).float() / 127.5 - 1
        y = torch.from_numpy(truth[i * 64 : (i + 1) * 64])
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(run(x.to(memory_format=torch.channels_last)), y).backward()
        optimizer.step()

    step(0)
    started = since_start()
    spent = windows(lambda: [step(i) for i in range(steps)])
    return started, spent, sum(p.numel() for p in model.parameters())


def main() -> None:
    """Run what the command line names."""
    who, width, threads, steps = sys.argv[1], *map(int, sys.argv[2:5])
    if who == "gralib":
        found = gralib(width, threads, steps)
    elif who == "resattention":
        found = resattention(width, threads, steps)
    else:
        found = torch_steps(width, threads, steps, who == "torch-compile")
    started, spent, parameters = found
    result = {
        "who": who, "width": width, "threads": threads, "first_step_s": started,
        "faces_per_s": 64 * steps / min(spent), "median_faces_per_s": 64 * steps / statistics.median(spent),
        "parameters": parameters,
        "rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }  # fmt: skip
    print(json.dumps(result))


if __name__ == "__main__":
    main()
