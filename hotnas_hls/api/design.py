"""A design point as an object: its layers, its latency, its package."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hotnas_hls.accel.design_point import DESIGN_FILE, DesignPoint
from hotnas_hls.accel.memory.dram_timing import DramTiming
from hotnas_hls.base.arguments import checked
from hotnas_hls.base.notebook import Shown
from hotnas_hls.errors import ConfigError, OutputRefused, raise_all
from hotnas_hls.report.run_record import SUMMARY_FILE, refuse_model

if TYPE_CHECKING:
    from rich.table import Table

    from hotnas_hls.api.latency import Latency
    from hotnas_hls.api.package import Package

GOLDEN_IMAGES = 16
SEARCHED = (SUMMARY_FILE, "study.db", "study.journal")  # what a search leaves in its folder


@dataclass(frozen=True, eq=False, repr=False)
class Design(Shown):
    """A network on an accelerator, layer by layer; without weights of its own, seeded ones are simulated."""

    point: DesignPoint  # what design_point.json holds

    @checked
    def latency(
        self,
        *,
        clock_mhz: float | None = None,
        dram: str | DramTiming | None = "own",
        read_latency: int | None = None,
    ) -> Latency:
        """Its latency by the true model: every term with an ideal memory, and the whole behind a DRAM.

        clock_mhz: another clock than the design's. dram: another DRAM by name, by its board, or the path of a
        YAML file; None for the ideal memory alone. read_latency: of that, in cycles.
        Raises ConfigError for values that cannot be.
        """
        from hotnas_hls.api.latency import LatencyOptions, latency_of_design

        return latency_of_design(self.point, LatencyOptions(clock_mhz, dram, read_latency))

    @checked
    def save(self, folder: str | Path, *, overwrite: bool = False) -> Path:
        """Write design_point.json and weights.safetensors into ``folder``; the path of the first.

        Raises OutputRefused where another design point lies there (overwrite: True replaces it), and in the
        folder of a search, whose design is never replaced.
        """
        from hotnas_hls.base.writer import sole_writer

        place = Path(folder)
        with sole_writer(place, "hotnas_hls"):
            searched = [str(place / name) for name in SEARCHED if (place / name).exists()]
            raise_all(OutputRefused, f"{place}: is the folder of a search; name another:", searched)
            path = place / DESIGN_FILE
            if path.is_file() and not overwrite and path.read_text() != self.point.to_json():
                raise OutputRefused(f"{path}: is another design point; name another folder, or overwrite it")
            return self.point.save(place)

    @checked
    def generate(self, folder: str | Path, *, images: int = GOLDEN_IMAGES) -> Package:
        """Write its package (HLS C++, RTL, benches, drivers, scripts); the last part of ``folder`` names it.

        images: golden ones of the testbench. The same design gives the same bytes; an earlier package there
        is replaced. Raises OutputRefused where something else lies there, ConfigError for a name that no
        package can have.
        """
        from hotnas_hls.api.package import Package
        from hotnas_hls.simulate.flow import generate

        if images < 1:
            raise ConfigError(f"{images} images: the testbench needs at least one")
        generate(self.point, Path(folder), images)
        return Package(Path(folder))

    @checked
    def export_onnx(self, path: str | Path, *, images: int = GOLDEN_IMAGES) -> int:
        """Write its integers as an ONNX file of quantised maps (QDQ); on how many images it was proven.

        The file reads images as the network does, float32, and gives ``logits``, and ``answer`` where the
        host makes one. images: golden ones, filled up with seeded ones, on which onnxruntime must give the
        logits of the accelerator, every bit. Raises SimulationFailed, and writes nothing, where it does not;
        ToolNotFound without the ``onnx`` extra, ConfigError for no images.
        """
        from hotnas_hls.base.atomic import replace_files
        from hotnas_hls.network.onnx_export import proven

        if images < 1:
            raise ConfigError(f"{images} images: the proof needs at least one")
        place = Path(path)
        replace_files(place.parent, {place.name: proven(self.point, images)})
        return images

    def tables(self) -> Sequence[Table]:
        """A line a layer."""
        from rich.table import Table

        point = self.point
        table = Table(title=f"{point.network} on {point.board.name} at {point.clock_mhz:g} MHz")
        for head in ("layer", "kind", "channels", "kernel", "output", "weight bits", "tile"):
            table.add_column(head, justify="left" if head in ("layer", "kind") else "right")
        for entry in point.layers:
            layer, tile = entry.layer, entry.tile
            table.add_row(
                layer.name,
                str(layer.kind),
                f"{layer.n} -> {layer.m}",
                f"{layer.kernel_rows} x {layer.kernel_columns}",
                f"{layer.out_rows} x {layer.out_columns}",
                f"{layer.weight_bits}",
                f"{tile.tr} x {tile.tc}",
            )
        return (table,)

    def notes(self) -> list[str]:
        """The accelerator, predicted cycles, accuracy: as far as they are known."""
        point, lines = self.point, [f"accelerator: {self.point.accelerator.summary}"]
        if point.predicted_cycles is not None:
            ms = point.cycles_to_ms(point.predicted_cycles)
            lines.append(f"predicted: {point.predicted_cycles:,} cycles, {ms:.4g} ms")
        if point.accuracy.final is not None:
            lines.append(f"test {point.accuracy.measure}: {point.accuracy.final:.2%}")
        return lines


@checked
def load_design(path: str | Path) -> Design:
    """The design of a run's folder, of a package, or of a design_point.json.

    Raises ConfigError, with every problem, for a file that is none or was edited into one that cannot be.
    """
    refuse_model(Path(path))
    return Design(DesignPoint.load(Path(path)))
