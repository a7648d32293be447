# SPDX-License-Identifier: Apache-2.0
import zlib
from dataclasses import replace

import numpy as np
import pytest

from fantastic4.config import TINY
from fantastic4.errors import ImageError
from fantastic4.image import build, parse
from fantastic4.layout import HEADER_WORDS, LAYER, LAYER_WORDS, SECTION, Format, Section
from fantastic4.network import InputQuant, IntegerLayer, Network
from fantastic4.pack import pack, read_image, unpack
from fantastic4.randomnet import random_network


@pytest.fixture
def raw():
    return pack(random_network(np.random.default_rng(1), [6, 5, 3]), TINY, Format.DENSE)


def words_of(raw):
    return np.frombuffer(raw, "<u4").copy()


def sealed(words):
    """Return an image of these words, its length and checksum made right."""
    words = np.array(words, "<u4")
    words[3] = len(words)
    body = words[:-1].tobytes()
    return body + zlib.crc32(body).to_bytes(4, "little")


def places(words):
    """Position of each section word, by kind and index."""
    size = {Section.LAYERS: LAYER_WORDS, Section.BASIS: 2, Section.BIAS: 1, Section.WEIGHTS: 1}
    found, at = {}, HEADER_WORDS
    while True:
        head = SECTION.unpack(int(words[at]))
        found[head["kind"], head["index"]] = at
        if head["kind"] == Section.END:
            return found
        at += 1 + size.get(Section(head["kind"]), 1) * head["count"]


def with_head(words, at, **fields):
    words = words.copy()
    words[at] = SECTION.pack(**(SECTION.unpack(int(words[at])) | fields))
    return words


def refused(raw, message):
    with pytest.raises(ImageError, match=message):
        parse(raw, "net.f4i")


def test_round_trip(raw):
    image = parse(raw)
    assert build(image) == raw
    assert parse(build(replace(image, meta={}))).meta == {}
    assert image.meta["config"] == "tiny"


def test_frozen_bytes():
    """A change of these bytes is a change of the format: raise ``layout.VERSION``."""
    layer = IntegerLayer(
        "a",
        np.array([[[1, 2, 3], [15, 0, 7]]], np.uint8),
        np.array([[[1, 2, 4, -8]]], np.int32),
        np.array([5, -6]),
        shift=1,
    )
    network = Network((layer,), InputQuant(np.ones(1), np.zeros(1)))
    frozen = [
        *("46344943", "01000000", "04200004", "17000000", "01000000"),
        *("01000100", "03200044", "000400ff", "00000004", "00000000", "00000000", "00000002"),
        *("02000100", "01000200", "0400f8ff"),
        *("03000100", "0500faff"),
        *("04000100", "21030000"),
        *("14000100", "0f070000"),
        *("00000000", "14ea5e0e"),
    ]
    image = replace(parse(pack(network, TINY, Format.DENSE)), meta={})
    assert build(image).hex(" ", 4).split() == frozen


def test_not_an_image(raw):
    refused(b"", r"net.f4i: not a FantastIC4 image \(it starts with b'', not b'F4IC'\)")
    refused(b"F5IC" + raw[4:], "not a FantastIC4 image .*b'F5IC'")
    refused(b"F4I", "not a FantastIC4 image")


def test_version(raw):
    words = words_of(raw)
    words[1] = 2
    refused(sealed(words), "image format version 2; this release reads 1. Pack it again")


def test_every_truncation(raw):
    for size in range(len(raw)):
        message = "not a FantastIC4 image" if size < 4 else "truncated|the header promises"
        refused(raw[:size], message)
    refused(raw[:10], "truncated: 10 bytes")
    refused(raw[:-4], f"the header promises {len(raw)} bytes, the image has {len(raw) - 4}")


def test_too_long(raw):
    refused(raw + b"\0\0\0\0", f"promises {len(raw)} bytes, the image has {len(raw) + 4}")


def test_every_word_is_under_the_checksum(raw):
    words = words_of(raw)
    for at in range(4, len(words)):
        flipped = words.copy()
        flipped[at] ^= np.uint32(1 << (at % 32))
        refused(
            flipped.tobytes(), "checksum is 0x[0-9a-f]{8}, the image states 0x.*: it is damaged"
        )


def test_geometry_of_no_core(raw):
    for value in (0, 1 << 12 | 1, 4):
        words = words_of(raw)
        words[2] = value
        refused(sealed(words), "no core has the geometry")


def test_sections(raw):
    words = words_of(raw)
    at = places(words)
    layers, basis, bias = (at[kind, 0] for kind in (Section.LAYERS, Section.BASIS, Section.BIAS))
    first, second = (at[Section.WEIGHTS, engine] for engine in (0, 1))
    meta, end = at[Section.META, 0], at[Section.END, 0]
    cases = [
        (with_head(words, basis, kind=9), f"section kind 9 at word {basis} is unknown"),
        (with_head(words, basis, kind=3), f"section BIAS 0 at word {basis} must be BASIS 0"),
        (with_head(words, layers, index=1), f"LAYERS 1 at word {layers} must be LAYERS 0"),
        (with_head(words, first, index=1), f"WEIGHTS 1 at word {first} must be WEIGHTS 0"),
        (with_head(words, second, kind=0, count=0), f"END 1 at word {second} must be WEIGHTS 1"),
        (with_head(words, meta, kind=3), f"BIAS 0 at word {meta} must be META or END"),
        (with_head(words, bias, count=0), f"BIAS 0 at word {bias} must not have 0 records"),
        (with_head(words, end, count=3), f"END 0 at word {end} must not have 3 records"),
        (with_head(words, second, count=50000), f"WEIGHTS 1 at word {second} runs past the end"),
        (np.delete(words, end), "there is no END section"),
        (np.insert(words, end + 1, [0, 0]), "2 words lie between the END section and the checksum"),
        (np.delete(words, range(second, meta)), f"META 0 at word {second} must be WEIGHTS 1"),
    ]
    for bad, message in cases:
        refused(sealed(bad), message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"{'a'}   ", "is not JSON"),
        (b"\xff\xff\xff\xff", "is not JSON"),
        (b"[1] ", "must be a JSON object"),
    ],
)
def test_meta(raw, text, message):
    words = words_of(raw)
    at = places(words)
    meta, end = at[Section.META, 0], at[Section.END, 0]
    bad = with_head(words, meta, count=len(text) // 4)
    bad = [*bad[: meta + 1], *np.frombuffer(text, "<u4"), *words[end:]]
    refused(sealed(bad), f"the META section {message}")


def change_record(words, index, **fields):
    at = places(words)[Section.LAYERS, 0] + 1 + LAYER_WORDS * index
    end = at + LAYER_WORDS
    record = LAYER.unpack(int.from_bytes(words[at:end].tobytes(), "little")) | fields
    words = words.copy()
    words[at:end] = np.frombuffer(LAYER.pack(**record).to_bytes(4 * LAYER_WORDS, "little"), "<u4")
    return words


@pytest.mark.parametrize(
    ("index", "fields", "message"),
    [
        (0, {"format": 15}, "at layer 0: 15 is not a valid Format"),
        (0, {"in_features": 9}, "at layer 0: in_chunks must be 3, not 2"),
        (1, {"out_features": 100}, "at layer 1: beats must be 100, not 4"),
        (1, {"beats": 5}, "at layer 1: beats must be 4, not 5"),
        (1, {"out_features": 0}, "at layer 1"),
        (0, {"planes": 0}, "at layer 0"),
        (1, {"planes": 5}, "at layer 1"),
        (1, {"shift": 36}, r"at layer 1: .*shift must be 0\.\.35, not 36"),
        (0, {"low": 2, "high": 1}, r"at layer 0: .*clamp must be within 0\.\.255"),
        (1, {"basis_base": 5000}, "at layer 1"),
        (0, {"logits": 1}, "emits logits but is not the last"),
        (1, {"in_features": 8}, "must take the 5 outputs of 'layer0', not 8 inputs"),
    ],
)
def test_a_layer_table_that_contradicts_the_rest(raw, index, fields, message):
    bad = sealed(change_record(words_of(raw), index, **fields))
    with pytest.raises(
        ImageError, match=f"net: the sections do not fit the layer table .*{message}"
    ):
        unpack(parse(bad), "net")


def test_a_sealed_change_of_any_word_is_an_image_or_an_image_error(raw, rng):
    """Nothing but ``ImageError`` comes out of an image that lies under a right checksum."""
    words = words_of(raw)
    outcomes = set()
    for _ in range(600):
        bad = words.copy()
        at = int(rng.integers(1, len(words) - 1))
        bad[at] = rng.choice([0, 0xFFFFFFFF, int(bad[at]) ^ 1 << int(rng.integers(32))])
        try:
            unpack(read_image(sealed(bad), TINY))
            outcomes.add("network")
        except ImageError:
            outcomes.add("refused")
    assert outcomes == {"network", "refused"}
