"""NASAIC: a chip of sub-accelerators with different dataflows, and a network's layers mapped to them."""
