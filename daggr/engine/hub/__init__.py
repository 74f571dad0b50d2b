"""What lives on the Hub or behind a URL: Gradio apps, and who may see them."""
