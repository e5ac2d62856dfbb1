"""Smaller model files: int8 weights and pruning, with size, score, latency and memory before and after."""
