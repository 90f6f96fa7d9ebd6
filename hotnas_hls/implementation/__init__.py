"""What implements a design: open synthesis, place and route, the reports of vendor tools."""
