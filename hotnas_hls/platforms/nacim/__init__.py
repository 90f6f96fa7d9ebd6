"""NACIM: compute in memory. Weights stay in crossbars of memory cells, which multiply and add in analogue."""
