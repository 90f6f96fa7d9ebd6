"""The integers of the accelerator: the plain reference, the same for many images, random numbers."""
