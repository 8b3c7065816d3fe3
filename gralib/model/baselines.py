"""What GRA_Net is compared with, at 32x32 and trained the same way: a plain residual net, and three earlier CNNs.

Every function takes the number of classes of each head and returns a `keras.Model` from pixels 0-255
(batch, 32, 32, 3) to (batch, sum of classes), a softmax for each head. The papers use larger pictures; what was
changed to fit 32x32 is said where it is done.
"""

from collections.abc import Callable, Sequence

import keras
from keras import layers

from gralib.model.network import MOMENTUM, STAGES, TAIL, residual_unit

UNITS = 6
"""Residual units in place of an attention block: the four it has beside its mask, and two whose cost is the mask's."""


def residual(heads: Sequence[int], width: int) -> keras.Model:
    """GRA_Net's layout with `UNITS` residual units where it has an attention block: a plain net of like cost."""
    pixels, x = _start()
    x = layers.Conv2D(width, 5, padding="same", name="stem_conv")(x)
    x = layers.MaxPooling2D(2)(layers.ReLU()(layers.BatchNormalization(momentum=MOMENTUM)(x)))
    for stage, (multiple, stride) in enumerate(STAGES, start=1):
        channels = multiple * width
        x = residual_unit(x, channels, x.shape[-1], stride=stride, name=f"stage{stage}_unit")
        for i in range(1, UNITS + 1):
            x = residual_unit(x, channels, channels // 4, name=f"stage{stage}_plain{i}")
    for i, multiple in enumerate(TAIL, start=1):
        x = residual_unit(x, multiple * width, x.shape[-1], name=f"tail{i}")
    return _end(pixels, layers.GlobalAveragePooling2D()(x), heads, "residual")


def levi_hassner(heads: Sequence[int], width: int = 0) -> keras.Model:
    """Levi and Hassner (2015): three convolutions and two layers of 512, dropout 1/2.

    For 32x32: the first convolution has stride 1 instead of 4, and batch norm stands for local response
    normalisation, which Keras does not have.
    """
    pixels, x = _start()
    for filters, kernel in ((96, 7), (256, 5), (384, 3)):
        x = layers.ReLU()(layers.Conv2D(filters, kernel, padding="same")(x))
        x = layers.BatchNormalization(momentum=MOMENTUM)(layers.MaxPooling2D(3, strides=2, padding="same")(x))
    x = layers.Flatten()(x)
    for i in range(2):
        x = layers.Dropout(0.5, seed=i)(layers.Dense(512, activation="relu")(x))
    return _end(pixels, x, heads, "levi_hassner")


def savchenko(heads: Sequence[int], width: int = 0) -> keras.Model:
    """MobileNet (Keras' own, weights drawn anew) with a head for gender and one for age (Savchenko 2019).

    For 32x32: the first convolution has stride 1 instead of 2, so the last features are 2x2; batch norm follows with
    `MOMENTUM`, as everywhere here.
    """
    pixels, x = _start()
    trunk = keras.applications.MobileNet(input_shape=(32, 32, 3), include_top=False, weights=None, pooling="avg")

    def fit(layer):
        settings = layer.get_config()
        if isinstance(layer, layers.BatchNormalization):
            settings["momentum"] = MOMENTUM
        if layer.name == "conv1":
            settings["strides"] = 1
        return type(layer).from_config(settings)

    trunk = keras.models.clone_model(trunk, clone_function=fit)
    return _end(pixels, trunk(x), heads, "savchenko")


def separable(heads: Sequence[int], width: int = 0) -> keras.Model:
    """Depth-wise separable convolutions as in LMCNN (Lee et al. 2018), whose exact layout the text does not give."""
    pixels, x = _start()
    x = layers.Conv2D(32, 3, padding="same", use_bias=False)(x)
    for filters, stride in ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)):
        x = layers.ReLU()(layers.BatchNormalization(momentum=MOMENTUM)(x))
        x = layers.SeparableConv2D(filters, 3, strides=stride, padding="same", use_bias=False)(x)
    x = layers.ReLU()(layers.BatchNormalization(momentum=MOMENTUM)(x))
    return _end(pixels, layers.GlobalAveragePooling2D()(x), heads, "separable")


def _start():
    pixels = keras.Input((32, 32, 3), name="pixels")
    return pixels, layers.Rescaling(1 / 127.5, offset=-1)(pixels)


def _end(pixels, x, heads: Sequence[int], name: str) -> keras.Model:
    logits = [layers.Dense(count, name=f"logits{i}" if i else "logits")(x) for i, count in enumerate(heads)]
    ends = [layers.Activation("softmax", dtype="float32")(y) for y in logits]
    return keras.Model(pixels, layers.Concatenate(name="output")(ends) if len(ends) > 1 else ends[0], name=name)


BASELINES: dict[str, Callable[[Sequence[int], int], keras.Model]] = {
    "residual": residual, "levi_hassner": levi_hassner, "savchenko": savchenko, "separable": separable,
}  # fmt: skip
