# SPDX-License-Identifier: Apache-2.0
"""The image: the bytes a core loads, written and read back.

An image is a sequence of 32-bit little-endian words: header, sections, checksum. ``docs/
image-format.md`` describes it with an example. ``parse`` refuses everything the hardware refuses,
with the reason in words.
"""

import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fantastic4.config import CoreConfig
from fantastic4.errors import ImageError
from fantastic4.layout import (
    BASIS_WORDS,
    CODES,
    GEOMETRY,
    HEADER_WORDS,
    LAYER,
    LAYER_WORDS,
    MAGIC,
    NEEDS,
    SECTION,
    VERSION,
    Section,
)


@dataclass(frozen=True)
class Image:
    """What an image says, section by section.

    Parameters
    ----------
    geometry : dict
        Fields of ``layout.GEOMETRY``.
    needs : dict
        Fields of ``layout.NEEDS``.
    layers : list of dict
        Fields of ``layout.LAYER``.
    basis : numpy.ndarray
        int16, shape ``(cores * entries, 4)``: core after core, in the order its multipliers use
        them. All cores have equally many.
    bias : numpy.ndarray
        uint32 words of all layers, as ``fantastic4.bias`` stores them: core after core, equally
        many.
    weights : list of numpy.ndarray
        Words of each bank, uint32 ``(words,)``; bank ``b`` of engine ``e`` is number
        ``e * banks + b``, engines of all cores counted as rows are dealt to them. Empty if the
        core takes its weights from outside.
    meta : dict
        Plain JSON for the host; the hardware passes over it.
    """

    geometry: dict[str, int]
    needs: dict[str, int]
    layers: list[dict[str, int]]
    basis: np.ndarray
    bias: np.ndarray
    weights: list[np.ndarray]
    meta: dict[str, Any] = field(default_factory=dict)


def geometry_of(cfg: CoreConfig) -> dict[str, int]:
    """Return the geometry fields of images for ``cfg``."""
    return {
        "lanes": cfg.lanes,
        "engines": cfg.engines,
        "cores_log2": cfg.cores.bit_length() - 1,
        "bank_lanes": cfg.bank_lanes,
        "external": int(cfg.external_weights),
        "codes": CODES[cfg.masks, cfg.name_width],
        "spare": 0,
    }


def banks_of(geometry: dict[str, int]) -> int:
    """Return how many WEIGHTS sections an image of a geometry has."""
    if geometry["external"]:
        return 0
    return cores_of(geometry) * geometry["engines"] * geometry["lanes"] // geometry["bank_lanes"]


def cores_of(geometry: dict[str, int]) -> int:
    """Return the cores of a geometry, each with a BASIS and a BIAS section of its own."""
    return 1 << geometry["cores_log2"]


def readable(geometry: dict[str, int]) -> dict[str, int]:
    """Return a geometry as people know it: with ``cores`` instead of their logarithm."""
    shown = {"cores" if name == "cores_log2" else name: n for name, n in geometry.items()}
    return shown | {"cores": cores_of(geometry)}


def build(image: Image) -> bytes:
    """Return ``image`` as bytes, checksum included."""
    parts: list[np.ndarray] = []

    def section(kind: Section, words: np.ndarray, index: int = 0, record: int = 1) -> None:
        count = words.size // record
        parts.append(np.array([SECTION.pack(kind=kind, index=index, count=count)], "<u4"))
        parts.append(words.astype("<u4").ravel())

    layers = b"".join(LAYER.pack(**x).to_bytes(4 * LAYER_WORDS, "little") for x in image.layers)
    section(Section.LAYERS, np.frombuffer(layers, "<u4"), record=LAYER_WORDS)
    basis = np.ascontiguousarray(image.basis, "<i2").view("<u4")
    cores = cores_of(image.geometry)
    for index, part in enumerate(np.split(basis, cores)):
        section(Section.BASIS, part, index=index, record=BASIS_WORDS)
    for index, part in enumerate(np.split(image.bias, cores)):
        section(Section.BIAS, part, index=index)
    for index, bank in enumerate(image.weights):
        section(Section.WEIGHTS, bank, index=index)
    if image.meta:
        text = json.dumps(image.meta, separators=(",", ":"), sort_keys=True).encode()
        text += b" " * (-len(text) % 4)
        section(Section.META, np.frombuffer(text, "<u4"))
    section(Section.END, np.empty(0, "<u4"))

    body = np.concatenate(parts)
    header = np.array(
        [
            MAGIC,
            VERSION,
            GEOMETRY.pack(**image.geometry),
            HEADER_WORDS + len(body) + 1,
            NEEDS.pack(**image.needs),
        ],
        "<u4",
    )
    raw = header.tobytes() + body.tobytes()
    return raw + zlib.crc32(raw).to_bytes(4, "little")


def parse(raw: bytes, source: str = "image") -> Image:
    """Return what the bytes of an image say.

    Raises
    ------
    ImageError
        If magic, version, length, checksum or a section is wrong; the message names ``source``.
    """

    def refuse(what: str) -> ImageError:
        return ImageError(f"{source}: {what}")

    if len(raw) < 4 or int.from_bytes(raw[:4], "little") != MAGIC:
        raise refuse(f"not a FantastIC4 image (it starts with {raw[:4]!r}, not b'F4IC')")
    if len(raw) % 4 or len(raw) < 4 * (HEADER_WORDS + 2):
        raise refuse(f"truncated: {len(raw)} bytes")
    words = np.frombuffer(raw, "<u4")
    _, version, geometry, length, needs = (int(word) for word in words[:HEADER_WORDS])
    if version != VERSION:
        raise refuse(f"image format version {version}; this release reads {VERSION}. Pack it again")
    if length != len(words):
        raise refuse(f"the header promises {4 * length} bytes, the image has {len(raw)}")
    found, stated = zlib.crc32(raw[:-4]), int(words[-1])
    if found != stated:
        raise refuse(f"checksum is 0x{found:08x}, the image states 0x{stated:08x}: it is damaged")

    shape = GEOMETRY.unpack(geometry)
    if not all(shape[name] for name in ("lanes", "engines", "bank_lanes")):
        raise refuse(f"no core has the geometry {shape}")
    sections = _sections(words, shape, refuse)
    meta = sections.get((Section.META, 0))
    try:
        content = {} if meta is None else json.loads(meta.tobytes())
    except ValueError:
        raise refuse("the META section is not JSON") from None
    if not isinstance(content, dict):
        raise refuse("the META section must be a JSON object")

    def of_all_cores(kind: Section) -> np.ndarray:
        parts = [sections[kind, core] for core in range(cores_of(shape))]
        for core, part in enumerate(parts):
            if len(part) != len(parts[0]):
                raise refuse(
                    f"section {kind.name} {core} must have {len(parts[0])} records as that of "
                    f"core 0, not {len(part)}"
                )
        return np.concatenate(parts)

    layers = sections[Section.LAYERS, 0]
    return Image(
        geometry=shape,
        needs=NEEDS.unpack(needs),
        layers=[LAYER.unpack(int.from_bytes(x.tobytes(), "little")) for x in layers],
        basis=of_all_cores(Section.BASIS).view("<i2"),
        bias=of_all_cores(Section.BIAS).ravel(),
        weights=[sections[Section.WEIGHTS, b].ravel() for b in range(banks_of(shape))],
        meta=content,
    )


def _sections(
    words: np.ndarray, shape: dict[str, int], refuse: Callable[[str], ImageError]
) -> dict[tuple[int, int], np.ndarray]:
    """Return the records of each section, by kind and index."""
    record = {
        Section.LAYERS: LAYER_WORDS,
        Section.BASIS: BASIS_WORDS,
        Section.BIAS: 1,
        Section.WEIGHTS: 1,
        Section.META: 1,
    }
    due = [(Section.LAYERS, 0)]
    due += [
        (kind, core) for kind in (Section.BASIS, Section.BIAS) for core in range(cores_of(shape))
    ]
    due += [(Section.WEIGHTS, bank) for bank in range(banks_of(shape))]
    found: dict[tuple[int, int], np.ndarray] = {}
    at, end = HEADER_WORDS, len(words) - 1
    while at < end:
        kind, index, count = SECTION.unpack(int(words[at])).values()
        if kind != Section.END and kind not in record:
            raise refuse(f"section kind {kind} at word {at} is unknown")
        what = f"section {Section(kind).name} {index} at word {at}"
        if due and (kind, index) != due[0]:
            raise refuse(f"{what} must be {due[0][0].name} {due[0][1]}")
        if not due and kind not in (Section.META, Section.END):
            raise refuse(f"{what} must be META or END")
        if (count == 0) != (kind == Section.END):
            raise refuse(f"{what} must not have {count} records")
        at += 1
        if kind == Section.END:
            if at != end:
                raise refuse(f"{end - at} words lie between the END section and the checksum")
            return found
        size = record[Section(kind)] * count
        if at + size > end:
            raise refuse(f"{what} runs past the end")
        found[Section(kind), index] = words[at : at + size].reshape(-1, record[Section(kind)])
        due = due[1:]
        at += size
    raise refuse("there is no END section")
