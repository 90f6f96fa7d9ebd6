"""From a design point to files: every decision here, transcription in the templates."""
