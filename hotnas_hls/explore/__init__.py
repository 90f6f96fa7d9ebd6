"""Designs under the true model: all of them, the nearest to a published one, the fastest of a network."""
