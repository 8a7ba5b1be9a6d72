"""Parts of a training: what a step is made of, where it runs, and how it goes on after it was killed."""
