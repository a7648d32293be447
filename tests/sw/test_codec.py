# SPDX-License-Identifier: Apache-2.0
"""The codec gives back every code, never far above the entropy, and the same bytes everywhere."""

import hashlib
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fantastic4 import codec
from fantastic4.codec.choice import Choice
from fantastic4.codec.coder import STEPS, Encoder
from fantastic4.codec.plane import Plan
from fantastic4.cost import code_entropy
from fantastic4.errors import ModelError


@st.composite
def layers(draw):
    rng = np.random.default_rng(draw(st.integers(0, 1 << 32)))
    found = []
    for _ in range(draw(st.integers(1, 2))):
        shape = (
            draw(st.integers(1, 4)),
            draw(st.sampled_from([1, 2, 9, 130])),
            draw(st.integers(1, 12)),
        )
        values = draw(st.lists(st.integers(0, 15), min_size=1, max_size=16))
        codes = rng.choice(np.array(values, np.uint8), shape)
        codes[rng.random(shape) >= draw(st.sampled_from([0, 0.01, 0.3, 0.9, 1]))] = 0
        if draw(st.booleans()):
            codes = codes[:, :, np.arange(shape[2]) // 2]  # columns that resemble each other
        found.append(codes)
    return found


@settings(deadline=None, max_examples=25)
@given(layers())
def test_round_trip(given_layers):
    again = codec.decode(codec.encode(given_layers))
    assert len(again) == len(given_layers)
    for one, two in zip(again, given_layers, strict=True):
        assert one.dtype == np.uint8
        assert np.array_equal(one, two)


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 1, 300), (1, 300, 1), (4, 3, 2)])
@pytest.mark.parametrize("code", [0, 15])
def test_constant_planes_take_next_to_nothing(shape, code):
    codes = np.full(shape, code, np.uint8)
    stream = codec.encode([codes])
    assert np.array_equal(codec.decode(stream)[0], codes)
    assert len(stream) <= 48


def drawn(rng, shape, weights):
    codes = np.arange(16, dtype=np.uint8)
    return rng.choice(codes, shape, p=np.array(weights) / sum(weights))


@pytest.mark.parametrize("weights", [[1] * 16, [8, 1, 1] + 13 * [0], [40, 1] + 14 * [0]])
def test_independent_codes_take_their_entropy(rng, weights):
    codes = drawn(rng, (1, 200, 300), weights)
    size = 8 * len(codec.encode([codes])) / codes.size
    assert size <= 1.01 * code_entropy(codes) + 0.004


def test_what_rows_and_columns_have_in_common_is_used(rng):
    shares = rng.random(200)[:, None] * rng.random(300)
    for codes in (rng.random((200, 300)) < shares, rng.random((300, 200)) < shares.T):
        codes = codes[None].astype(np.uint8)
        assert 8 * len(codec.encode([codes])) / codes.size <= 0.93 * code_entropy(codes)


def test_lines_that_resemble_earlier_ones_are_used(rng):
    base = drawn(rng, (200, 7, 30), [4, 1, 1, 1] + 12 * [0])
    noise = drawn(rng, (200, 7, 30), [4, 1, 1, 1] + 12 * [0])
    base[:, :, 1:] = base[:, :, :1]
    codes = np.where(rng.random(base.shape) < 0.3, noise, base).transpose(0, 2, 1).reshape(200, -1)
    for plane in (codes, codes.T):
        plan = Plan.of(plane)
        assert plan.columns == (plane is codes)
        assert 7 in plan.references
        assert 8 * len(codec.encode([plane[None]])) / codes.size <= 0.8 * code_entropy(codes)


def test_the_plan_of_noise_has_no_references(rng):
    plan = Plan.of(drawn(rng, (30, 200), [2, 0, 1, 3] + 12 * [0]))
    assert plan == Plan(columns=True, references=(), values=(3, 2))


def test_nothing_is_ever_certain():
    class Watch(Encoder):
        def flags(self, steps, given=None):
            self.steps = steps
            return super().flags(steps, given)

    for answer in (True, False):
        choice, coder = Choice(4096, 0), Watch()
        for _ in range(40):
            choice.code(coder, np.arange(4096), np.empty((0, 4096), int), np.full(4096, answer))
        assert set(coder.steps) == {STEPS - 1 if answer else 1}


def test_bytes_are_frozen():
    """Files of other releases and other machines are read: these bytes must never change."""
    steps = np.arange(3 * 40 * 50, dtype=np.int64)
    codes = (steps * steps % 97 % 23).reshape(3, 40, 50)
    codes = np.where(codes < 16, codes, 0).astype(np.uint8)
    stream = codec.encode([codes, codes[:1, :5] & 1, codes[:2, :9, :1]])
    assert hashlib.sha256(stream).hexdigest().startswith("32f3210489f84708")


def test_any_altered_byte_is_refused(rng):
    stream = codec.encode([drawn(rng, (1, 20, 30), [3, 1] + 14 * [0])])
    for position in range(len(stream)):
        altered = bytearray(stream)
        altered[position] ^= 1 << position % 8
        with pytest.raises(ModelError, match="the codes are damaged: their checksum"):
            codec.decode(bytes(altered))


def test_truncated_streams_are_refused(rng):
    stream = codec.encode([drawn(rng, (1, 20, 30), [3, 1] + 14 * [0])])
    for length in range(len(stream)):
        with pytest.raises(ModelError, match="the codes are damaged"):
            codec.decode(stream[:length])


def sealed(body):
    return body + zlib.crc32(body).to_bytes(4, "little")


@pytest.mark.parametrize(
    ("body", "message"),
    [(b"abc", "whole words of 32 bits, not 3 bytes"), (b"\xff" * 40, "no encoder makes")],
)
def test_what_no_encoder_writes_is_refused(body, message):
    with pytest.raises(ModelError, match=message):
        codec.decode(sealed(body))
