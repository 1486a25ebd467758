"""The builder: from the artifacts of a base pass to a training dataset, batch by batch. No model is called.

select      which genes: policies, lists, types
sampling    which candidate rows of a gene: three tiers, inclusion probabilities, the ledger
columns     what is known of the kept rows: sequence, gene and annotation features
batch       one batch of genes, end to end
master      the folder that training reads, kept equal to the finished batches
plan        from options to a checked plan
probe       do features stay the same when a gene's annotated ends move?
documents   what the finished dataset says about itself
finish      probe, documents, the folder's own facts
layout      which genes are in which batch, and what makes a batch the same
assembly    batches into a folder: what is done is kept, the rest is made
extend      more genes into a dataset that exists
run         plan -> batches -> finish
incremental the same as a call of Python
merge       datasets that were built apart become one (merge_sources: may they? merge_plan: how?)
"""
