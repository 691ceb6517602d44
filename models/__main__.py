"""`python -m yolo_attn.models`: renders the shipped model YAMLs again from the installed Ultralytics."""

from pathlib import Path

from yolo_attn.models import write_all

for file in write_all(Path(__file__).parent):
    print(file)
