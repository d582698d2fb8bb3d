"""Bytes on the links between processes: MessagePack messages, their tags and their limits."""
