"""The accelerator behind a DRAM: its timing, and the cycles that follow."""
