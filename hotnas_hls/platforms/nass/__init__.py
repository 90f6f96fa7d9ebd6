"""NASS: private inference after Gazelle, linear layers on ciphertexts, the others in garbled circuits."""
