"""Answers where speech is in audio. Needs no model from anywhere: Silero's comes with the wheel."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import numpy as np
from fastapi import FastAPI, HTTPException, Request
from faster_whisper.vad import get_speech_timestamps, get_vad_model

RATE = 16_000
WINDOW = 512
"""Samples that the model judges at once."""
DISTRIBUTIONS = ("transcribe-service", "acme-glossary", "faster-whisper", "ctranslate2")

app = FastAPI(title="transcribe-service")


@app.get("/health")
def health() -> dict[str, str]:
    """Return the versions that answer."""
    return {name: version(name) for name in DISTRIBUTIONS}


@app.post("/vad")
async def vad(request: Request) -> dict[str, Any]:
    """Return where speech is in 16-bit samples of one channel, and how sure the model is."""
    body = await request.body()
    if not body or len(body) % 2:
        raise HTTPException(422, "the body is no sequence of 16-bit samples")
    audio = np.frombuffer(body, dtype="<i2").astype(np.float32) / 32768
    padded = np.pad(audio, (0, -len(audio) % WINDOW))
    certainty = np.asarray(get_vad_model()(padded)).ravel()
    return {
        "seconds": len(audio) / RATE,
        "speech": get_speech_timestamps(audio),
        "windows": len(certainty),
        "highest": round(float(certainty.max()), 4),
    }
