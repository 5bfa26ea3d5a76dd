"""Tools that tests of several folders share lie in this folder; pytest puts a conftest's folder where imports look."""
