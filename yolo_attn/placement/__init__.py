"""Where attention goes, and which: everywhere first, then what is worth its time, on the data of whoever asks."""
