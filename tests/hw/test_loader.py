# SPDX-License-Identifier: Apache-2.0
import zlib
from dataclasses import replace

import numpy as np
import pytest
from amaranth.hdl import Cat, Const

from fantastic4.image import build, parse
from fantastic4.layout import HEADER_WORDS, LAYER, LAYER_WORDS, SECTION, ErrorCode, Section
from fantastic4.pack import pack
from fantastic4.randomnet import random_network
from fantastic4_hw.loader import Loader
from fantastic4_hw.memories import written_after
from fantastic4_sim.bench import simulate

GEOMETRIES = [(1, 1, 1), (4, 2, 1), (3, 3, 1), (16, 2, 1), (12, 2, 1), (8, 2, 4)]


def words_of(raw):
    return [int(word) for word in np.frombuffer(raw, "<u4")]


def resealed(words):
    """Return the words with header length and checksum made right."""
    words = [*words[:3], len(words), *words[4:-1]]
    raw = np.array(words, "<u4").tobytes()
    return [*words, zlib.crc32(raw)]


def sections(words):
    """Return (kind, index, position of the section word, words of its records)."""
    found, at = [], HEADER_WORDS
    record = {Section.LAYERS: LAYER_WORDS, Section.BASIS: 2}
    while True:
        head = SECTION.unpack(words[at])
        kind = Section(head["kind"])
        size = record.get(kind, 1) * head["count"] if kind != Section.END else 0
        found.append((kind, head["index"], at, size))
        if kind == Section.END:
            return found
        at += 1 + size


def place(words, kind, index=0):
    return next(at for k, i, at, _ in sections(words) if (k, i) == (kind, index))


def changed(words, at, value):
    return [*words[:at], value, *words[at + 1 :]]


def with_section(words, at, **fields):
    return changed(words, at, SECTION.pack(**(SECTION.unpack(words[at]) | fields)))


def small_image(rng, cfg, widths=(5, 7, 3)):
    image = parse(pack(random_network(rng, list(widths)), cfg))
    return words_of(build(replace(image, meta={"short": 1})))


class Memories:
    """What the write ports have written, and how the status moved."""

    def __init__(self, dut):
        self.dut = dut
        self.ports = {"table": dut.write_table}
        for name in ("basis", "bias", "weights"):
            for index, port in enumerate(getattr(dut, f"write_{name}")):
                self.ports[f"{name}_{index}"] = port
        self.clear()

    def clear(self):
        self.content = {name: {} for name in self.ports}
        self.firsts = {name: [] for name in self.ports if name.startswith("weights")}

    async def watch(self, ctx):
        ports = list(self.ports.items())
        marks = [getattr(port, "first", Const(0)) for _, port in ports]
        signals = [
            s
            for (_, port), mark in zip(ports, marks, strict=True)
            for s in (port.en, port.addr, port.data, mark)
        ]
        while True:
            _, _, *values = await ctx.tick().sample(*signals)
            for index, (name, port) in enumerate(ports):
                en, addr, data, first = values[4 * index : 4 * index + 4]
                if en and name in self.firsts:
                    addr -= (addr >> len(port.addr) - 1) << len(port.addr)
                    self.firsts[name] += [addr] * first
                if en:
                    self.content[name][addr] = data

    def holds(self, raw):
        """Whether everything ``raw`` says has been written, and nothing else."""
        image = parse(raw)
        wanted = {
            "table": [LAYER.pack(**layer) for layer in image.layers],
        }
        cores = self.dut.cfg.cores
        for core, entries in enumerate(np.split(image.basis, cores)):
            wanted[f"basis_{core}"] = [int.from_bytes(x.tobytes(), "little") for x in entries]
        for core, words in enumerate(np.split(image.bias, cores)):
            wanted[f"bias_{core}"] = words.tolist()
        for index, bank in enumerate(image.weights):
            assert int(bank.max()) >> self.dut.cfg.word_width == 0
            wanted[f"weights_{index}"] = bank.tolist()
        # Weight words lie by their distance from the last one, whose place is 0.
        begins = {name: 1 - len(wanted[name]) for name in self.firsts}
        assert self.firsts == {name: [begin] for name, begin in begins.items()}
        return self.content == {
            name: dict(enumerate(words, begins.get(name, 0))) for name, words in wanted.items()
        }


async def send(ctx, dut, words, *, gap=0.0, rng=None, last=True):
    """Send an image; ``loaded`` stays low from its first word to its last, and no word waits."""
    for index, word in enumerate(words):
        while rng is not None and rng.random() < gap:
            await ctx.tick()
        ctx.set(dut.i.payload, {"data": word, "last": last and index == len(words) - 1})
        ctx.set(dut.i.valid, 1)
        for _ in range(4):
            *_, ready, loaded = await ctx.tick().sample(dut.i.ready, dut.loaded)
            if ready:
                break
        else:
            raise AssertionError(f"word {index} is not taken")
        assert not loaded
        ctx.set(dut.i.valid, 0)
    for _ in range(5 + written_after(dut.cfg) if last else 5):
        await ctx.tick()
        if not ctx.get(dut.busy):
            break


def state(ctx, dut):
    return ErrorCode(ctx.get(dut.error)), ctx.get(dut.loaded), ctx.get(dut.busy)


GOOD = (ErrorCode.NONE, 1, 0)


def refusals(words, cfg):
    """Return (name, damaged words, error code) of every error path of the hardware."""
    at = {(kind, index): position for kind, index, position, _ in sections(words)}
    layers, basis, bias = at[Section.LAYERS, 0], at[Section.BASIS, 0], at[Section.BIAS, 0]
    weights, meta, end = at[Section.WEIGHTS, 0], at[Section.META, 0], at[Section.END, 0]
    found = [
        ("magic", changed(words, 0, words[0] ^ 1), ErrorCode.MAGIC),
        ("version", changed(words, 1, 2), ErrorCode.VERSION),
        ("version 0", changed(words, 1, 0), ErrorCode.VERSION),
        ("lanes", changed(words, 2, words[2] ^ 1), ErrorCode.GEOMETRY),
        ("engines", changed(words, 2, words[2] ^ 1 << 12), ErrorCode.GEOMETRY),
        ("cores", changed(words, 2, words[2] ^ 1 << 21), ErrorCode.GEOMETRY),
        ("bank lanes", changed(words, 2, words[2] ^ 1 << 24), ErrorCode.GEOMETRY),
        ("external", changed(words, 2, words[2] ^ 1 << 28), ErrorCode.GEOMETRY),
        ("spare", changed(words, 2, words[2] ^ 1 << 31), ErrorCode.GEOMETRY),
        ("inputs", changed(words, 4, cfg.input_chunks + 1), ErrorCode.CAPACITY),
        ("hidden", changed(words, 4, 1 | cfg.hidden_chunks + 1 << 16), ErrorCode.CAPACITY),
        ("header length", changed(words, 3, words[3] + 1), ErrorCode.LENGTH),
        ("header length", changed(words, 3, words[3] - 1), ErrorCode.LENGTH),
        ("header length", changed(words, 3, words[3] | 1 << 31), ErrorCode.LENGTH),
        ("checksum", changed(words, -1 % len(words), words[-1] ^ 1 << 31), ErrorCode.CHECKSUM),
    ]
    for (kind, index), position in at.items():
        if kind in (Section.META, Section.END):
            continue
        for wrong in {0, 1, 2, 3, 4, 5, 9, 15} - {kind}:
            bad = with_section(words, position, kind=wrong)[: position + 4]
            found.append((f"{kind.name} as kind {wrong}", bad, ErrorCode.SECTION))
        for wrong in (index + 1, index ^ 1 << 11):
            bad = with_section(words, position, index=wrong)
            found.append((f"{kind.name} with index {wrong}", bad, ErrorCode.SECTION))
        bad = with_section(words, position, count=0)
        found.append((f"empty {kind.name}", bad, ErrorCode.SECTION))
        depth = {
            Section.LAYERS: cfg.max_layers,
            Section.BASIS: cfg.basis_depth,
            Section.BIAS: cfg.row_depth,
            Section.WEIGHTS: cfg.weight_depth,
        }[kind]
        for count in (depth + 1, (1 << 16) - 1):
            bad = with_section(words, position, count=count)[: position + 2]
            found.append((f"{kind.name} of {count} records", bad, ErrorCode.CAPACITY))
    found += [
        ("empty META", with_section(words, meta, count=0), ErrorCode.SECTION),
        ("unknown behind WEIGHTS", with_section(words, meta, kind=9), ErrorCode.SECTION),
        ("second BIAS", with_section(words, meta, kind=Section.BIAS), ErrorCode.SECTION),
        (
            "a format no decoder knows",
            resealed(changed(words, layers + 3, words[layers + 3] | 15 << 2)),
            ErrorCode.GEOMETRY,
        ),
        ("END with records", with_section(words, end, count=1), ErrorCode.SECTION),
        ("no END", [*words[:end], 6, words[-1]], ErrorCode.SECTION),
        ("sections swapped", words[:basis] + words[bias:], ErrorCode.SECTION),
        ("word behind END", [*words[:-1], 0, words[-1]], ErrorCode.LENGTH),
        ("two words too long", [*words, 1, 2], ErrorCode.LENGTH),
    ]
    cuts = {1, 2, 3, 4, 5, layers + 1, layers + 2, basis, basis + 2, bias, bias + 2}
    cuts |= {weights, weights + 1, meta, meta + 1, meta + 2, end, end + 1, len(words) - 1}
    for cut in sorted(cuts):
        found.append((f"cut at {cut} of {len(words)}", words[:cut], ErrorCode.LENGTH))
    for kind, _, position, size in sections(words):
        if size:
            for index in (position + 1, position + size):
                bad = changed(words, index, words[index] ^ 1 << 7)
                found.append((f"a bit of {kind.name}", bad, ErrorCode.CHECKSUM))
    return found


@pytest.mark.parametrize(("lanes", "engines", "cores"), GEOMETRIES)
@pytest.mark.parametrize("gap", [0.0, 0.5])
def test_writes_every_memory(rng, geometry, lanes, engines, cores, gap):
    cfg = geometry(lanes, engines, weight_depth=1024, cores=cores)
    dut = Loader(cfg)
    memories = Memories(dut)
    networks = [(5, 7, 3), (1, 1), (20, 3, 9, 2)]
    raws = [pack(random_network(rng, list(widths)), cfg) for widths in networks]

    async def testbench(ctx):
        ctx.set(dut.grant, 1)
        for raw, widths in zip(raws, networks, strict=True):
            memories.clear()
            await send(ctx, dut, words_of(raw), gap=gap, rng=rng)
            assert state(ctx, dut) == GOOD
            assert ctx.get(dut.layers) == len(widths) - 1
            assert memories.holds(raw)

    simulate(dut, [testbench], checkers=[memories.watch])


@pytest.mark.parametrize(("lanes", "engines", "cores"), [(4, 2, 1), (16, 3, 1), (4, 1, 2)])
def test_refuses_and_recovers(rng, geometry, lanes, engines, cores):
    """Every damage has its code, ``loaded`` stays low, and the next good image loads."""
    depths = {"weight_depth": 32, "row_depth": 16, "basis_depth": 32, "max_layers": 4}
    cfg = geometry(lanes, engines, cores=cores, **depths)
    dut = Loader(cfg)
    memories = Memories(dut)
    words = small_image(rng, cfg)
    raw = np.array(words, "<u4").tobytes()
    cases = refusals(words, cfg)
    wrong = []

    async def testbench(ctx):
        ctx.set(dut.grant, 1)
        for index, (name, bad, code) in enumerate(cases):
            await send(ctx, dut, bad)
            if state(ctx, dut) != (code, 0, 0):
                wrong.append((name, state(ctx, dut), code))
            if index % 8 == 0 or code == ErrorCode.LENGTH:
                memories.clear()
                await send(ctx, dut, words)
                assert state(ctx, dut) == GOOD, f"the image after {name!r}"
                assert memories.holds(raw)

    simulate(dut, [testbench], checkers=[memories.watch], timeout_cycles=300_000)
    assert wrong == []
    assert {code for _, _, code in cases} == set(ErrorCode) - {
        ErrorCode.NONE,
        ErrorCode.INPUT_LENGTH,
        ErrorCode.WEIGHTS,
    }


def test_a_right_checksum_does_not_help(rng, geometry):
    """Structure is checked for its own sake, not only by the checksum."""
    cfg = geometry(4, 2, weight_depth=32, row_depth=16, basis_depth=32)
    dut = Loader(cfg)
    words = small_image(rng, cfg)
    structural = (ErrorCode.VERSION, ErrorCode.GEOMETRY, ErrorCode.CAPACITY, ErrorCode.SECTION)
    cases = [case for case in refusals(words, cfg) if case[2] in structural]

    async def testbench(ctx):
        ctx.set(dut.grant, 1)
        for name, bad, code in cases:
            await send(ctx, dut, resealed(bad))
            assert state(ctx, dut) == (code, 0, 0), name

    simulate(dut, [testbench])


@pytest.mark.parametrize("kind", list(Section)[1:], ids=lambda kind: kind.name)
def test_every_bit_counts(rng, geometry, kind):
    """Each single bit of the first and last record word of a section."""
    cfg = geometry(4, 2)
    dut = Loader(cfg)
    words = small_image(rng, cfg, (3, 2))
    at, size = next((at, size) for k, _, at, size in sections(words) if k == kind)

    async def testbench(ctx):
        ctx.set(dut.grant, 1)
        for bit in range(32):
            index = at + 1 if bit % 2 else at + size
            await send(ctx, dut, changed(words, index, words[index] ^ 1 << bit))
            assert state(ctx, dut) == (ErrorCode.CHECKSUM, 0, 0)
        await send(ctx, dut, words)
        assert state(ctx, dut) == GOOD

    simulate(dut, [testbench])


def test_an_image_without_its_last_takes_the_next_with_it(rng, geometry):
    """Without ``last`` nobody can tell where an image ends; the one after the next loads."""
    cfg = geometry(4, 2)
    dut = Loader(cfg)
    words = small_image(rng, cfg)

    async def testbench(ctx):
        ctx.set(dut.grant, 1)
        for cut in (len(words), 3, 40, len(words) - 1):
            await send(ctx, dut, words[:cut], last=False)
            assert state(ctx, dut)[1:] == (0, 1)
            await send(ctx, dut, words)
            code, loaded, busy = state(ctx, dut)
            assert code != ErrorCode.NONE
            assert (loaded, busy) == (0, 0)
            await send(ctx, dut, words)
            assert state(ctx, dut) == GOOD

    simulate(dut, [testbench])


def test_capacity_is_used_to_the_last_record(rng, geometry):
    """As many records as a memory has places are taken, in every section."""
    fits = {"weight_depth": 8, "row_depth": 10, "basis_depth": 10, "max_layers": 2}
    network = random_network(rng, [4, 7, 3], density=0.5)
    roomy = geometry(4, 2)
    words = words_of(pack(network, roomy))
    image = parse(np.array(words, "<u4").tobytes())
    fits["weight_depth"] = len(image.weights[0])
    fits["basis_depth"] = len(image.basis)
    exact = geometry(4, 2, **fits, input_chunks=1, hidden_chunks=2)
    dut = Loader(exact)
    memories = Memories(dut)

    async def testbench(ctx):
        ctx.set(dut.grant, 1)
        await send(ctx, dut, words)
        assert state(ctx, dut) == GOOD

    simulate(dut, [testbench], checkers=[memories.watch])
    assert memories.holds(np.array(words, "<u4").tobytes())


def test_waits_for_its_grant(rng, geometry):
    cfg = geometry(4, 2)
    dut = Loader(cfg)
    words = small_image(rng, cfg)

    async def testbench(ctx):
        ctx.set(dut.grant, 1)
        await send(ctx, dut, words)
        ctx.set(dut.grant, 0)
        assert not ctx.get(dut.wanted)
        ctx.set(dut.i.payload, {"data": words[0], "last": 0})
        ctx.set(dut.i.valid, 1)
        for _ in range(20):
            *_, ready, wanted, loaded, busy = await ctx.tick().sample(
                dut.i.ready, dut.wanted, dut.loaded, dut.busy
            )
            assert (ready, wanted, loaded, busy) == (0, 1, 1, 0)
        ctx.set(dut.grant, 1)
        await send(ctx, dut, words)
        assert state(ctx, dut) == GOOD

    simulate(dut, [testbench])


@pytest.mark.parametrize("engines", [1, 100])
def test_is_loaded_when_the_last_bank_has_its_last_word(rng, geometry, engines):
    cfg = geometry(4, engines)
    dut = Loader(cfg)
    last = loaded = 0

    async def watch(ctx):
        nonlocal last, loaded
        clock = 0
        while True:
            *_, is_loaded, enables = await ctx.tick().sample(
                dut.loaded, Cat(port.en for port in dut.write_weights)
            )
            clock += 1
            last = clock if enables else last
            loaded = loaded or clock * is_loaded

    async def testbench(ctx):
        ctx.set(dut.grant, 1)
        await send(ctx, dut, small_image(rng, cfg))
        for _ in range(2):
            await ctx.tick()

    simulate(dut, [testbench], checkers=[watch])
    assert loaded - last >= written_after(cfg)


def test_takes_a_word_every_other_clock_but_between_records(rng, geometry):
    cfg = geometry(4, 2)
    dut = Loader(cfg)
    words = small_image(rng, cfg)
    clocks = 0

    async def testbench(ctx):
        nonlocal clocks
        ctx.set(dut.grant, 1)
        ctx.set(dut.i.valid, 1)
        for index, word in enumerate(words):
            ctx.set(dut.i.payload, {"data": word, "last": index == len(words) - 1})
            ready = 0
            while not ready:
                *_, ready = await ctx.tick().sample(dut.i.ready)
                clocks += 1

    simulate(dut, [testbench])
    written = [kind for kind, *_ in sections(words) if kind not in (Section.META, Section.END)]
    between = HEADER_WORDS + len(sections(words))
    assert clocks == 2 + 2 * len(words) + between + len(written)


@pytest.mark.parametrize("gap", [0.0, 0.5])
def test_external_weights_have_no_sections(rng, geometry, gap):
    """Such an image has none; one that has them, and one for a core with banks, is refused."""
    inside = geometry(16, 2)
    cfg = replace(inside, external_weights=True)
    dut = Loader(cfg)
    memories = Memories(dut)
    network = random_network(rng, [9, 7, 3])
    raw, other = pack(network, cfg), words_of(pack(network, inside))
    assert parse(raw).weights == []
    disguised = resealed(changed(other, 2, words_of(raw)[2]))

    async def testbench(ctx):
        ctx.set(dut.grant, 1)
        for bad, code in ((other, ErrorCode.GEOMETRY), (disguised, ErrorCode.SECTION)):
            await send(ctx, dut, bad, gap=gap, rng=rng)
            assert state(ctx, dut) == (code, 0, 0)
            memories.clear()
            await send(ctx, dut, words_of(raw), gap=gap, rng=rng)
            assert state(ctx, dut) == GOOD
            assert memories.holds(raw)

    simulate(dut, [testbench], checkers=[memories.watch])
