# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from fantastic4.network import IntegerLayer
from fantastic4.recode import recode


def layer_of(rng, used, per_row, planes=1, limit=5000):
    codes = rng.choice(np.array([0, *used], np.uint8), (planes, 9, 11))
    basis = rng.integers(-limit, limit, (9 if per_row else 1, planes, 4)).astype(np.int32)
    return IntegerLayer("layer", codes, basis, rng.integers(-9, 9, 9))


@pytest.mark.parametrize("used", [[], [15], [9, 15], [3, 7, 12], [1, 2, 4, 8], [5, 6, 7, 14]])
@pytest.mark.parametrize("per_row", [False, True])
@pytest.mark.parametrize("planes", [1, 2])
def test_the_same_weights_under_one_mask_each(rng, used, per_row, planes):
    layer = layer_of(rng, used, per_row, planes)
    found = recode(layer)
    assert np.array_equal(found.values(), layer.values())
    assert set(np.unique(found.codes)) <= {0, 1, 2, 4, 8}
    assert np.array_equal(found.codes == 0, layer.codes == 0)
    assert np.array_equal(found.bias, layer.bias)


def test_the_most_frequent_value_has_code_1(rng):
    layer = layer_of(rng, [9, 15, 15, 15], False)
    found = recode(layer)
    assert (found.codes[layer.codes == 15] == 1).all()
    assert (found.codes[layer.codes == 9] == 2).all()


def test_five_values_keep_their_codes(rng):
    layer = layer_of(rng, [1, 2, 3, 4, 5], False)
    assert np.array_equal(recode(layer).codes, layer.codes)


def test_a_value_of_17_bits_keeps_its_codes(rng):
    layer = layer_of(rng, [3], False)
    basis = np.array([[[32767, 1, 0, 0]]], np.int32)
    for one, kept in ((1, True), (0, False)):
        basis[0, 0, 1] = one
        wide = IntegerLayer("layer", layer.codes, basis, layer.bias)
        assert np.array_equal(recode(wide).codes, wide.codes) == kept
        assert np.array_equal(recode(wide).values(), wide.values())
