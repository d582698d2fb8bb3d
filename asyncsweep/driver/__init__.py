"""The only owner of a running sweep: inbox -> journal -> machine -> effects."""
