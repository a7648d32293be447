# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fantastic4.config import ALL_FORMATS, FULL, SMALL, TINY
from fantastic4.errors import PackError
from fantastic4.formats import FORMATS
from fantastic4.image import parse
from fantastic4.layout import Format
from fantastic4.pace import is_fixed, make_pace, stalls
from fantastic4.pack import pack, unpack
from fantastic4.randomnet import random_network
from fantastic4.selection import MAX_STALLS, candidates, find_format, formats_of, select

EVERY = replace(SMALL, formats=ALL_FORMATS)


def some_beats(seed, density, names, shape=(2, 200, 8)):
    rng = np.random.default_rng(seed)
    beats = rng.integers(1, names + 1, shape, np.uint8)
    beats[rng.random(shape) >= density] = 0
    return beats


def words_of(kind, beats):
    module = FORMATS[kind]
    params = module.choose(beats)
    return None if params is None else sum(len(module.encode(bank, params)) for bank in beats)


def waits(choice, beats):
    """Share of clocks in which an array would wait for the format."""
    if is_fixed(choice.format, choice.params):
        return 0
    pace = make_pace(choice.format, choice.params, FULL, beats)
    return stalls(pace, beats.shape[1]) / beats.shape[1]


BEATS = st.builds(
    some_beats,
    st.integers(0, 1 << 32),
    st.sampled_from([0, 0.01, 0.05, 0.1, 0.3, 0.6, 1]),
    st.integers(1, 15),
)
FORMAT_SETS = st.sets(st.sampled_from(ALL_FORMATS), min_size=1).map(tuple)


@given(BEATS)
def test_candidates_are_what_encoders_give(beats):
    found = candidates(beats, tuple(Format))
    assert {choice.format: choice.words for choice in found} == {
        kind: words for kind in Format if (words := words_of(kind, beats)) is not None
    }
    assert [choice.words for choice in found] == sorted(choice.words for choice in found)


@given(BEATS, FORMAT_SETS)
def test_the_smallest_that_keeps_up(beats, formats):
    """Among the formats of the configuration; a larger one only if the smaller ones are late."""
    cfg = replace(EVERY, formats=formats)
    found = candidates(beats, formats_of(cfg))
    if not found:
        with pytest.raises(PackError, match="cannot express its codes"):
            select(beats, cfg, "a")
        return
    choice = select(beats, cfg, "a")
    assert choice.format.name.lower() in formats
    in_time = [x.words for x in found if waits(x, beats) <= MAX_STALLS]
    assert choice.words == min(in_time or [x.words for x in found])
    assert not in_time or waits(choice, beats) <= MAX_STALLS


@pytest.mark.parametrize(
    ("density", "names", "kind"),
    [
        (1.0, 15, Format.DENSE),
        (1.0, 3, Format.TERNARY),
        (0.9, 2, Format.TERNARY5),
        (0.4, 2, Format.BITMASK),
        (0.3, 12, Format.BITMASK),
        (0.02, 12, Format.CSR),
    ],
)
def test_each_format_is_the_smallest_somewhere(density, names, kind):
    assert select(some_beats(1, density, names), EVERY, "a").format == kind


def test_the_simpler_of_equals():
    """One beat takes one word in most formats."""
    assert select(np.zeros((1, 1, 8), np.uint8), EVERY, "a").format == Format.DENSE


def test_a_format_that_is_late_is_passed_over():
    """Dense rows in CSR: few words, as most beats are empty, but tokens come too late."""
    beats = np.zeros((1, 600, 8), np.uint8)
    beats[0, :50] = 1
    without = replace(EVERY, formats=("csr", "dense"))
    late, dense = words_of(Format.CSR, beats), words_of(Format.DENSE, beats)
    assert late is not None
    assert dense is not None
    assert late < dense
    assert waits(candidates(beats, (Format.CSR,))[0], beats) > MAX_STALLS
    assert select(beats, without, "a").format == Format.DENSE
    assert select(beats, without, "a", Format.CSR).format == Format.CSR
    assert select(beats, replace(EVERY, formats=("csr",)), "a").format == Format.CSR


@given(BEATS, st.sampled_from(list(Format)))
def test_a_forced_format_is_taken_or_refused(beats, kind):
    if words_of(kind, beats) is None:
        with pytest.raises(PackError, match=rf"layer 'a': {kind.name.lower()} cannot express"):
            select(beats, EVERY, "a", kind)
    else:
        choice = select(beats, EVERY, "a", kind)
        assert (choice.format, choice.words) == (kind, words_of(kind, beats))


def test_refusals():
    beats = np.array([[[0, 1, 5, 9, 11, 0, 0, 0]]], np.uint8)
    few = replace(EVERY, name="few", formats=("ternary", "ternary5"))
    message = (
        r"layer 'a': ternary and ternary5 cannot express its codes \(0, 1, 5, 9, 11\): take a "
        "configuration that decodes dense or bitmask"
    )
    with pytest.raises(PackError, match=message):
        select(beats, few, "a")
    with pytest.raises(PackError, match=r"config few does not decode csr; it decodes ternary, te"):
        select(beats, few, "a", Format.CSR)
    with pytest.raises(PackError, match=r"layer 'a': ternary cannot express its codes \(0, 1, 5"):
        select(beats, EVERY, "a", Format.TERNARY)


def test_find_format():
    assert [find_format(kind.name.lower()) for kind in Format] == list(Format)
    message = "no format 'zip'; choose one of dense, ternary, ternary5, bitmask, csr"
    with pytest.raises(PackError, match=message):
        find_format("zip")


@pytest.mark.parametrize("name", ALL_FORMATS)
def test_networks_use_formats_of_the_configuration_alone(rng, name):
    """With every subset that can store the network, the image unpacks to it."""
    network = random_network(rng, [40, 20, 8, 3], density=[0.02, 0.3, 0.9], names=(2, 1))
    for other in ALL_FORMATS:
        cfg = replace(TINY, formats=tuple({name: 0, other: 0}))
        image = parse(pack(network, cfg))
        assert {record["format"] for record in image.layers} <= set(formats_of(cfg))
        for before, after in zip(network.layers, unpack(image).layers, strict=True):
            assert np.array_equal(before.codes, after.codes)
