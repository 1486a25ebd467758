"""What a trained meta-model looks at.

held_out       a run's rows, each with the models that had not seen it
permutation    what ranking loses when features are exchanged between gene groups
contributions  how much each feature moves the logits
bases          single bases explained
ablation       what each family of features adds, from the evaluation of arms without it and with it alone
picture        one picture of it
run            all of it
"""
