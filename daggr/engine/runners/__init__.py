"""Running a node: values in, values out. A runner never sees the store."""
