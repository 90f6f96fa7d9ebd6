"""iDetect: what bounds every layer, and what would help."""
