"""InferenceNodes: the way to a model, what is said to it, and what comes back."""
