"""Running independent parts on several processes, and saying how far the work is."""
