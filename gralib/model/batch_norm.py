"""Batch normalisation (Ioffe and Szegedy 2015) as one operation of the engine, where it has one.

The same rule as `keras.layers.BatchNormalization`, which spells it out in some twenty operations: on TensorFlow those
took 29 % of a training step, and a good part of the wait for the first one.
"""

import keras
from keras import ops

from gralib.backend import fused_batch_norm


@keras.saving.register_keras_serializable(package="gralib")
class FusedBatchNorm(keras.layers.BatchNormalization):
    """`keras.layers.BatchNormalization` over the last axis, normalising a training batch in one operation.

    Call: (batch, height, width, channels) -> the same shape.
    """

    def call(self, inputs, training=None, mask=None):
        """Return normalised features; in training also move the running mean and variance."""
        fused = fused_batch_norm() if training and self.trainable else None
        if fused is None:
            return super().call(inputs, training=training, mask=mask)
        x = ops.cast(inputs, "float32")
        outputs, mean, variance = fused(x, self.gamma, self.beta, self.epsilon)
        for moving, now in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(moving * self.momentum + now * (1 - self.momentum))
        return ops.cast(outputs, self.compute_dtype)
