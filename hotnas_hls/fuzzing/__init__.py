"""Random layers, networks and designs through model, reference and simulation."""
