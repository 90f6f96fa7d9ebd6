"""A search as it goes and as it ended: progress, summary, tables, charts."""
