# SPDX-License-Identifier: Apache-2.0
"""Models of the decoders' timing; ``tests/hw`` holds the decoders themselves against them."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fantastic4.config import BASE, FULL
from fantastic4.formats import FORMATS, bitmask, csr
from fantastic4.layout import Format
from fantastic4.pace import (
    beat_latency,
    decode_latency,
    first_beat,
    is_fixed,
    joins,
    make_pace,
    stalls,
)

EIGHT = FULL
"""Banks of eight lanes with every format."""


def some_beats(seed, banks, count, density, names, lanes=8):
    rng = np.random.default_rng(seed)
    beats = rng.integers(1, names + 1, (banks, count, lanes), np.uint8)
    beats[rng.random(beats.shape) >= density] = 0
    if seed % 3 == 0:
        beats[:, count // 3 : count // 2] = 0
    return beats


BEATS = st.builds(
    some_beats,
    st.integers(0, 1 << 32),
    st.integers(1, 3),
    st.integers(1, 150),
    st.sampled_from([0, 0.02, 0.1, 0.3, 0.6, 1]),
    st.sampled_from([1, 3, 7, 15]),
)


def paced(kind, beats, pauses=None, command=0):
    """Clocks in which beats are taken; ``pauses`` of the reader."""
    pace = make_pace(kind, FORMATS[kind].choose(beats), EIGHT, beats)
    taken, clocks = command, []
    for beat in range(beats.shape[1]):
        taken = max(pace.offered(beat, command, taken), taken + 1 if beat else command)
        taken += 0 if pauses is None else int(pauses[beat])
        clocks.append(taken)
    return clocks


@given(BEATS)
def test_csr_waits_for_the_slowest_bank(beats):
    """One bank is as ``ready_times`` has it; several are no earlier than any of them alone."""
    params = csr.choose(beats)
    alone = [csr.ready_times(bank, params) for bank in beats]
    together = paced(Format.CSR, beats)
    assert (np.array(together) >= np.max(alone, axis=0)).all()
    if len(beats) == 1:
        assert together == alone[0].tolist()


@given(BEATS)
def test_banks_that_are_alike_wait_for_none(beats):
    same = np.concatenate([beats[:1]] * 3)
    for kind in (Format.CSR, Format.BITMASK, Format.BITMASK2):
        assert paced(kind, same) == paced(kind, beats[:1])


@given(BEATS)
def test_bitmask_pauses_where_any_bank_does(beats):
    params = bitmask.choose(beats)
    pauses = np.any([bitmask.pauses(bank, params) for bank in beats], axis=0)
    expected = first_beat(Format.BITMASK, EIGHT) + np.arange(len(pauses)) + np.cumsum(pauses)
    assert paced(Format.BITMASK, beats) == expected.tolist()


@given(BEATS, st.integers(0, 1 << 32))
def test_a_slow_reader_is_never_behind_by_more_than_it_waited(beats, seed):
    pauses = np.random.default_rng(seed).integers(0, 4, beats.shape[1])
    for kind in (Format.CSR, Format.BITMASK, Format.BITMASK2):
        eager, slow = paced(kind, beats), paced(kind, beats, pauses)
        assert all(e <= s <= e + p for e, s, p in zip(eager, slow, np.cumsum(pauses), strict=True))


@given(BEATS, st.integers(0, 1 << 32), st.integers(-1000, 1000))
def test_only_the_clocks_between_matter(beats, seed, command):
    """Of a reader that begins late, too: decoders have worked on before clock 0."""
    pauses = np.random.default_rng(seed).integers(0, 4, beats.shape[1])
    pauses[0] = 500
    for kind in (Format.CSR, Format.BITMASK, Format.BITMASK2):
        later = paced(kind, beats, pauses, command)
        assert [clock - command for clock in later] == paced(kind, beats, pauses)


def test_first_beats():
    """As ``docs/microarchitecture.md`` has them; a palette takes 16 clocks."""
    kinds = [kind for kind in Format if kind != Format.CSR]
    assert [first_beat(kind, EIGHT) for kind in kinds] == [1, 5, 2, 17, 17]
    with pytest.raises(KeyError):
        first_beat(Format.CSR, EIGHT)


@pytest.mark.parametrize(
    ("name_width", "first", "latencies"),
    [(4, 17, [2, 2, 3, 4]), (2, 4, [5, 5, 6, 7]), (1, 4, [5, 5, 6, 7])],
)
def test_first_beats_of_masks(name_width, first, latencies):
    """And of dense layers beside masks; more lanes take longer to spread."""
    for lanes, latency in zip((1, 2, 4, 8), latencies, strict=True):
        cfg = replace(BASE, bank_lanes=lanes, name_width=name_width)
        assert first_beat(Format.BITMASK, cfg) == first
        assert first_beat(Format.DENSE, cfg) == 1
        assert beat_latency(Format.BITMASK, cfg) == decode_latency(cfg) == latency


def test_nothing_is_counted_ahead_of_words_that_may_be_late():
    for name_width, first, latency in ((4, 17, 4), (2, 2, 5)):
        cfg = replace(BASE, bank_lanes=8, name_width=name_width, external_weights=True)
        assert first_beat(Format.BITMASK, cfg) == first
        assert beat_latency(Format.BITMASK, cfg) == latency


def test_a_core_of_several_formats_is_as_late_as_the_slowest():
    assert decode_latency(replace(BASE, formats=("dense",))) == 0
    assert decode_latency(replace(BASE, formats=("dense", "ternary"))) == 1
    assert decode_latency(replace(BASE, formats=("ternary", "ternary5", "csr"))) == 2
    assert decode_latency(FULL) == 4


def test_a_steady_core_knows_later():
    """Its engines are told what to do, and it is told of the first beat, a clock each."""
    params = FORMATS[Format.DENSE].choose(np.ones((1, 1, 8), np.uint8))
    beside = make_pace(Format.DENSE, params, BASE, None)
    steady = make_pace(Format.DENSE, params, replace(BASE, name_width=2), None)
    alone = make_pace(Format.DENSE, params, replace(BASE, formats=("dense",)), None)
    assert [pace.offered(0, 7, 0) for pace in (beside, steady, alone)] == [8, 10, 8]


def test_which_decoder_has_dense():
    assert joins(FULL) == Format.BITMASK
    assert joins(replace(FULL, formats=("bitmask2", "dense"))) == Format.BITMASK2
    assert joins(replace(FULL, formats=("bitmask", "csr"))) is None
    assert joins(replace(FULL, formats=("dense", "csr"))) is None


def test_what_is_fixed():
    """A pace that does not depend on the codes needs none of them."""
    beats = some_beats(1, 1, 100, 1.0, 15)
    for kind in (Format.DENSE, Format.TERNARY, Format.TERNARY5):
        params = FORMATS[Format.DENSE].choose(beats)
        assert is_fixed(kind, params)
        pace = make_pace(kind, params, EIGHT, None)
        assert pace.steady
        assert stalls(pace, 100) == 0
    four, three = bitmask.choose(beats), bitmask.choose(beats % 8)
    assert (is_fixed(Format.BITMASK, four), is_fixed(Format.BITMASK, three)) == (False, True)
    assert not is_fixed(Format.CSR, csr.choose(beats))
    # 100 full beats of four bits: after each four, a clock.
    assert stalls(make_pace(Format.BITMASK, four, EIGHT, beats), 100) == 24
    assert stalls(make_pace(Format.BITMASK, three, EIGHT, None), 100) == 0
    sparse = np.zeros_like(beats)
    assert make_pace(Format.BITMASK, four, EIGHT, sparse).steady


def test_stalls_of_csr():
    """Full beats take a clock a code, once the queue is empty."""
    beats = np.ones((1, 300, 8), np.uint8)
    found = stalls(make_pace(Format.CSR, csr.choose(beats), EIGHT, beats), 300)
    ahead = csr.QUEUE + 3  # and the beat offered, the one in hand, and that of tokens under way
    assert (300 - ahead) * 7 <= found <= (300 - csr.QUEUE) * 7
    empty = np.zeros((1, 300, 8), np.uint8)
    assert stalls(make_pace(Format.CSR, csr.choose(empty), EIGHT, empty), 300) == 0
