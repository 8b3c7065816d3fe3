"""Nadam (Dozat 2016) as one update over all weights laid end to end, its rate falling along half a cosine.

The same rule and the same numbers as `keras.optimizers.Nadam`, which updates each of some 270 variables with a
dozen operations of its own; building and tracing those is most of the wait for the first training step.
"""

import math

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="gralib")
class FlatNadam(keras.optimizers.Nadam):
    """`keras.optimizers.Nadam` with momentum and velocity kept in one flat vector each (same arguments).

    The rate falls to zero over `total_steps`, as `keras.optimizers.schedules.CosineDecay` lets it. That number is a
    variable, so that one compiled network serves folds of different size; 0 keeps the rate as it is.
    """

    def build(self, var_list) -> None:
        """Make the two flat moments for `var_list`."""
        if self.built:
            return
        keras.optimizers.Optimizer.build(self, var_list)
        size = sum(math.prod(v.shape) for v in var_list)
        self._momentum = self.add_variable((size,), dtype="float32", name="momentum")
        self._velocity = self.add_variable((size,), dtype="float32", name="velocity")
        self._u_product = self.add_variable((), initializer="ones", dtype="float32", name="u_product")
        self.total_steps = self.add_variable((), initializer="zeros", dtype="float32", name="total_steps")

    def _backend_update_step(self, grads, trainable_variables, learning_rate) -> None:
        flat = ops.concatenate([ops.reshape(ops.cast(g, "float32"), (-1,)) for g in grads])
        done = ops.cast(self.iterations, "float32") / ops.maximum(self.total_steps, 1)
        cosine = (1 + ops.cos(math.pi * ops.minimum(done, 1))) / 2
        rate = ops.cast(learning_rate, "float32") * ops.where(self.total_steps > 0, cosine, 1.0)
        step = ops.cast(self.iterations + 1, "float32")
        u_now = self.beta_1 * (1 - 0.5 * ops.power(0.96, step))
        u_next = self.beta_1 * (1 - 0.5 * ops.power(0.96, step + 1))
        product = self._u_product * u_now
        momentum = self._momentum + (flat - self._momentum) * (1 - self.beta_1)
        velocity = self._velocity + (ops.square(flat) - self._velocity) * (1 - self.beta_2)
        m_hat = u_next * momentum / (1 - product * u_next) + (1 - u_now) * flat / (1 - product)
        v_hat = velocity / (1 - ops.power(self.beta_2, step))
        update = rate * m_hat / (ops.sqrt(v_hat) + self.epsilon)

        self._u_product.assign(product)
        self._momentum.assign(momentum)
        self._velocity.assign(velocity)
        ends = [0]
        for variable in trainable_variables:
            ends.append(ends[-1] + math.prod(variable.shape))
        for variable, piece in zip(trainable_variables, ops.split(update, ends[1:-1]), strict=True):
            variable.assign_sub(ops.cast(ops.reshape(piece, variable.shape), variable.dtype))
