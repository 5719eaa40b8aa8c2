"""Target maps out of people, and losses against them."""
