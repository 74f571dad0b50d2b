"""Podcast: two voices, a dialogue, one sample for each of its lines, and the whole of it. Runs offline.

The lines are spoken by tones: in real life `design_voice` and `speak` are Spaces, and `write_dialogue` asks a model.

    daggr examples/podcast.py

Run the last card, then change one of the lines: one sample is made, and the podcast is put together again.
"""

import random
import wave

import gradio as gr
import numpy as np

from daggr import FnNode, Graph

RATE = 16000

# ------------------------------------------------------------------ 1. voices


def design_voice(description: str, greeting: str) -> tuple[int, np.ndarray]:
    """A short sound in the voice that is described: its pitch depends on the words."""
    pitch = random.Random(description).uniform(110, 240)
    return RATE, spoken(greeting, pitch)


def spoken(text: str, pitch: float) -> np.ndarray:
    """A syllable-like tone for every word."""
    rng, sounds = random.Random(text), []
    for word in text.split():
        time = np.arange(int(RATE * (0.10 + 0.02 * min(len(word), 8)))) / RATE
        tone = sum(np.sin(2 * np.pi * pitch * rng.uniform(0.95, 1.1) * n * time) / n for n in (1, 2, 3))
        sounds += [tone * np.hanning(len(time)), np.zeros(int(RATE * 0.04))]
    return (np.concatenate(sounds or [np.zeros(1)]) * 9000).astype(np.int16)


host_voice = FnNode(
    design_voice,
    name="host voice",
    inputs={
        "description": gr.Textbox(label="Host voice", value="Deep, calm, a little amused"),
        "greeting": "Hi! I'm the host.",
    },
    outputs={"audio": gr.Audio(label="Host voice")},
)

guest_voice = FnNode(
    design_voice,
    name="guest voice",
    inputs={
        "description": gr.Textbox(label="Guest voice", value="Bright, quick, friendly"),
        "greeting": "Hi! I'm the guest.",
    },
    outputs={"audio": gr.Audio(label="Guest voice")},
)

# ------------------------------------------------------------------ 2. dialogue: files inside a list of dicts


def write_dialogue(topic: str, lines: str, host_voice: str, guest_voice: str) -> tuple[list, str]:
    """Host and guest take turns. Each line has the file of its voice, and keeps it wherever it goes."""
    voices = [host_voice, guest_voice]
    texts = [f"Today we talk about {topic}.", *(line.strip() for line in lines.splitlines() if line.strip())]
    dialogue = [{"voice": voices[n % 2], "text": text} for n, text in enumerate(texts)]
    script = "\n".join(f"{'Guest' if n % 2 else 'Host'}: {text}" for n, text in enumerate(texts))
    return dialogue, script


dialogue = FnNode(
    write_dialogue,
    name="dialogue",
    inputs={
        "topic": gr.Textbox(label="Topic", value="caches"),
        "lines": gr.Textbox(
            label="Lines",
            lines=4,
            value="I never know when mine is stale.\nAsk it what it was made from.\nAnd it answers?\nMine does.",
        ),
        "host_voice": host_voice.audio,
        "guest_voice": guest_voice.audio,
    },
    outputs={"json": None, "script": gr.Textbox(label="Script", lines=6)},
)

# ------------------------------------------------------------------ 3. samples: once for each line


def speak(text: str, voice: str) -> tuple[int, np.ndarray]:
    """A line in a voice, whose pitch is measured."""
    print(f"speaking: {text}")
    _, sound = read(voice)
    spectrum = np.abs(np.fft.rfft(sound))
    pitch = 80 + int(np.argmax(spectrum[80 * len(sound) // RATE : 400 * len(sound) // RATE])) * RATE / len(sound)
    return RATE, spoken(text, pitch)


def read(path: str) -> tuple[int, np.ndarray]:
    with wave.open(path) as file:
        return file.getframerate(), np.frombuffer(file.readframes(file.getnframes()), np.int16)


samples = FnNode(
    speak,
    name="samples",
    inputs={"text": dialogue.json.each["text"], "voice": dialogue.json.each["voice"]},
    outputs={"audio": gr.Audio(label="Sample")},
    concurrent=True,
)

# ------------------------------------------------------------------ 4. all of it


def join(samples: list[str], pause: float) -> tuple[int, np.ndarray]:
    """The samples in their order, with pauses."""
    silence = np.zeros(int(RATE * pause), np.int16)
    return RATE, np.concatenate([part for path in samples for part in (read(path)[1], silence)])


podcast = FnNode(
    join,
    name="podcast",
    inputs={
        "samples": samples.audio.all(),
        "pause": gr.Slider(0, 1, value=0.3, step=0.1, label="Pause between lines (s)"),
    },
    outputs={"audio": gr.Audio(label="Podcast")},
)

graph = Graph("Podcast Generator", nodes=[podcast])

if __name__ == "__main__":
    graph.launch()
