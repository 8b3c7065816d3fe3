"""Time a training step of the network of C17 (width 12, four groups) with our grouped convolution and with Keras' own.

python benchmarks/grouped.py STEPS   on one thread; prints the best of the steps of each, interleaved, as JSON
"""

import json
import sys
import time


def main() -> None:
    """Build both networks, then take a step of each in turn."""
    from gralib import backend

    backend.start(1)
    import keras
    from train_one import data

    from gralib.model import network

    ours, (pixels, truth) = network.GroupedConv2D, data(64)
    models, best = {}, {"ours": float("inf"), "keras": float("inf")}
    for who, layer in (("ours", ours), ("keras", keras.layers.Conv2D)):
        network.GroupedConv2D = layer
        models[who] = network.gra_net(width=12, groups=4)
        models[who].compile(keras.optimizers.SGD(1e-3), "categorical_crossentropy", jit_compile=False)
        models[who].train_on_batch(pixels, truth)
    for _ in range(int(sys.argv[1])):
        for who, model in models.items():
            begin = time.perf_counter()
            model.train_on_batch(pixels, truth)
            best[who] = min(best[who], time.perf_counter() - begin)
    print(json.dumps({"seconds_a_step": best, "keras_over_ours": best["keras"] / best["ours"]}))


if __name__ == "__main__":
    main()
