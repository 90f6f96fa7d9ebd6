"""Rules for the HLS C++ that a plain compiler does not check."""
