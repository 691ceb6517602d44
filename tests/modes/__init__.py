"""What Ultralytics does with a model, done with one that has attention: every mode, and every format that runs here."""
