"""Quick start: a Space makes an image, another one removes its background. Needs the internet.

daggr examples/quickstart.py
"""

import random

import gradio as gr

from daggr import GradioNode, Graph

image_maker = GradioNode(
    "hf-applications/Z-Image-Turbo",
    api_name="/generate_image",
    inputs={
        "prompt": gr.Textbox(
            label="Prompt", value="A cheetah in the grassy savanna.", lines=3
        ),  # asked for on the canvas
        "height": 1024,  # fixed
        "width": 1024,
        "seed": random.random,  # drawn anew for every run
    },
    outputs={"image": gr.Image(label="Image")},
)

background_remover = GradioNode(
    "hf-applications/background-removal",
    api_name="/image",
    inputs={"image": image_maker.image},  # an edge
    postprocess=lambda _, final: final,  # the Space returns two images; keep the second
    outputs={"image": gr.Image(label="Final image")},
)

graph = Graph(name="Transparent Background Image Generator", nodes=[image_maker, background_remover])
graph.launch()
