"""What one setting does to NexusFormer on development data, where no test row of the benchmarks is looked at."""
