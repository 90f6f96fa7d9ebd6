"""The accelerator: its parameters, schedule, latency, resources, memory images. No torch here."""
