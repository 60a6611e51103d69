"""From the tags of a template to the nodes that Jinja compiles."""
