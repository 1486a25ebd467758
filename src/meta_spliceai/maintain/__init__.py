"""Care of artifacts and datasets: find what is wrong, say why, and mend it without losing a row."""
