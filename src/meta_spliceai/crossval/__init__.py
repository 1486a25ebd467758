"""Cross-validation: every gene predicted by models that had not seen it, and what that proves fold by fold.

planning  what a cross-validation asks of a training plan, checked before anything is fitted
rows      the table of the dataset's rows, each scored by a model that had not seen it
top_k     the k best bases of each gene and transcript
measures  each fold by itself, at a threshold that the other folds chose
tables    the columns of the tables
result    metrics, thresholds and the tables, written and summed up
run       all of it
"""
