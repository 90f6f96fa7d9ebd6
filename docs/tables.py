"""Tables of the documentation that come from the code. ``python docs/tables.py`` writes them anew.

A table stands between ``<!-- table: NAME -->`` and ``<!-- end of table -->``; a test compares it with the
code. What takes hours is written from the results in ``results/``; ``python docs/tables.py runs`` first takes
new ones from the folder ``runs``, those that are there (see :mod:`measured`).
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
import sys
import typing
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import platform_tables
import search_tables
from measured import (
    BOARD_RESULTS,
    COVERAGE_RESULTS,
    DENSE_RESULTS,
    LEVER_RESULTS,
    NETWORK_RESULTS,
    RESULTS,
    SCHEDULE_RESULTS,
    TIMM_RESULTS,
    TINY_RESULTS,
    results,
    take,
)
from table import markdown

from hotnas_hls.accel.accelerator import MAX_BURST_BEATS, OUTSTANDING_READS
from hotnas_hls.accel.design_point import DesignPoint
from hotnas_hls.accel.encoding.descriptor import CHIP_FIELDS, FIELDS
from hotnas_hls.accel.plan import MIN_SWEEP
from hotnas_hls.accel.timing import pipeline
from hotnas_hls.accel.timing.timeline import SECOND_REQUEST
from hotnas_hls.base.records import describe, record_fields, to_record
from hotnas_hls.bench.dense_outputs import NETWORKS as DENSE_NETWORKS
from hotnas_hls.bench.kept_results import Figures, read_results
from hotnas_hls.bench.mlperf_tiny import BOARD, SUBMISSIONS, TASKS
from hotnas_hls.codegen.registers import BLOCKS, PROFILE_TERMS, REGISTERS, STATUS_BITS
from hotnas_hls.search.config import RunConfig

DOCS = Path(__file__).resolve().parent
MARKED = re.compile(r"(<!-- table: ([a-z]+) -->\n).*?(<!-- end of table -->)", re.DOTALL)

# name, value, what it spans, where it lies in templates/rtl
CONSTANTS = (
    (
        "TOKEN",
        pipeline.TOKEN,
        "beat taken, to token counted by compute: a register on each side",
        "`slice_done_o` in `ifm_loader.sv`, `job_done_o` in `wgt_loader.sv`; "
        "`slices_loaded_q`, `jobs_q` in `compute_ctrl.sv`",
    ),
    (
        "IFM_ADDRESS",
        pipeline.IFM_ADDRESS,
        "half free, to address on AXI",
        "`ifm_loader.sv`: `WaitHalf`, `Clip`, `Size`, `Request`; `run_walker.sv`; `burst_splitter.sv`",
    ),
    (
        "WGT_ADDRESS",
        pipeline.WGT_ADDRESS,
        "job may be asked for, to address on AXI",
        "`wgt_loader.sv`: `WaitSlot`, `Planes`, `Size`, `Request`; `burst_splitter.sv`",
    ),
    (
        "JOBS_AHEAD",
        pipeline.JOBS_AHEAD,
        "no cycles: weight jobs that are asked for ahead of their slots",
        "`wgt_loader.sv`: `askable_q`, `slots_free_q`",
    ),
    (
        "SECOND_REQUEST",
        SECOND_REQUEST,
        "first request of a loader, to its second (both halves are free at first)",
        "the same states, once round",
    ),
    (
        "ARRAY_STAGES",
        pipeline.ARRAY_STAGES,
        "issue of a step's last pixel, to the accumulator holding the sum; ceil(log2 Tn) more for the tree",
        "`compute_ctrl.sv`: `ToStore = ToAcc + 3`, `ToAcc = 3 + TreeLevels`",
    ),
    (
        "MIN_SWEEP",
        MIN_SWEEP,
        "least cycles between two accumulations into one pixel: read, add, write",
        "`compute_ctrl.sv`: `sweep_q`; `acc_bank.sv`",
    ),
    (
        "STORE_DRAIN",
        pipeline.STORE_DRAIN,
        "output tile taken, to its first accumulator read",
        "`ofm_store.sv`: `Wait`, `Count`, `Size`, `walkers_start_q`",
    ),
    (
        "RESIDUAL_DRAIN",
        pipeline.RESIDUAL_DRAIN,
        "output tile taken, to the first residual address on AXI",
        "`ofm_store.sv`: the same, `u_residual_runs`; `burst_splitter.sv`",
    ),
    (
        "DRAIN_BEAT",
        pipeline.DRAIN_BEAT,
        "accumulator read, to word on AXI: bank, block, sum, shift, clamp, FIFO",
        "`ofm_store.sv`: `valid_q`; `requantize.sv`; `u_words`",
    ),
    (
        "LINE_STAGES",
        pipeline.LINE_STAGES,
        "more for `DRAIN_BEAT` in a design with activations of lines: line, rise, sum",
        "`activation_lines.sv`",
    ),
    (
        "PRODUCT_STAGES",
        pipeline.PRODUCT_STAGES,
        "more for `DRAIN_BEAT` in a design with products: product, shift, clamp",
        "`product.sv`",
    ),
    (
        "CHIP_READ",
        pipeline.CHIP_READ,
        "address to word of memory on chip",
        "`chip_reader.sv`: RAM, output register",
    ),
    (
        "STRIPED_READ",
        pipeline.STRIPED_READ,
        "more for a read of striped weights: beats of all masters there, to the joined beat",
        "`striped_reads.sv`: `held_q`, `there_q`",
    ),
    (
        "AHEAD",
        pipeline.AHEAD,
        "last weight beat of a layer, to the next layer's descriptor asked for",
        "`all_in_o` in `wgt_loader.sv`, `ask_o` in `layer_sequencer.sv`, `Ask` in `descriptor_fetch.sv`",
    ),
    (
        "TILE_TAKE",
        pipeline.TILE_TAKE,
        "descriptor of the next layer and tiles of this one there, to its first tile asked for",
        "`tile_ahead.sv`: `Take`, `Start`; `WaitHalf` in `ifm_loader.sv`",
    ),
    (
        "CHIP_WRITTEN",
        pipeline.CHIP_WRITTEN,
        "word written on chip, to the cycle in which it may be read",
        "`spare_q` in `tile_ahead.sv`",
    ),
    (
        "FILL_ADDRESS",
        pipeline.FILL_ADDRESS,
        "a layer's weights could come, to address on AXI of the weights it loads to stay",
        "`weight_memory.sv`: `Ask`; `burst_splitter.sv`",
    ),
    (
        "MAX_HIDDEN_LATENCY",
        pipeline.MAX_HIDDEN_LATENCY,
        "read latency that bursts of one beat still hide",
        f"`Outstanding` ({OUTSTANDING_READS}) bursts in flight in `axi_read_master.sv`, less 4",
    ),
    (
        "MAX_BURST_BEATS",
        MAX_BURST_BEATS,
        "beats of the longest burst, a run is cut at its multiples; no cycle: addresses run ahead of data",
        "`burst_splitter.sv`",
    ),
)


def descriptor() -> str:
    """The header words of a layer descriptor."""
    return markdown(
        ("Word", "Bits", "Field", "Meaning"),
        (
            (
                field.word,
                f"{field.lsb + field.width - 1}:{field.lsb}",
                f"`{field.name}`",
                field.meaning + (", signed" if field.signed else ""),
            )
            for field in FIELDS + CHIP_FIELDS
        ),
    )


def registers() -> str:
    """The registers of s_axi_control below the profile."""
    return markdown(
        ("Offset", "Name in the .hwh", "Contents"),
        [
            *((f"`0x{r.offset:02x}`", f"`{r.hwh}`", r.bits) for r in REGISTERS),
            *((f"`0x{b.offset:02x}`", f"`{b.hwh}`", f"{', '.join(b.words)}: {b.meaning}") for b in BLOCKS),
        ],
    )


def profile() -> str:
    """The words of a layer's profile row."""
    meanings = {
        "cycles": "from the end of the layer before to its last write response, and what comes ahead",
        "load_ifm": "load_ifm prepares or receives a tile",
        "load_wgt": "load_wgt prepares or receives a job",
        "compute": "a sweep is under way",
        "store_ofm": "an output tile is being stored",
        "stall": "compute waits for weights, an input slice or a free accumulator half",
    }
    return markdown(
        ("Byte", "Word", "Counts the cycles in which"),
        ((4 * at, f"`{term}`", meanings[term]) for at, term in enumerate(PROFILE_TERMS)),
    )


def status() -> str:
    """The bits of the status word."""
    return markdown(("Bit", "Meaning"), ((bit.bit, bit.meaning) for bit in STATUS_BITS))


def constants() -> str:
    """The constants of the latency recurrence."""
    return markdown(
        ("Constant", "Value", "From, to", "In `templates/rtl`"),
        ((f"`{name}`", value, span, where) for name, value, span, where in CONSTANTS),
    )


def published() -> str:
    """HotNAS's latencies, computed."""
    from hotnas_hls.api.published import published_tables

    return markdown(
        ("Network", "Data", "Design", "Published ms", "Computed ms", "Real sizes", "Stride once", "True"),
        (
            (
                row.name,
                row.dataset,
                f"`{row.design}`",
                row.published_ms,
                f"{row.computed_ms:.5f}",
                f"{row.real_sizes_ms:.3f}",
                f"{row.stride_once_ms:.3f}",
                "" if row.true_ms is None else f"{row.true_ms:.3f}",
            )
            for row in published_tables().rows
        ),
    )


def reduction() -> str:
    """The reduction table of HotNAS-ResNet."""
    from hotnas_hls.published.tables import reduction_rows

    return markdown(
        ("Step", "Published ms", "Alone ms", "After the steps before ms", "As listed ms", "Listed how"),
        (
            (
                row.step,
                row.published_ms,
                *(f"{ms:.5f}" for ms in (row.alone_ms, row.cumulative_ms, row.listed_ms)),
                row.how,
            )
            for row in reduction_rows()
        ),
    )


def networks() -> str:
    """Whole networks in simulation."""

    def row(name: str, found: Figures) -> tuple[object, ...]:
        return (
            name,
            found["weights"],
            found["layers"],
            f"{found['predicted_cycles']:,}",
            f"{found['simulated_cycles']:,}",
            f"{found['ms']:.3f}",
            f"{found['dsp_efficiency']:.1%}",
            verdict(found),
            f"{found['seconds']:.0f}",
        )

    return markdown(
        (
            *("Network", "Weights", "Layers", "Cycles predicted", "Simulated"),
            *("ms", "DSP efficiency", "Every layer", "Seconds"),
        ),
        (row(name, found) for name, found in read_results(RESULTS / NETWORK_RESULTS).items()),
    )


def boards() -> str:
    """Networks on boards: ideal, behind the DRAM, and over what is assumed of it."""
    found = read_results(RESULTS / BOARD_RESULTS)
    return on_boards("Network", ((*name.partition(" ")[::2], figures) for name, figures in found.items()))


def reached() -> str:
    """The same in short, in milliseconds."""

    def row(name: str, found: Figures) -> tuple[object, ...]:
        network, _, board = name.partition(" ")
        ideal = found["ms"] * found["predicted_cycles"] / found["certified_cycles"]
        simulated = "simulated" if found["simulated_cycles"] is not None else "predicted"
        return (
            *(f"`{network}`", board, f"{found['ms']:.4g}", assumed(found), f"{ideal:.4g}"),
            *(f"{found['dsp_efficiency']:.0%}", simulated),
        )

    heads = ("Network", "Board", "ms", "Over what is assumed of the DRAM", "Ideal memory", "DSP efficiency")
    return markdown((*heads, ""), (row(*entry) for entry in read_results(RESULTS / BOARD_RESULTS).items()))


def spent() -> str:
    """What the cycles of networks on boards are spent on."""
    kept = read_results(RESULTS / BOARD_RESULTS)
    found = {name: figures for name, figures in kept.items() if "terms" in figures}

    def row(name: str, figures: Figures) -> tuple[object, ...]:
        terms = figures["terms"]
        layer, idle, label = terms["longest"]
        counts = (terms[term] for term in ("needed", "array", "image", "waits", "between"))
        shown = (f"{count:,}" for count in (*counts, figures["certified_cycles"]))
        return *name.split(), *shown, f"{layer}: {idle:,}, {label}"

    heads = ("Network", "Board", "MACs / multipliers", "Array computes", "Image", "Waits", "Between", "Sum")
    return markdown((*heads, "Layer that waits most"), (row(*entry) for entry in found.items()))


def on_boards(head: str, found: Iterable[tuple[str, str, Figures]]) -> str:
    """A table with a row for every (what stands under ``head``, board, figures of the bench of boards)."""

    def row(what: str, board: str, found: Figures) -> tuple[object, ...]:
        accel = found["accelerator"]
        simulated = found["simulated_cycles"] is not None
        kept = "maps" * bool(accel["map_words"]), "weights" * bool(accel["weight_planes"])
        rows = accel.get("fabric_rows", 0)
        return (
            what,
            board,
            f"{accel['tm']} × {accel['tn']}" + (f", {rows} rows in LUTs" if rows else ""),
            " and ".join(filter(None, kept)) or "nothing",
            f"{found['predicted_cycles']:,}",
            f"{found['certified_cycles']:,}",
            f"{found['ms']:.4g}",
            assumed(found),
            f"{found['dsp_efficiency']:.1%}",
            verdict(found) if simulated else "predicted",
        )

    return markdown(
        (
            *(head, "Board", "Array", "On chip", "Cycles, ideal memory", "Behind the DRAM, worst phase"),
            *("ms", "ms over what is assumed", "DSP efficiency", "Simulated, every layer"),
        ),
        (row(*entry) for entry in found),
    )


def assumed(found: Figures) -> str:
    """Milliseconds over what is assumed of the DRAM."""
    reach = found["range_ms"]
    return "unknown" if reach is None else f"{reach[0]:.4g} to {reach[1]:.4g}"


def tiny() -> str:
    """MLPerf Tiny's networks on a board, and what others submitted."""
    found = read_results(RESULTS / TINY_RESULTS)
    names = {f"{network} {BOARD}": f"{task}, `{network}`" for network, task in TASKS.items()}
    measured = ((words, BOARD, found[name]) for name, words in names.items() if name in found)
    ours = on_boards("Task and network", measured)
    theirs = markdown(
        ("Task", "Ours, ms", "Submitted, ms", "On", "Network there", "Known from", "Result file in"),
        (
            (
                TASKS[made.network],
                f"{found[f'{made.network} {BOARD}']['ms']:.3g}",
                f"{made.ms:.3g}",
                *(made.hardware, made.model, made.known),
                f"`mlcommons/{made.source}`",
            )
            for made in SUBMISSIONS
            if f"{made.network} {BOARD}" in found
        ),
    )
    return f"{ours}\n{theirs}"


def dense() -> str:
    """Networks whose outputs are maps, on a board."""
    found = read_results(RESULTS / DENSE_RESULTS)

    def told(name: str) -> str:
        outputs = found[name]["outputs"].items()
        shapes = ", ".join(f"{output} {' × '.join(map(str, shape))}" for output, shape in outputs)
        return f"{DENSE_NETWORKS[name.split()[0]]}: {shapes}"

    return on_boards("Network and outputs", ((told(name), name.split()[1], found[name]) for name in found))


def schedules() -> str:
    """The HLS C++ beside its twin, layer by layer."""
    rows: list[tuple[str, ...]] = []
    kept = read_results(RESULTS / SCHEDULE_RESULTS)
    for network, found in kept.items():
        if "layers" not in found:  # of `wholes`
            continue
        layers = found["layers"]
        rows += [(network, name, *_counts(cycles)) for name, cycles in layers.items()]
        totals = [None if None in of else sum(of) for of in zip(*layers.values(), strict=True)]
        told = _counts(totals)
        for twin, own in ((0, 2), (3, 4)):
            told[own] += f" ({totals[own] / totals[twin] - 1:+.1%})".replace("-", "−")
        rows.append((network, f"all, {found['array']}", *told))
    columns = ("Predicted", "Simulated", "HLS schedule", "Twin at once", "HLS schedule at once")
    return markdown(("Network", "Layer", *columns), rows)


def wholes() -> str:
    """The HLS C++ beside its twin, of networks on boards."""

    def row(name: str, found: Figures) -> tuple[str, ...]:
        twin, own = found["predicted_cycles"], found["hls_schedule"]
        return *name.split(), f"{twin:,}", f"{own:,}", f"{own / twin - 1:+.2%}".replace("-", "−")

    kept = read_results(RESULTS / SCHEDULE_RESULTS)
    found = {name: figures for name, figures in kept.items() if "hls_schedule" in figures}
    heads = ("Network", "Board", "Twin, ideal memory", "HLS schedule", "Difference")
    return markdown(heads, (row(*entry) for entry in found.items()))


def _counts(cycles: Sequence[int | None]) -> list[str]:
    """Cycles as a table shows them, with a word for those that nobody counted."""
    return ["not simulated" if count is None else f"{count:,}" for count in cycles]


def levers() -> str:
    """What each lever brings, in simulation; by the model where it was not simulated yet."""
    from hotnas_hls.bench.levers import NETWORKS, designs

    results, rows = read_results(RESULTS / LEVER_RESULTS), []
    for network in NETWORKS:
        names = {f"{network} {lever.name}": lever.what for lever, _ in designs(network)}
        found = results if names.keys() <= results.keys() else priced(network) | results
        before = ""
        for name, what in names.items():
            after, simulated = f"{found[name]['ms']:.3f}", found[name].get("simulated_cycles")
            rows.append(
                (
                    *(network, what, before, after, f"{found[name]['predicted_cycles']:,}"),
                    "" if simulated is None else f"{simulated:,}",
                    f"{found[name]['dsp_efficiency']:.1%}",
                    "not simulated yet" if simulated is None else verdict(found[name]),
                )
            )
            before = after
    return markdown(
        (
            *("Network", "Lever", "ms before", "ms after", "Cycles predicted", "Simulated"),
            *("DSP efficiency", "Every layer"),
        ),
        rows,
    )


def priced(network: str) -> dict[str, Figures]:
    """What the model says of every lever of ``network``."""
    from hotnas_hls.accel.timing.efficiency import efficiency, multipliers
    from hotnas_hls.bench.levers import design_points

    def figures(point: DesignPoint) -> Figures:
        cycles, macs = point.predicted_cycles or 0, sum(point.needed_macs().values())
        return {
            "predicted_cycles": cycles,
            "ms": point.cycles_to_ms(cycles),
            "dsp_efficiency": efficiency(macs, cycles, multipliers(point.accelerator)),
        }

    return {name: figures(point) for name, point in design_points(network)}


def keys() -> str:
    """Every key of a search's configuration, with the words that stand beside it in the code."""

    def rows(kind: Any, where: str = "") -> Iterator[tuple[str, str, str, str]]:
        hints, source = typing.get_type_hints(kind), inspect.getsource(kind)
        for field in record_fields(kind):
            accepted = hints[field.name]
            if dataclasses.is_dataclass(accepted):
                yield from rows(accepted, f"{where}{field.name}.")
                continue
            said = re.search(rf"^    {field.name}: [^#\n]*#(.*)$", source, re.MULTILINE)
            value = field.default
            if field.default_factory is not dataclasses.MISSING:
                value = field.default_factory()
            needed = value is dataclasses.MISSING
            default = "needed" if needed else f"`{json.dumps(to_record(value))}`"
            words = said[1].strip().replace("``", "`") if said else ""
            yield f"`{where}{field.name}`", describe(accepted), default, words

    return markdown(("Key", "Takes", "Default", "Meaning"), rows(RunConfig))


def proofs() -> str:
    """What the proof of an import costs, as ``hotnas zoo prove --json`` found it."""
    found = json.loads((RESULTS / "proofs.json").read_text())
    return markdown(
        ("Network", "CPU s", "Difference"),
        (
            (name, "refused", "")
            if "refused" in one
            else (name, one["cpu_seconds"], f"{one['difference']:.1e}")
            for name, one in found.items()
        ),
    )


def verdict(found: Figures) -> str:
    """What simulation said of every layer."""
    return "exact" if found["certificate_holds"] else "; ".join(found["reasons"])


def coverage() -> str:
    """The networks of onnx's light set, and what keeps out those that are refused."""
    found = {name: figures for name, figures in results(COVERAGE_RESULTS).items() if name != "case_seconds"}
    rows = []
    for name, figures in found.items():
        refused = figures.get("refused")
        if refused:
            rest = f" (and {len(refused) - 1} more)" if refused[1:] else ""
            rows.append((name, "no", "", "", "", "", f"{refused[0]}{rest}"))
            continue
        if "unpriced" in figures:
            cost = ("", "", figures["unpriced"])
        else:
            zeros = figures["macs"] / figures["needed_macs"]
            cost = (f"{zeros:.2f}", f"{figures['ms']:.1f}", figures["host"])
        layers = figures.get("layers", "")
        rows.append((name, "yes", f"{figures['difference']:.0e}", layers, *cost))
    accepted = sum("refused" not in figures for figures in found.values())
    heads = ("Network", "Imported", "Difference", "Layers", "MACs ÷ needed", "ms")
    heads = (*heads, "First refusal, or the work of the host")
    return f"{accepted} of {len(found)} are imported.\n\n" + markdown(heads, rows)


def timm() -> str:
    """Families of timm's convolutional classifiers, and what keeps out most of those that are refused."""
    found = {name: figures for name, figures in results(TIMM_RESULTS).items() if name != "case_seconds"}
    rows: list[tuple[str, int, int, str]] = []
    for family, figures in found.items():
        refused = [one["refused"][0].partition(": ")[2] for one in figures.values() if "refused" in one]
        most = Counter(refused).most_common(1)[0][0] if refused else ""
        rows.append((family, len(figures), len(figures) - len(refused), most))
    tried, imported = sum(row[1] for row in rows), sum(row[2] for row in rows)
    heads = ("Family", "Tried", "Imported", "First refusal of most others")
    return f"{imported} of {tried} are imported.\n\n" + markdown(heads, rows)


TABLES: dict[str, Callable[[], str]] = {
    table.__name__: table
    for table in (
        *(descriptor, registers, profile, status, constants, published, reduction),
        *(networks, boards, reached, spent, levers, coverage, timm, tiny, dense, schedules, wholes),
        *(proofs, keys),
    )
} | search_tables.TABLES | platform_tables.TABLES


def with_tables(text: str) -> str:
    """A page with its tables as the code has them."""
    return MARKED.sub(lambda found: found[1] + "\n" + TABLES[found[2]]() + "\n" + found[3], text)


if __name__ == "__main__":
    if sys.argv[1:]:
        take(Path(sys.argv[1]))
    for page in (DOCS.parent / "README.md", *sorted(DOCS.rglob("*.md"))):
        page.write_text(with_tables(page.read_text()))
