"""Targets of the search: what a platform is, and the tiled engine of this project."""
