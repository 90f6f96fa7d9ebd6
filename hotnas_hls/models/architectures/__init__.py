"""The networks of the zoo, with torchvision's names of parameters where it has them."""
