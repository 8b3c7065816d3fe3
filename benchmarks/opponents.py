"""What a person would use instead: the published Keras package as its users fit it, and the same network in PyTorch."""

import importlib
import sys
import types


def resattention(width: int = 32):
    """Return `AttentionResNetCifar10` of PyPI's resattention 0.0.4 at a width, two outputs, as a Keras 3 model.

    The package was written for an older Keras: its imports are met by stand-ins while it loads, and its fixed channel
    counts are scaled by wrapping the function that it calls. None of its code is copied.
    """
    import keras

    engine, topology = types.ModuleType("keras.engine"), types.ModuleType("keras.engine.topology")
    topology.Layer = keras.layers.Layer
    engine.topology = topology
    sys.modules |= {"keras.engine": engine, "keras.engine.topology": topology}
    keras.KerasTensor.get_shape = lambda self: self.shape
    models, blocks = (importlib.import_module(f"resattention.{name}") for name in ("models", "blocks"))

    def scaled(x, input_channels=None, output_channels=None, **options):
        sizes = [c and c * width // 32 for c in (input_channels, output_channels)]
        return blocks.residual_block(x, *sizes, **options)

    models.residual_block = scaled
    return models.AttentionResNetCifar10(n_channels=width, n_classes=2)


def torch_gra_net(width: int = 32):
    """Return GRA_Net (mixed attention, trainable gates, bilinear upsampling) as a PyTorch module in channels-last."""
    import torch
    from torch import nn

    class Unit(nn.Module):
        def __init__(self, i, o, b, stride=1):
            super().__init__()
            self.body = nn.Sequential(
                nn.BatchNorm2d(i), nn.ReLU(), nn.Conv2d(i, b, 1),
                nn.BatchNorm2d(b), nn.ReLU(), nn.Conv2d(b, b, 3, stride, 1),
                nn.BatchNorm2d(b), nn.ReLU(), nn.Conv2d(b, o, 1),
            )  # fmt: skip
            self.short = nn.Conv2d(i, o, 1, stride) if b != o or stride > 1 else nn.Identity()

        def forward(self, x):
            return self.body(x) + self.short(x)

    class Block(nn.Module):
        def __init__(self, c, depth):
            super().__init__()

            def unit():
                return Unit(c, c, c // 4)

            self.before, self.after, self.trunk = unit(), unit(), nn.Sequential(unit(), unit())
            self.down = nn.ModuleList(unit() for _ in range(depth))
            self.skip = nn.ModuleList(unit() for _ in range(depth - 1))
            self.up = nn.ModuleList(unit() for _ in range(depth))
            self.last = nn.Sequential(nn.Conv2d(c, c, 1), nn.Conv2d(c, c, 1), nn.Sigmoid())
            self.gate = nn.Parameter(torch.zeros(()))

        def forward(self, x):
            x = self.before(x)
            mask, skips = x, []
            for i, down in enumerate(self.down):
                mask = down(nn.functional.max_pool2d(mask, 2))
                if i < len(self.skip):
                    skips.append(self.skip[i](mask))
            for up in self.up:
                mask = nn.functional.interpolate(up(mask), scale_factor=2, mode="bilinear")
                if skips:
                    mask = mask + skips.pop()
            gamma = torch.sigmoid(self.gate)
            return self.after((gamma + (1 - gamma) * self.last(mask)) * self.trunk(x))

    w = width
    return nn.Sequential(
        nn.Conv2d(3, w, 5, padding=2), nn.BatchNorm2d(w), nn.ReLU(), nn.MaxPool2d(2),
        Unit(w, 4 * w, w), Block(4 * w, 2),
        Unit(4 * w, 8 * w, 4 * w, 2), Block(8 * w, 1),
        Unit(8 * w, 16 * w, 8 * w, 2), Block(16 * w, 1),
        Unit(16 * w, 32 * w, 16 * w), Unit(32 * w, 32 * w, 32 * w), Unit(32 * w, 32 * w, 32 * w),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32 * w, 2),
    ).to(memory_format=torch.channels_last)  # fmt: skip
