"""GradioNodes: what goes up to an app, what is asked there, and what comes down."""
