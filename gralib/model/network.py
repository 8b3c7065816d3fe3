"""GRA_Net (paper, section 6, Fig. 5 to 7), readable from top to bottom.

The paper gives the blocks but not their sizes. The layout here is that of `AttentionResNetCifar10` in the package
`resattention` 0.0.4, published by the paper's first author: at 32x32 with two outputs it has 33,019,010 trainable
parameters, the paper's "33 million" (7.1). The three gates of Eq. 3, absent from that code, add three.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal

import keras
from keras import layers

from gralib.model.attention import Attention, Gate, GatedAttention, MaskActivation
from gralib.model.batch_norm import FusedBatchNorm
from gralib.model.grouped import GroupedConv2D

Upsampling = Literal["bilinear", "nearest"]
Head = Literal["softmax", "sigmoid", "linear"]

Masks = Literal["each", "one"]

STAGES = ((4, 1), (8, 2), (16, 2))
"""The three attention stages: output channels in units of `width`, stride of the stage's first unit."""
TAIL = (32, 32, 32)
"""The residual units after the last stage: output channels in units of `width`."""
ONE_MASK = 12
"""Channels, in units of `width`, of a mask branch that serves all blocks: its cost is that of one a stage."""
MOMENTUM = 0.9
"""Of batch norm's running statistics. Keras' default 0.99 lags behind in the short trainings of small data sets."""


def residual_unit(x, channels: int, bottleneck: int, *, stride: int = 1, groups: int = 1, name: str):
    """Pre-activation bottleneck unit (section 6.1): 1x1, 3x3, 1x1 convolutions, each after batch norm and ReLU.

    The shortcut is a 1x1 convolution where `bottleneck != channels` or `stride > 1`, as in the published code,
    and the identity elsewhere. With `groups > 1` the 3x3 convolution is grouped (ResNeXt).

    Shapes: (batch, h, w, any) -> (batch, h/stride, w/stride, channels).
    """
    shortcut = x
    if bottleneck != channels or stride != 1:
        shortcut = layers.Conv2D(channels, 1, strides=stride, name=f"{name}_shortcut")(x)
    for i, (filters, kernel, step, group) in enumerate(
        [(bottleneck, 1, 1, 1), (bottleneck, 3, stride, groups), (channels, 1, 1, 1)], start=1
    ):
        x = FusedBatchNorm(momentum=MOMENTUM, name=f"{name}_bn{i}")(x)
        x = layers.ReLU(name=f"{name}_relu{i}")(x)
        convolution = GroupedConv2D if group > 1 else layers.Conv2D
        x = convolution(filters, kernel, strides=step, padding="same", groups=group, name=f"{name}_conv{i}")(x)
    return layers.Add(name=f"{name}_add")([x, shortcut])


def mask_features(x, depth: int, upsampling: Upsampling, groups: int, skips: bool, *, name: str):
    """Bottom-up, top-down branch of a mask up to its activation (section 6.3, Fig. 6).

    `depth` max-poolings, each followed by a residual unit, then as many upsamplings, each after a residual unit;
    skip connections join the two halves at equal resolution where `skips`; two 1x1 convolutions.

    Shapes: (batch, h, w, c) -> (batch, h, w, c); h and w divisible by 2**depth.
    """
    channels = x.shape[-1]

    def unit(y, tag):
        return residual_unit(y, channels, channels // 4, groups=groups, name=f"{name}_{tag}")

    joined = []
    for level in range(1, depth + 1):
        x = layers.MaxPooling2D(2, padding="same", name=f"{name}_pool{level}")(x)
        x = unit(x, f"down{level}")
        if skips and level < depth:
            joined.append(unit(x, f"skip{level}"))
    for level in range(depth, 0, -1):
        x = unit(x, f"up{level}")
        x = layers.UpSampling2D(2, interpolation=upsampling, name=f"{name}_upsample{level}")(x)
        if joined:
            x = layers.Add(name=f"{name}_join{level - 1}")([x, joined.pop()])
    x = layers.Conv2D(channels, 1, name=f"{name}_conv1")(x)
    return layers.Conv2D(channels, 1, name=f"{name}_conv2")(x)


def shared_mask(features, like, name: str):
    """Bring the features of a mask for all blocks to the size of one block, before the activation.

    Shapes: (batch, h, w, any) and `like` (batch, h/k, w/k, c) -> (batch, h/k, w/k, c).
    """
    factor = features.shape[1] // like.shape[1]
    pooled = layers.AveragePooling2D(factor, name=f"{name}_pool")(features) if factor > 1 else features
    return layers.Conv2D(like.shape[-1], 1, name=f"{name}_conv")(pooled)


def attention_block(x, mask: Callable, attention: Attention, gate: Gate, groups: int, *, name: str):
    """Gated attention block (section 6.2, Fig. 5): trunk F and mask K side by side, joined by the gate of Eq. 3.

    `mask` makes of the block's features and a name those of its mask, same shape: `mask_features` or `shared_mask`.
    One residual unit before the branches (p=1), two in the trunk (t=2), one at each level of the mask (r=1), one
    after the gate (p=1). Shapes: (batch, h, w, c) -> (batch, h, w, c).
    """
    channels = x.shape[-1]

    def unit(y, tag):
        return residual_unit(y, channels, channels // 4, groups=groups, name=f"{name}_{tag}")

    x = unit(x, "before")
    trunk = unit(unit(x, "trunk1"), "trunk2")
    k = MaskActivation(attention, name=f"{name}_mask_activation")(mask(x, name=f"{name}_mask"))
    x = GatedAttention(gate, name=f"{name}_gate")([k, trunk])
    return unit(x, "after")


def gra_net(
    outputs: int = 2,
    width: int = 32,
    attention: Attention = "mixed",
    gate: Gate = "trainable",
    upsampling: Upsampling = "bilinear",
    groups: int = 1,
    modules: Sequence[int] = (1, 1, 1),
    mask_depths: Sequence[int] = (2, 1, 1),
    head: Head = "softmax",
    skips: bool = True,
    masks: Masks = "each",
) -> keras.Model:
    """Build GRA_Net (Fig. 7): stem, three stages of attention blocks, three residual units, pooling, head.

    Args:
        outputs: units of the last layer.
        width: channels of the stem; every other channel count is a multiple of it. 32 is the published size.
        attention: 'mixed' (Eq. 4), 'channel' (Eq. 5) or 'spatial' (Eq. 6).
        gate: 'trainable', or a number in [0, 1] that freezes gamma of Eq. 3 in every block.
        upsampling: 'bilinear' as the paper writes (6.3), 'nearest' as the published code does.
        groups: groups of the 3x3 convolutions; more than one makes ResNeXt units (6.1).
        modules: attention blocks in each of the three stages.
        mask_depths: max-poolings in the mask branch of each stage (inputs are 16, 8 and 4 pixels wide).
        head: 'softmax' for classes, 'sigmoid' for remainders of an age, 'linear' for an age as a whole.
        skips: whether skip connections join the two halves of a mask branch (6.3).
        masks: 'each' gives every block a mask branch of its own (6.1); 'one' has one branch of `ONE_MASK` times
            `width` channels, on the first stage's features, whose mask is pooled to each block's size.

    Returns:
        A `keras.Model` from pixels 0-255 shaped (batch, 32, 32, 3) to (batch, outputs).

    Raises:
        ValueError: an argument outside its range, named with what was expected and what came.
    """
    _check(outputs, width, upsampling, groups, modules, mask_depths, head, masks)
    pixels = keras.Input((32, 32, 3), name="pixels")
    x = layers.Rescaling(1 / 127.5, offset=-1, name="scale")(pixels)
    x = layers.Conv2D(width, 5, padding="same", name="stem_conv")(x)
    x = FusedBatchNorm(momentum=MOMENTUM, name="stem_bn")(x)
    x = layers.ReLU(name="stem_relu")(x)
    x = layers.MaxPooling2D(2, name="stem_pool")(x)
    for stage, ((multiple, stride), count, depth) in enumerate(zip(STAGES, modules, mask_depths, strict=True), start=1):
        name = f"stage{stage}"
        x = residual_unit(x, multiple * width, x.shape[-1], stride=stride, groups=groups, name=f"{name}_unit")
        mask = partial(mask_features, depth=depth, upsampling=upsampling, groups=groups, skips=skips)
        if masks == "one":
            if stage == 1:
                shared = mask(layers.Conv2D(ONE_MASK * width, 1, name="mask_widen")(x), name="mask")
            mask = partial(shared_mask, shared)
        for module in range(1, count + 1):
            x = attention_block(x, mask, attention, gate, groups, name=f"{name}_module{module}")
    for i, multiple in enumerate(TAIL, start=1):
        x = residual_unit(x, multiple * width, x.shape[-1], groups=groups, name=f"tail{i}")
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    x = layers.Dense(outputs, name="logits")(x)
    return keras.Model(pixels, layers.Activation(head, dtype="float32", name="output")(x), name="gra_net")


def gate_layers(model: keras.Model) -> list[GatedAttention]:
    """Return the gates of a network, in order."""
    return [layer for layer in model.layers if isinstance(layer, GatedAttention)]


def gate_values(model: keras.Model) -> dict[str, float]:
    """Return gamma of every gate, by name ('stage1_module1', …)."""
    return {layer.name.removesuffix("_gate"): float(layer.gamma()) for layer in gate_layers(model)}


def trainable_count(model: keras.Model) -> int:
    """Return how many numbers of a network learn: a frozen gate does not, though a compiled network could train it."""
    frozen = {id(gate.logit) for gate in gate_layers(model) if gate.frozen}
    return sum(math.prod(w.shape) for w in model.trainable_weights if id(w) not in frozen)


def mask_model(model: keras.Model) -> keras.Model:
    """Return a network that shares weights with `model` and puts out its masks K, a list, one a block."""
    masks = [layer.output for layer in model.layers if isinstance(layer, MaskActivation)]
    return keras.Model(model.input, masks, name="masks")


def ledger(model: keras.Model) -> list[tuple[str, tuple[int, ...], int]]:
    """Return the blocks of a network in order: name, output shape without batch, trainable parameters.

    Layers belong to the block their name begins with; the numbers add up to those of the network.
    """
    rows: dict[str, tuple[tuple[int, ...], int]] = {}
    for layer in model.layers[1:]:
        parts = layer.name.split("_")  # stem_conv, stage1_unit_bn1, stage1_module1_trunk2_bn1, tail1_bn1, pool
        length = 1 if not parts[0].startswith("stage") else 2 if parts[1] == "unit" else 3
        name = " ".join(parts[:length]).replace("trunk1", "trunk").replace("trunk2", "trunk")
        count = sum(math.prod(w.shape) for w in layer.trainable_weights)
        rows[name] = (tuple(layer.output.shape[1:]), rows.get(name, ((), 0))[1] + count)
    return [(name, shape, count) for name, (shape, count) in rows.items()]


def _check(outputs, width, upsampling, groups, modules, mask_depths, head, masks) -> None:
    def expect(name, ok, expected, got):
        if not ok:
            raise ValueError(f"{name}: expected {expected}, got {got!r}")

    def counts(values, low, high):
        return len(values) == 3 and all(isinstance(v, int) and low <= v <= high for v in values)

    expect("outputs", outputs >= 1, "at least 1", outputs)
    expect("width", width >= 1, "at least 1 channel", width)
    expect("upsampling", upsampling in ("bilinear", "nearest"), "bilinear or nearest", upsampling)
    expect("groups", groups >= 1 and width % groups == 0, f"a divisor of width {width}", groups)
    expect("modules", counts(modules, 1, 8), "three numbers from 1 to 8, one a stage", modules)
    fits = counts(mask_depths, 1, 4) and all(d <= m for d, m in zip(mask_depths, (4, 3, 2), strict=True))
    expect("mask_depths", fits, "three numbers from 1, at most 4, 3 and 2", mask_depths)
    expect("head", head in ("softmax", "sigmoid", "linear"), "softmax, sigmoid or linear", head)
    expect("masks", masks in ("each", "one"), "each or one", masks)
