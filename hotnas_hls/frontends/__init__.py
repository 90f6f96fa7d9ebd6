"""What reads a network from outside: torch modules, ONNX files, checkpoints."""
