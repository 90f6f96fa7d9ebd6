"""Hot-start co-search: iDetect labels the layers, iSpace is generated from the labels, iSearch decides."""
