"""NexusFlow: predictions over related tables, with the reasons for them."""

__version__ = "0.1.0"
