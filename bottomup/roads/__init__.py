"""From pictures to people. A road maps images to People, in pixels of the upright picture."""
