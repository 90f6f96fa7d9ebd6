"""The report of one design: assembled from files (data), drawn (charts), written (page, markdown)."""
