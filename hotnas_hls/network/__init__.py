"""A network as operators: executed, folded, lowered to layers, quantised, drawn."""
