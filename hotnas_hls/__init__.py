"""HotNAS-HLS: hot-start hardware/network co-search, down to verified accelerator sources."""

__version__ = "0.1.0"
