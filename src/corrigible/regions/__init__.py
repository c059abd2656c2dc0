"""Where to look for what a model must not rely on."""
