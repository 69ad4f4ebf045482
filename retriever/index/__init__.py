"""What lies in an index folder, and building it."""
