"""What is known of a base besides the truth: one function per group of features, the same for training and prediction."""
