"""What can learn a correction: one small protocol, and a learner for each name that `--model` knows.

protocol    what a learner is given, and what it gives back
base        what all learners share
arrays      the safe file of learners that have none of their own
scaling     features as deviations from their mean, for learners that need it
xgboost_learner, lightgbm_learner, catboost_learner    boosted trees, which start from the base model's logit
linear      logistic regression, whole or by stochastic gradient
forest      random forest
perceptron  a small neural network
spec        `--model NAME|JSON|FILE` -> a checked learner
"""
