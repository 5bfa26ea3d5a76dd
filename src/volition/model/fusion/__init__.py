"""Everything seen, told and felt, joined to one context: by concatenation, FiLM, attention, or one transformer."""
