# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

import numpy as np
import pytest

from fantastic4 import golden
from fantastic4.config import ALL_FORMATS, BASE, SMALL, TINY
from fantastic4.cost import storage
from fantastic4.errors import ImageError, PackError
from fantastic4.image import build, parse
from fantastic4.layout import LAYER, Format
from fantastic4.network import InputQuant, IntegerLayer, Network
from fantastic4.pack import (
    basis_entries,
    check_range,
    encode_layers,
    pack,
    params_of,
    read_image,
    unpack,
)
from fantastic4.randomnet import random_layer, random_network

QUANT = InputQuant(np.ones(1), np.zeros(1))


@pytest.mark.parametrize("cfg", [TINY, SMALL, BASE], ids=lambda cfg: cfg.name)
@pytest.mark.parametrize("widths", [[1, 1], [5, 3], [17, 9, 4], [100, 33, 7, 2]])
@pytest.mark.parametrize("extreme", [False, True])
def test_unpack_gives_back_the_network(rng, cfg, widths, extreme):
    network = random_network(rng, widths, extreme=extreme)
    back = unpack(parse(pack(network, cfg)))
    for before, after in zip(network.layers, back.layers, strict=True):
        assert np.array_equal(before.codes, after.codes)
        assert np.array_equal(before.bias, after.bias)
        assert np.array_equal(before.values(), after.values())
        assert (before.shift, before.low, before.high) == (after.shift, after.low, after.high)
        assert (before.name, before.logits) == (after.name, after.logits)
    x = rng.integers(0, 256, (9, widths[0]), np.uint8)
    assert np.array_equal(golden.predict(network, x).outputs, golden.predict(back, x).outputs)
    assert pack(back, cfg) == pack(network, cfg)


def test_what_is_for_the_host_comes_back(rng):
    quant = InputQuant(gain=np.array([0.1, 3e300, -2.0]), offset=np.array([1 / 3]))
    layers = random_network(rng, [3, 2]).layers
    network = Network(layers, quant, classes=("ä", "b"), metadata={"seed": 3, "deep": [1, {}]})
    back = unpack(parse(pack(network, TINY)))
    assert back.quant.gain.tolist() == quant.gain.tolist()
    assert back.quant.offset.tolist() == quant.offset.tolist()
    assert (back.classes, back.metadata) == (network.classes, network.metadata)
    bare = unpack(replace(parse(pack(network, TINY)), meta={}))
    assert bare.layers[0].name == "layer0"
    assert bare.quant(np.array([[0.0, 7.0, 300.0]])).tolist() == [[0, 7, 255]]


def test_order_of_a_basis_per_row(rng):
    """Row group, plane, tile, row; here 2 engines, 3 rows, 2 planes of 2 tiles."""
    layer = random_layer(rng, 513, 3, planes=2, per_row=True)
    order = [(0, 0), (1, 0), (0, 0), (1, 0), (0, 1), (1, 1), (0, 1), (1, 1)]
    order += [(2, 0), (2, 0), (2, 1), (2, 1)]
    expected = [layer.basis[row, plane].tolist() for row, plane in order]
    assert basis_entries(layer, TINY).tolist() == expected
    shared = random_layer(rng, 513, 3, planes=2)
    expected = [shared.basis[0, plane].tolist() for plane in (0, 0, 1, 1)]
    assert basis_entries(shared, TINY).tolist() == expected


def edge_layer(sign, excess, **other):
    """Row 1 of 2 reaches ``2**35 - 1`` (or ``-2**35``), and ``excess`` more; row 0 nothing.

    1028 full columns of 4 * 32767 (or -32768) * 255 leave a rest that fits the bias.
    """
    limit = (1 << 35) - 1 if sign > 0 else -(1 << 35)
    coefficient = 32767 if sign > 0 else -32768
    columns = abs(limit) // (4 * 255 * abs(coefficient))
    codes = np.zeros((1, 2, columns), np.uint8)
    codes[0, 1] = 15
    rest = limit - columns * 4 * 255 * coefficient
    bias = np.array([0, rest + sign * excess])
    basis = np.full((1, 1, 4), coefficient, np.int32)
    return IntegerLayer("wide", codes, basis, bias, shift=27, **other)


@pytest.mark.parametrize("sign", [1, -1])
def test_accumulator_up_to_its_last_value(sign):
    first = IntegerLayer(
        "in",
        np.zeros((1, edge_layer(sign, 0).in_features, 1), np.uint8),
        np.zeros((1, 1, 4), np.int32),
        np.zeros(edge_layer(sign, 0).in_features, np.int64),
    )
    check_range(Network((first, edge_layer(sign, 0)), QUANT), TINY)
    with pytest.raises(PackError) as error:
        check_range(Network((first, edge_layer(sign, 1)), QUANT), TINY)
    reached = (1 << 35) if sign > 0 else -(1 << 35) - 1
    assert "layer 1 ('wide'), row 1: the accumulator may reach " in str(error.value)
    assert str(reached) in str(error.value)
    assert "which 36 signed bits do not hold (1 such rows). Lower the layer" in str(error.value)
    # What the layer before can give is what counts.
    check_range(Network((replace(first, high=254), edge_layer(sign, 1)), QUANT), TINY)
    x = np.full((1, edge_layer(sign, 0).in_features), 255, np.uint8)
    z = golden.run_layer(replace(edge_layer(sign, 0), logits=True), x)
    assert z[0, 1] == ((1 << 35) - 1 if sign > 0 else -(1 << 35))


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("row", [0, 2])
def test_logits_up_to_their_last_value(sign, row):
    def layer(excess, logits):
        """One row of 64 full columns of 32767 and a bias that reaches the end of 32 bits."""
        limit = (1 << 31) - 1 if sign > 0 else -(1 << 31)
        codes = np.zeros((1, 3, 64), np.uint8)
        codes[0, row] = 1
        bias = np.zeros(3, np.int64)
        bias[row] = limit + sign * excess - sign * 64 * 255 * 32767
        basis = np.array([[[sign * 32767, 0, 0, 0]]], np.int32)
        return IntegerLayer("out", codes, basis, bias, logits=logits)

    check_range(Network((layer(0, True),), QUANT), TINY)
    check_range(Network((layer(1, False),), QUANT), TINY)
    message = rf"layer 0 \('out'\), row {row}: the logit may reach .*, which 32 signed bits do not"
    with pytest.raises(PackError, match=message):
        pack(Network((layer(1, True),), QUANT), TINY)


def test_capacity_of_each_memory(rng):
    """A core that holds exactly what is needed takes the network; one place less is named."""
    layers = [random_layer(rng, 21, 9, per_row=True, name="a"), random_layer(rng, 9, 5, name="b")]
    layers[0] = replace(layers[0], bias=np.arange(9) + (1 << 20))
    layers[1] = replace(layers[1], bias=np.arange(5))
    network = Network(tuple(layers), QUANT)
    exact = replace(
        TINY,
        weight_depth=5 * 6 + 3 * 3,
        row_depth=9 + 3,
        basis_depth=10,
        input_chunks=6,
        hidden_chunks=3,
        max_layers=2,
        formats=("dense",),
    )
    raw = pack(network, exact)
    names = {
        "weight_depth": "weight words a bank",
        "row_depth": "bias words",
        "basis_depth": "basis entries",
        "input_chunks": "input chunks",
        "hidden_chunks": "hidden chunks",
        "max_layers": "layers",
    }
    for field, name in names.items():
        have = getattr(exact, field)
        small = replace(exact, **{field: have - 1})
        message = f"config tiny holds {have - 1} {name}, the network needs {have}: take a larger"
        with pytest.raises(PackError, match=message):
            pack(network, small)
        with pytest.raises(ImageError, match=f"net.f4i: {message}"):
            read_image(raw, small, "net.f4i")


def test_image_for_another_core(rng):
    raw = pack(random_network(rng, [4, 2]), TINY)
    assert read_image(raw).geometry["lanes"] == 4
    with pytest.raises(
        ImageError,
        match=r"net.f4i: packed for a core of lanes 4, engines 2, cores 1, bank_lanes 4, external "
        r"0, codes 0, spare 0; config base has lanes 64, engines 4, cores 1, bank_lanes 8, "
        r"external 0, codes 0, "
        r"spare 0. Pack it again with --config base",
    ):
        read_image(raw, BASE, "net.f4i")


def test_image_in_a_format_the_core_lacks(rng):
    network = random_network(rng, [4, 2], density=0.1)
    raw = pack(network, TINY, Format.CSR)
    with pytest.raises(
        ImageError,
        match=r"net\.f4i: layer 0 is stored as csr; config tiny decodes dense, bitmask\. Pack it",
    ):
        read_image(raw, replace(TINY, formats=("dense", "bitmask")), "net.f4i")


@pytest.mark.parametrize("cfg", [TINY, SMALL, BASE], ids=lambda cfg: cfg.name)
@pytest.mark.parametrize("kind", list(Format), ids=lambda kind: kind.name)
def test_a_forced_format_holds_every_layer(rng, cfg, kind):
    cfg = replace(cfg, formats=ALL_FORMATS)
    names = {Format.TERNARY: (3, 1), Format.TERNARY5: (2, 1)}.get(kind, (15, 1, 6))
    network = random_network(rng, [100, 33, 7, 2], names=names)
    image = parse(pack(network, cfg, kind))
    assert {record["format"] for record in image.layers} == {kind}
    for before, after in zip(network.layers, unpack(image).layers, strict=True):
        assert np.array_equal(before.codes, after.codes)
    choices, words = encode_layers(network, cfg, kind)
    assert [params_of(record).width for record in image.layers] == [x.params.width for x in choices]
    assert [params_of(record).palette for record in image.layers] == [
        x.params.palette for x in choices
    ]
    assert all(np.array_equal(a, b) for a, b in zip(words, image.weights, strict=True))
    assert sum(x.words for x in choices) == sum(map(len, words))


def test_a_bank_without_a_code_of_its_own(rng):
    """All of a layer's codes lie in one bank; in the others there is nothing to name."""
    codes = np.zeros((1, 4, 16), np.uint8)
    codes[0, 0, :8] = np.arange(1, 9)
    layer = IntegerLayer("a", codes, np.ones((1, 1, 4), np.int32), np.zeros(4, np.int64))
    for kind in (Format.BITMASK, Format.CSR):
        back = unpack(parse(pack(Network((layer,), QUANT), SMALL, kind)))
        assert np.array_equal(back.layers[0].codes, codes)


def test_weights_that_are_not_in_the_image(rng):
    cfg = replace(SMALL, external_weights=True)
    network = random_network(rng, [30, 9, 3], density=[0.1, 0.7], names=(3, 15))
    image = parse(pack(network, cfg))
    choices, words = encode_layers(network, cfg)
    assert image.weights == []
    assert len(words) == cfg.engines * cfg.banks
    assert [record["format"] for record in image.layers] == [x.format for x in choices]
    back = unpack(image, weights=words)
    for before, after in zip(network.layers, back.layers, strict=True):
        assert np.array_equal(before.codes, after.codes)
    with pytest.raises(ImageError, match=r"packed for a core of lanes 16, .* external 1"):
        read_image(pack(network, cfg), SMALL)
    # Whatever a bank would need, streams have it.
    pack(network, replace(cfg, weight_depth=2))


def broken(image, bank, change):
    weights = [words.copy() for words in image.weights]
    weights[bank] = change(weights[bank])
    return parse(build(replace(image, weights=weights)))


@pytest.mark.parametrize("kind", list(Format), ids=lambda kind: kind.name)
def test_where_weight_words_break_a_rule(rng, kind):
    """The message names file, layer, row of the network, word and bank."""
    cfg = replace(TINY, weight_depth=4096)
    names = {Format.TERNARY: 3, Format.TERNARY5: 2}.get(kind, 5)
    network = random_network(rng, [40, 10, 6], density=0.5, names=(names,))
    image = parse(pack(network, cfg, kind))
    bank = 1
    length = len(image.weights[bank])
    truncated = broken(image, bank, lambda words: words[:-1])
    message = rf"net: the sections .* at layer 1: row 5, word {length - 1} of bank 1: "
    with pytest.raises(ImageError, match=message):
        unpack(truncated, "net")
    extra = broken(image, bank, lambda words: np.append(words, np.uint32(0)))
    with pytest.raises(ImageError, match=r"at layer 2: bank 1: 1 words behind the last layer"):
        unpack(extra, "net")


PALETTE = sum(code << 4 * name for name, code in enumerate([1, 2, 3, 0] * 4))


@pytest.mark.parametrize(
    ("kind", "fields", "words", "message"),
    [
        # Two layers' worth of rules, each broken in the first word of bank 1, row 1.
        (Format.TERNARY5, {}, [0xC3C3], "row 1, word 0 of bank 1: byte 0xc3 stands for nothing"),
        (
            Format.BITMASK,
            {"width": 2, "palette": PALETTE},
            [0x0001, 0x0011],
            "row 1, word 1 of bank 1: name 3 is outside the palette of 3",
        ),
        (
            Format.CSR,
            {"width": 2, "gap": 3, "palette": PALETTE},
            [0b001_001_010_010_010],
            "row 1, word 0 of bank 1: a name is outside the palette",
        ),
        (
            Format.CSR,
            {"width": 2, "gap": 3, "palette": PALETTE},
            [0b000_000_001_001_000],
            "row 1, word 0 of bank 1: a code stands behind the last position",
        ),
        (Format.TERNARY, {}, [0x0100], "row 1, word 0 of bank 1: padding is not zero"),
    ],
)
def test_rules_of_formats_in_an_image(kind, fields, words, message):
    layer = IntegerLayer(
        "a", np.zeros((1, 2, 4), np.uint8), np.ones((1, 1, 4), np.int32), np.zeros(2, np.int64)
    )
    image = parse(pack(Network((layer,), QUANT), TINY, kind))
    record = image.layers[0] | fields
    good = image.weights[0]
    if kind == Format.CSR:
        good = np.array([0b001_001_001], np.uint32)  # one escape of 7 zeros
    bad = replace(image, layers=[record], weights=[good, np.array(words, np.uint32)])
    with pytest.raises(ImageError, match=message):
        unpack(parse(build(bad)))


def test_beats_that_do_not_fit_the_record(rng):
    image = parse(pack(random_network(rng, [9, 4]), TINY))
    record = image.layers[0] | {"beats": 7}
    with pytest.raises(ImageError, match="at layer 0: beats must be 6, not 7"):
        unpack(parse(build(replace(image, layers=[record]))))


def with_biases(rng, *biases):
    """A chain of layers with these biases."""
    layers, columns = [], 4
    for index, bias in enumerate(biases):
        layer = random_layer(rng, columns, len(bias), name=f"layer{index}")
        layers.append(replace(layer, bias=np.array(bias, np.int64)))
        columns = len(bias)
    return Network(tuple(layers), QUANT)


def test_biases_narrow_and_wide(rng):
    """Each layer begins with a word of its own; both kinds, odd and even, come back."""
    network = with_biases(rng, [7, -1, 5], [1 << 20, -3], [-(1 << 29), 1 << 15], [1 << 16], [9])
    image = parse(pack(network, TINY))
    kinds = [(record["bias_narrow"], record["bias_shift"]) for record in image.layers]
    assert kinds == [(1, 0), (0, 0), (1, 14), (1, 2), (1, 0)]
    words = [0xFFFF0007, 5, 1 << 20, 0xFFFFFFFD, 0x00028000, 1 << 14, 9]
    assert image.bias.tolist() == words
    back = unpack(image)
    for before, after in zip(network.layers, back.layers, strict=True):
        assert before.bias.tolist() == after.bias.tolist()
        assert after.bias.dtype == np.int64
    assert [layer.stored_bits for layer in storage(image)] == [
        bits.weight_bits + 64 * len(basis_entries(layer, TINY)) + 32 * count + LAYER.width
        for bits, layer, count in zip(storage(image), network.layers, [2, 2, 1, 1, 1], strict=True)
    ]


@pytest.mark.parametrize(
    ("fields", "words", "message"),
    [
        ({}, [5, 6, 7, 1 << 31], "at layer 1: the upper half of the last bias word must be 0, not"),
        ({"bias_narrow": 0}, [5, 6, 7, 8], "at layer 1: 3 biases must take 3 words, not 2"),
        ({"bias_narrow": 0, "bias_shift": 2}, [5, 6, 7, 8, 9], "at layer 1: bias_shift must be 0"),
        ({}, [5, 6, 7], "at layer 1: 3 biases must take 2 words, not 1"),
        ({}, [5, 6, 7, 8, 9], "at layer 2: 1 words of biases behind the last layer"),
    ],
)
def test_damaged_biases(rng, fields, words, message):
    image = parse(pack(with_biases(rng, [1 << 20, 3], [1, 2, 3]), TINY))
    layers = [image.layers[0], image.layers[1] | fields]
    damaged = replace(image, layers=layers, bias=np.array(words, np.uint32))
    with pytest.raises(ImageError, match=message):
        unpack(parse(build(damaged)))


def test_layers_that_need_more_masks_are_refused(rng):
    """With what to do; two values of any codes do not."""
    half = replace(TINY, masks=2, name_width=1)
    for names in (1, 2, 3):  # code 3 is both masks
        pack(random_network(rng, [9, 5, 3], names=(names,)), half)
    network = random_network(rng, [40, 9, 3], density=0.9, names=(3, 5))
    with pytest.raises(PackError, match=r"'layer1' has 5 non-zero.*--values 2, or take a config"):
        pack(network, half)


def test_wider_names_than_the_core_decodes(rng):
    few = replace(TINY, name_width=2, formats=("bitmask",))
    network = random_network(rng, [40, 9, 3], density=0.9, names=(4, 5))
    with pytest.raises(PackError, match=r"'layer1'.*names of at most 2 bits.*wider names"):
        pack(network, few)
    image = parse(pack(network, replace(few, formats=("dense", "bitmask"))))
    assert [record["format"] for record in image.layers] == [Format.BITMASK, Format.DENSE]
