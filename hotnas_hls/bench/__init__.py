"""Figures of this machine and of whole networks, measured and kept."""
