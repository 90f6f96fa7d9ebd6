"""MLPerf Tiny's four networks on PYNQ-Z2, and what others submitted to the benchmark.

Ours are the reference networks with random weights, the fastest designs of 8 bits, predicted and simulated
as :mod:`boards` does it. The submissions are read from their result files, which count inferences one after
the other: the time of one is what a second holds of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hotnas_hls.bench import boards
from hotnas_hls.bench.kept_results import Figures

BOARD = "PYNQ-Z2"
TASKS = {  # by network of the zoo, the quick ones first
    "autoencoder_tiny": "anomaly detection",
    "dscnn_tiny": "keyword spotting",
    "resnet8_tiny": "image classification",
    "mobilenet_v1_tiny": "visual wake words",
}


@dataclass(frozen=True)
class Submission:
    """A result of the benchmark, by the network of ours with the same task."""

    network: str
    hardware: str
    model: str  # what runs there
    inferences_per_second: float  # the median of the round's runs
    source: str  # a folder of github.com/mlcommons; performance/results.txt in it has the figure
    known: str  # what of the model was read, and where

    @property
    def ms(self) -> float:
        """Milliseconds an inference."""
        return 1000 / self.inferences_per_second


_HLS4ML_FINN = "tiny_results_v0.7/open/hls4ml-finn/results/pynq-z2"
_ST = "tiny_results_v0.7/closed/STMicroelectronics/results/NUCLEO-H7A3ZI-Q"
_KAI_JIANG = "tiny_results_v1.1/closed/kai_jiang/results/ZCU106"


def _open(network: str, model: str, inferences_per_second: float, folder: str, known: str) -> Submission:
    """On the same board at the same clock, with a network of the submitter's own."""
    hardware = f"{BOARD}, 100 MHz"
    return Submission(network, hardware, model, inferences_per_second, f"{_HLS4ML_FINN}/{folder}", known)


def _st(network: str, inferences_per_second: float, folder: str) -> Submission:
    hardware = "Cortex-M7, 280 MHz (NUCLEO-H7A3ZI-Q)"
    known = "its README: the reference's files"
    return Submission(network, hardware, "the same, 8 bits", inferences_per_second, f"{_ST}/{folder}", known)


SUBMISSIONS = (
    _open(
        "autoencoder_tiny",
        "hls4ml, AD08: 64 inputs, layers of 72; 6-bit maps, 12-bit weights",
        *(53365.414, "ad/AD08", "its ad08.yml"),
    ),
    _st("autoencoder_tiny", 438.349, "ad"),
    _open(
        "dscnn_tiny",
        "FINN, KWS-W3A3: 3 bits",
        *(57268.135, "kws/KWS-W3A3", "only its name"),
    ),
    _st("dscnn_tiny", 44.863, "kws"),
    _open(
        "resnet8_tiny",
        "FINN, CNV-W1A1: 1 bit",
        *(661.473, "ic/CNV-W1A1", "only its name"),
    ),
    _open(
        "resnet8_tiny",
        "hls4ml, RN07: filters of 32, 4, 32, 32, no shortcuts; 8 bits",
        *(36.596, "ic/RN07", "its RN07.yml"),
    ),
    _st("resnet8_tiny", 14.212, "ic"),
    Submission(
        "mobilenet_v1_tiny",
        "ZCU106, 200 MHz",
        "the same, 8 bits",
        *(2683.689, f"{_KAI_JIANG}/vww", "its README and ZCU106.json"),
    ),
    _st("mobilenet_v1_tiny", 15.533, "vww"),
)


def measure(
    results: Path,
    report: Callable[[str, Figures], None] = lambda name, figures: None,
    simulate: bool = True,
) -> dict[str, Figures]:
    """Figures of the four networks in the file ``results``, by "network board"."""
    return boards.measure(results, tuple(TASKS), (BOARD,), report, simulate)
