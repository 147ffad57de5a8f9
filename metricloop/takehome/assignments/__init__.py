"""The worked assignments: generators of their texts, their data and their truth.

Each module has `write(folder, seed=0)`, which writes the same bytes every time.
"""
