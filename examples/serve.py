"""People by HTTP: `pip install fastapi uvicorn`; `uvicorn serve:app`; `curl --data-binary @a.jpg localhost:8000`."""

from fastapi import FastAPI, HTTPException, Request

import bottomup
from bottomup.files.images import read_reduced

app, predictor = FastAPI(), bottomup.load(runtime="auto")


@app.post("/")
async def people(request: Request) -> list:
    try:
        image, _ = read_reduced("upload", lambda *_: 1.0, content=await request.body())
    except bottomup.InputError as error:
        raise HTTPException(400, str(error)) from error
    return predictor(image).to_coco(image_id=0)
