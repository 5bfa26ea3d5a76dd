"""Sentences to word tokens and one pooled vector: pretrained encoders, small ones trained here, and their tokenizers."""
