"""Action heads: what a context becomes. Each file is one way to make a chunk of actions; `families.py` names them."""
