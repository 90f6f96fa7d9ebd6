"""The version of this tool, which everything it writes names."""

__version__ = "0.1.0"
