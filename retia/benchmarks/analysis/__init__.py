"""What models have learned: their embeddings of one fixed set of nodes, compared.

numpy and scipy; embeddings are arrays (n, d), row i of each is the same node.
"""
