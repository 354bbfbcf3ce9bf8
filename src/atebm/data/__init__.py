"""Image sets: from archives to uint8 arrays."""
