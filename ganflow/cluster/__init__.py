"""Ray: launching training, search and evaluation on one machine or many. The only home of ``import ray``."""
