"""NAS and NoC: a network's layers on the tiles of a mesh, whose links carry the maps between them."""
