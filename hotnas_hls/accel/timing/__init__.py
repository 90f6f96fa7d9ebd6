"""Cycles of the accelerator: the model that search, package and certificate share."""
