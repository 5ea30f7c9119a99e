"""Pages for people, below ``/ui``: rendered here, without a build step and without JavaScript."""
