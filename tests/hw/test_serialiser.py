# SPDX-License-Identifier: Apache-2.0
from typing import Any

import pytest

from fantastic4_hw.serialiser import Serialiser
from fantastic4_sim.bench import simulate
from fantastic4_sim.streams import keeps_promise, sink, source


def wide(rows, cores):
    """Transfers of one inference; what does not count is greater than all that does."""
    found = []
    for start in range(0, len(rows), cores):
        values = rows[start : start + cores]
        last = start + cores >= len(rows)
        # of those that are not the last, `rows` says nothing
        count = len(values) - 1 if last else 0
        padding = [2**31 - 1] * (cores - len(values))
        found.append({"values": values + padding, "rows": count, "last": int(last)})
    return found


@pytest.mark.parametrize("cores", [2, 4, 8])
@pytest.mark.parametrize(("i_gap", "o_gap"), [(0.0, 0.0), (0.6, 0.0), (0.0, 0.6), (0.5, 0.5)])
def test_order_and_arg_max(rng, geometry, cores, i_gap, o_gap):
    """Inferences of one row, of whole and of broken groups; the first of the greatest wins."""
    dut = Serialiser(geometry(8, 1, cores=cores))
    inferences = [rng.integers(-(2**31), 2**31, n).tolist() for n in (1, cores, 3 * cores + 1, 1)]
    inferences += [rng.choice([-9, -4, 7], n).tolist() for n in (2 * cores, cores + 1, 5, 1)]
    inferences += [[-(2**31)] * 3]
    transfers = [x for rows in inferences for x in wide(rows, cores)]
    count = sum(map(len, inferences))
    seen: list[Any] = []
    simulate(
        dut,
        [source(dut.i, transfers, gap=i_gap), sink(dut.o, count, seen, gap=o_gap)],
        checkers=[keeps_promise(dut.o)],
    )
    assert [x["value"] for x in seen] == [value for rows in inferences for value in rows]
    ends = [int(at == len(rows) - 1) for rows in inferences for at in range(len(rows))]
    assert [x["last"] for x in seen] == ends
    bests = [rows.index(max(rows)) for rows in inferences]
    assert [x["best"] for x in seen if x["last"]] == bests


def test_a_result_a_clock(geometry):
    """From the clock in which results are offered: ``latency`` to the first, then no gap."""
    cores = 4
    dut = Serialiser(geometry(8, 1, cores=cores))
    rows = list(range(11))
    seen: list[int] = []

    async def drive(ctx):
        ctx.set(dut.o.ready, 1)
        clock = 0
        for transfer in wide(rows, cores):
            ctx.set(dut.i.payload, transfer)
            ctx.set(dut.i.valid, 1)
            taken = 0
            while not taken:
                *_, taken, valid = await ctx.tick().sample(dut.i.ready, dut.o.valid)
                seen.extend([clock] if valid else [])
                clock += 1
        ctx.set(dut.i.valid, 0)
        for _ in range(4):
            *_, valid = await ctx.tick().sample(dut.o.valid)
            seen.extend([clock] if valid else [])
            clock += 1

    simulate(dut, [drive])
    assert seen == [Serialiser.latency + at for at in range(len(rows))]
