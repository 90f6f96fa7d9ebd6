"""From torch modules and ONNX files to the network graph."""
