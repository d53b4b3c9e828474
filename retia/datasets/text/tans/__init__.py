"""Text for graphs that have little or none: properties of nodes → prompts → descriptions.

After Wang, Z. et al. (2025), TANS: text for any graph from the topology of its nodes.
"""
