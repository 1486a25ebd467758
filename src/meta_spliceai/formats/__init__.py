"""The rim: files in the field's formats. Coordinates are converted here and nowhere else."""
