"""What holds in every supported release of Ultralytics; `python -m tests.compat` runs it in each."""
