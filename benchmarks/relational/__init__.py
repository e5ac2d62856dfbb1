"""How accurate NexusFormer is beside its peers, on real relational tasks: `python -m benchmarks.relational.run`."""
