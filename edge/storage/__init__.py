"""Room for the audio: what is kept how long (pure), how full the disk is (pure), and the step that acts."""
