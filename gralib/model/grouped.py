"""Grouped convolution (Xie et al. 2017, ResNeXt) as one plain convolution a group.

The same rule as `keras.layers.Conv2D(groups=...)`. TensorFlow has no gradient of a grouped convolution on processors,
so Keras compiles each of those with XLA there: a training step of the network takes nine times as long
(`benchmarks/grouped.py`).
"""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="gralib")
class GroupedConv2D(keras.layers.Conv2D):
    """`keras.layers.Conv2D` in groups, with the same weights: group g of the filters sees group g of the channels.

    Call: (batch, height, width, channels) -> (batch, height/stride, width/stride, filters); `padding` as for Keras.
    """

    def convolution_op(self, inputs, kernel):
        """Return the groups' convolutions side by side; kernel: (h, w, channels/groups, filters)."""
        channels, filters = (ops.split(part, self.groups, axis=-1) for part in (inputs, kernel))
        return ops.concatenate(list(map(super().convolution_op, channels, filters)), axis=-1)
