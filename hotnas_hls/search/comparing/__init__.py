"""Searches set beside each other: samplers, and steps left out."""
