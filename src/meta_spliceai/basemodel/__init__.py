"""Base models: splice-site probabilities for every base of a sequence.

protocol         what every base model is and gives
registry         a name -> a base model, shipped or plugged in
spliceai         SpliceAI's network, and its weights read from the files its authors publish
windows          covering a long sequence with windows of a few fixed lengths
openvino_engine  running the network on the CPU
"""
