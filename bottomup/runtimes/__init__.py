"""Networks run by something faster than torch on a CPU. Each runtime is images -> [Maps], as a network itself is."""
