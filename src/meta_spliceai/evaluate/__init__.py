"""Honest measurement: from a predictions table, and nothing else, to numbers with intervals.

predictions  reading the table
ranking      average precision, top-k, precision-recall curves
bootstrap    intervals: whole gene groups are drawn, the same ones for every arm
thresholds   errors at cuts chosen out of fold
calibration  do probabilities mean what they say?
strata       subsets of bases with a claim of their own
run          all of it, written down
words        the numbers as a table and as sentences
"""
