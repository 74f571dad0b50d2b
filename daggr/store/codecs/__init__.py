"""How values of a type become bytes and come back: canonical values, arrays, images, tables, tensors, users' own."""
