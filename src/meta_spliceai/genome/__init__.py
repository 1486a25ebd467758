"""The vocabulary: coordinates, sequences, splice sites, labels and seeded draws. Pure functions, no files."""
