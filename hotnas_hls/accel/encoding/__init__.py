"""How layers, weights and images lie in memory."""
