"""What every room stands on: records checked key by key, whole-file writes, external tools."""
