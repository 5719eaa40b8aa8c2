"""People in what a camera or a video file shows, drawn as they come: `python examples/video_loop.py [VIDEO]`."""

import sys

import cv2

import bottomup

predictor = bottomup.load(runtime="auto", long_side=384)
frames = cv2.VideoCapture(sys.argv[1] if len(sys.argv) > 1 else 0)
while True:
    there, frame = frames.read()
    if not there:
        break
    image = frame[..., ::-1].copy()  # OpenCV gives BGR
    cv2.imwrite("frame.jpg", bottomup.draw.draw(image, predictor(image))[..., ::-1])
