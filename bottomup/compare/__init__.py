"""Systems head to head: the same pictures, the same metric, one page."""
