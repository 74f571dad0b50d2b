"""What the user drew: nodes, ports, edges, and the graph they make. No I/O, no network, no Gradio import."""
