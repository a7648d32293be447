# SPDX-License-Identifier: Apache-2.0
"""Images and timing of configurations with several cores."""

from dataclasses import replace

import numpy as np
import pytest

from fantastic4 import bias, cost
from fantastic4.config import PAPER, TINY
from fantastic4.errors import ImageError, PackError
from fantastic4.image import build, parse, readable
from fantastic4.layout import Format, Section
from fantastic4.network import InputQuant, Network
from fantastic4.pack import basis_entries, pack, read_image, unpack
from fantastic4.randomnet import random_layer, random_network
from fantastic4.timing import ARG_MAX, RETIRE_TO_RESULT, SERIAL, START, timing

TWO = replace(TINY, name="two", cores=2)
QUANT = InputQuant(np.ones(1), np.zeros(1))


def one_layer(rng, columns, rows, **other):
    return Network((random_layer(rng, columns, rows, **other),), QUANT)


@pytest.mark.parametrize("cores", [1, 2, 4])
@pytest.mark.parametrize("external", [False, True])
def test_round_trip(rng, cores, external):
    cfg = replace(TINY, cores=cores, external_weights=external, input_chunks=200)
    for widths in ([9, 17, 5, 3], [1, 1], [600, 3, 2]):
        network = random_network(rng, widths)
        image = read_image(pack(network, cfg), cfg)
        assert readable(image.geometry)["cores"] == cores
        assert build(parse(build(image))) == build(image)
        if external:
            assert image.weights == []
            continue
        back = unpack(image)
        for told, found in zip(network.layers, back.layers, strict=True):
            assert found.codes.tolist() == told.codes.tolist()
            assert found.basis.tolist() == told.basis.tolist()
            assert found.bias.tolist() == told.bias.tolist()
        bits = sum(x.stored_bits - x.weight_bits for x in cost.storage(image))
        assert bits == 64 * len(image.basis) + 32 * len(image.bias) + 192 * len(image.layers)


def test_the_banks_are_those_of_one_core_with_all_engines(rng):
    network = random_network(rng, [9, 11, 5])
    one = parse(pack(network, replace(TINY, engines=4)))
    two = parse(pack(network, TWO))
    assert [x.tolist() for x in two.weights] == [x.tolist() for x in one.weights]
    assert [x["beats"] for x in two.layers] == [x["beats"] for x in one.layers]


def test_order_of_a_basis_per_row(rng):
    """Two cores of two engines, 5 rows, two tiles: core 0 has rows 0, 2, 4 and core 1 rows 1, 3."""
    layer = random_layer(rng, 513, 5, per_row=True)
    rows = {0: [0, 2, 0, 2, 4, 4], 1: [1, 3, 1, 3, None, None]}
    for core, order in rows.items():
        expected = [[0] * 4 if row is None else layer.basis[row, 0].tolist() for row in order]
        assert basis_entries(layer, TWO, core).tolist() == expected
    shared = random_layer(rng, 513, 5)
    for core in (0, 1):
        assert basis_entries(shared, TWO, core).tolist() == 2 * shared.basis[0].tolist()


def test_biases_of_each_core():
    wide, narrow = np.array([1 << 30, 2, 3, 4, 5]), np.array([1, 2, 3, 4, 5])
    parts = bias.encode_dealt(wide, 2)
    assert [x.words.tolist() for x in parts] == [[1 << 30, 3, 5], [2, 4, 0]]
    # 5 << 20 needs a shift of 8: so have both cores, though the other could do with less
    parts = bias.encode_dealt(narrow << 20, 2)
    mantissas = [[3 << 28 | 1 << 12, 5 << 12], [4 << 28 | 2 << 12, 0]]
    assert [x.words.tolist() for x in parts] == mantissas
    assert {(x.narrow, x.shift) for x in parts} == {(True, 8)}
    assert bias.decode_dealt(parts, 5).tolist() == (narrow << 20).tolist()
    parts[1].words[1] = 7
    with pytest.raises(ValueError, match=r"biases behind the last row must be 0, not \[1792\]"):
        bias.decode_dealt(parts, 5)


def test_sections_that_do_not_belong_together(rng):
    network = one_layer(rng, 5, 5, per_row=True)
    image = parse(pack(network, TWO))
    entries = image.basis.copy()
    entries[-1] = 1
    with pytest.raises(ImageError, match="the basis of rows that are only padding must be 0"):
        unpack(replace(image, basis=entries))
    shared = parse(pack(one_layer(rng, 5, 5), TWO))
    entries = shared.basis.copy()
    entries[-1] += 1
    with pytest.raises(ImageError, match="that rows share must be the same in all cores"):
        unpack(replace(shared, basis=entries))
    with pytest.raises(ImageError, match="1 words of biases behind the last layer"):
        unpack(replace(image, bias=np.append(image.bias, [0, 0]).astype("<u4")))


def test_a_core_with_fewer_records(rng, monkeypatch):
    """As no builder of ours writes it: one bias in the wrong core's section."""
    image = parse(pack(one_layer(rng, 5, 8, per_row=True), TWO))
    count = len(image.bias)
    split = np.split

    def uneven(array, sections):
        return split(array, [count // 2 + 1] if array is image.bias else sections)

    monkeypatch.setattr("fantastic4.image.np.split", uneven)
    raw = build(image)
    message = f"net: section BIAS 1 must have {count // 2 + 1} records as that of core 0"
    with pytest.raises(ImageError, match=message):
        parse(raw, "net")
    assert Section.BIAS.name in message


def test_results_leave_one_a_clock(rng):
    """Two cores give two results a clock: what is left of them adds to the latency alone."""
    four = one_layer(rng, 4, 12)
    one = timing(parse(pack(four, replace(TINY, engines=4))), replace(TINY, engines=4))
    two = timing(parse(pack(four, TWO)), TWO)
    assert two.beats == one.beats == 3
    assert two.cycles < one.cycles
    # Groups of one chunk and two rows of each core: 2 + 2 clocks, then the last two rows.
    assert two.cycles == one.cycles - 2 * 2 - 2
    # Two results a clock from the first retired row on, 12 in all; two stages more to the port.
    first = two.cycles - 5
    queue = RETIRE_TO_RESULT - ARG_MAX - 1
    assert two.latency == 4 + START + first + queue + 12 + SERIAL


def test_an_inference_waits_for_the_results_before_it(rng):
    network = one_layer(rng, 4, 60)
    found = timing(parse(pack(network, TWO)), TWO)
    assert found.following > found.cycles
    assert found.interval >= 60
    assert (
        timing(parse(pack(network, TINY)), TINY).following
        == timing(parse(pack(network, TINY)), TINY).cycles
    )


def test_the_paper_takes_a_layer_at_full_rate(rng):
    """512 columns: four beats a row group of 64 rows, and no clock without one."""
    one, four = (timing(parse(pack(one_layer(rng, 512, n * 64), PAPER)), PAPER) for n in (1, 4))
    assert (one.beats, four.beats) == (4, 16)
    assert four.cycles - one.cycles == 12
    assert one.stalls == four.stalls == 0
    assert 2 * 512 * 256 / four.beats == 16384


def test_slow_inputs_give_results_time_to_leave(rng):
    """120 transfers an input: by then the eight results of the inference before have left."""
    cfg = replace(TINY, lanes=8, engines=1, cores=8, bank_lanes=8)
    network = one_layer(rng, 120, 8)
    found = timing(parse(pack(network, cfg, Format.DENSE)), cfg)
    assert found.following == found.cycles
    quick = replace(cfg, input_width=8)
    assert timing(parse(pack(network, quick, Format.DENSE)), quick).following > found.cycles


def test_capacity_is_that_of_each_core(rng):
    layer = replace(random_layer(rng, 5, 9, per_row=True), bias=np.arange(9) + (1 << 20))
    network = Network((layer,), QUANT)
    exact = replace(TWO, row_depth=5, basis_depth=5)
    assert len(read_image(pack(network, exact), exact).bias) == 10
    for field, name in (("row_depth", "bias words"), ("basis_depth", "basis entries")):
        with pytest.raises(PackError, match=f"config two holds 4 {name}, the network needs 5"):
            pack(network, replace(exact, **{field: 4}))
