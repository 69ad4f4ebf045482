"""Files to records, and back."""
