"""The boards a design can be built for."""
