"""iSearch: studies, where they are kept, and who trains."""
