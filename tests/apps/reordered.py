"""A Gradio app that is started twice on one port, the second time with an endpoint more, so that all numbers change.

python reordered.py PORT FIRST|SECOND
"""

from __future__ import annotations

import sys

import gradio as gr

with gr.Blocks(analytics_enabled=False) as blocks:
    if sys.argv[2] == "SECOND":
        gr.Button().click(lambda text: f"other {text}", gr.Textbox(), gr.Textbox(), api_name="other")
    gr.Button().click(lambda text: f"good {text}", gr.Textbox(label="text"), gr.Textbox(), api_name="good")

port = int(sys.argv[1])
blocks.launch(server_name="127.0.0.1", server_port=port, prevent_thread_lock=True, quiet=True)
print(f"Running on http://127.0.0.1:{port}", flush=True)
blocks.block_thread()
