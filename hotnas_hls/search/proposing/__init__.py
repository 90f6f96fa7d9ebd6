"""iSpace, and who proposes the next candidate."""
