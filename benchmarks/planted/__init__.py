"""Explanations against a truth that was planted."""
